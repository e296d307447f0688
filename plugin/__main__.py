"""Pulumi's component host for `GlusterCluster`; the component itself is in the folder above."""

from __future__ import annotations

import sys
from pathlib import Path

from pulumi.provider import main

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == "__main__":
    from gluster_stack.hosted import host

    main(host(), sys.argv[1:])
