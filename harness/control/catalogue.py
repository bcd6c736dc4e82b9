"""All operations that the server knows: importing this module registers them."""

from __future__ import annotations

from harness.control import (
    elbv2,
    inventory,
    ram,
    ram_invitations,
    ram_lists,
    regions,
    sts,
)
from harness.control.operations import OPERATIONS

__all__ = ["MODULES", "OPERATIONS"]

MODULES = (
    elbv2,
    inventory,
    ram,
    ram_invitations,
    ram_lists,
    regions,
    sts,
)
"""The modules whose operations are registered."""
