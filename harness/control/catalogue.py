"""All operations that the server knows: importing this module registers them."""

from __future__ import annotations

from harness.control import mirror_filters, mirror_rules, mirror_sessions, mirror_targets, tags
from harness.control.operations import OPERATIONS

__all__ = ["MODULES", "OPERATIONS"]

MODULES = (
    mirror_filters,
    mirror_rules,
    mirror_sessions,
    mirror_targets,
    tags,
)
"""The modules whose functions are operations."""
