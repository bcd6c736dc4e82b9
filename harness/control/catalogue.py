"""All operations that the server knows: importing this module registers them."""

from __future__ import annotations

from halfsilver.harness.control import elbv2, sts
from halfsilver.harness.control.ec2 import filters as mirror_filters
from halfsilver.harness.control.ec2 import network as inventory
from halfsilver.harness.control.ec2 import regions, tags
from halfsilver.harness.control.ec2 import rules as mirror_rules
from halfsilver.harness.control.ec2 import sessions as mirror_sessions
from halfsilver.harness.control.ec2 import targets as mirror_targets
from halfsilver.harness.control.operations.operation import OPERATIONS
from halfsilver.harness.control.ram import api as ram
from halfsilver.harness.control.ram import invitations as ram_invitations
from halfsilver.harness.control.ram import lists as ram_lists

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
