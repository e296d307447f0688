"""What goes wrong in the lab, as one line for the person who ran the command.

LabError
└── Busy      another command is working on the same lab
"""

from __future__ import annotations


class LabError(Exception):
    """What failed, with which value, and the way out; printed as one line, without a traceback."""


class Busy(LabError):
    """Another command works on this lab."""
