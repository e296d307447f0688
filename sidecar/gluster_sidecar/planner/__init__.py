"""The one place that decides. Pure: a `Cluster` and `Settings` in, a `Decision` out.

Two lists of rules. `OWN_RULES` are about this node alone and hold whoever acts. `RULES` are about the cluster
and are asked in order; the first that has a step to take wins. A `Wait` silences every rule below it, so a
rule may rely on all above it having had nothing to do, unless it concerns a part alone (`Wait.alone`): then
the rules below go on, each by its own gates. So does a step that was refused and rests. A decision holds only
steps that are safe on what was observed; whatever depends on their result waits for the next look.

The laws (design.md, section 5) are kept by order and by gates:
1. `stand_by` is first: nobody but server1 with the Lease gets past it.
2. `know_the_pool` stops a node whose glusterd is blank while others remember a volume; `create_volume`
   takes no disk that has been a brick.
3. `gates.why_unsafe` and `why_unsafe_to_replace` are asked before everything that could cost a copy.
4. `None` never satisfies a gate, and a brick that is not noted as whole is not known to be.
"""

from __future__ import annotations

from typing import Final

from gluster_sidecar.model import Cluster
from gluster_sidecar.settings import Settings

from . import guard
from .engine import Decision, Rule, acts, first
from .growth import create_volume, expand, set_options, start_volume
from .heal import launch_heal
from .health import needs_heals, note_health
from .own import dissolve, join_again, restart_by_leave, revive_bricks, take_out
from .pool import await_starts, grant_starts, invite, keep_members, know_the_pool, see_the_volume, stand_by
from .removal import drain, release, watch_removal
from .replacement import move_off, replace_away, replace_lost
from .roll import roll
from .spread import rebalance, watch_rebalance

__all__ = ["OWN_RULES", "RULES", "Decision", "acts", "needs_heals", "plan", "plan_own"]


def plan(cluster: Cluster, settings: Settings) -> Decision:
    """What the actor shall do with the cluster; "steady" when there is nothing to do."""
    return first(RULES, cluster, settings)


def plan_own(cluster: Cluster, settings: Settings) -> Decision:
    """What this node shall do for itself, whoever acts."""
    return first(OWN_RULES, cluster, settings)


OWN_RULES: Final[tuple[Rule, ...]] = (join_again, dissolve, take_out, revive_bricks, restart_by_leave)


RULES: Final[tuple[Rule, ...]] = (
    stand_by,
    guard.tear_down,
    keep_members,
    guard.free_volumes,
    know_the_pool,
    guard.hold_data,
    grant_starts,
    see_the_volume,
    note_health,
    await_starts,
    watch_removal,
    watch_rebalance,
    invite,
    create_volume,
    set_options,
    start_volume,
    launch_heal,
    replace_lost,
    replace_away,
    drain,
    move_off,
    release,
    expand,
    rebalance,
    roll,
)
