"""All operations that the server knows: importing this module registers them."""

from __future__ import annotations

from harness.control import (
    elbv2,
    inventory,
    mirror_filters,
    mirror_rules,
    mirror_sessions,
    mirror_targets,
    ram,
    ram_invitations,
    ram_lists,
    regions,
    sts,
    tags,
)
from harness.control.operations import OPERATIONS

__all__ = ["MODULES", "OPERATIONS"]

MODULES = (
    elbv2,
    inventory,
    mirror_filters,
    mirror_rules,
    mirror_sessions,
    mirror_targets,
    ram,
    ram_invitations,
    ram_lists,
    regions,
    sts,
    tags,
)
"""The modules whose functions are operations."""
