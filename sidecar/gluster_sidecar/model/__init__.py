"""The nouns: one frozen picture of the storage cluster, everything a rule may look at.

No memory lives outside of it: what must survive a cycle is a field here, put there by `observe.py`
from Kubernetes or glusterd. `None` for something that can be counted or read means "not known",
which is never the same as zero, absent or healthy (law 4).
"""

from __future__ import annotations

from .cluster import NO_HEALER, Cluster
from .objects import Blame, Guarded, Member, Notes, Plan, Pod
from .own import Own, Service
from .pool import Brick, Peer, Pool, Task, TaskState, Volume

__all__ = [
    "NO_HEALER",
    "Blame",
    "Brick",
    "Cluster",
    "Guarded",
    "Member",
    "Notes",
    "Own",
    "Peer",
    "Plan",
    "Pod",
    "Pool",
    "Service",
    "Task",
    "TaskState",
    "Volume",
]
