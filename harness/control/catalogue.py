"""All operations that the server knows: importing this module registers them."""

from __future__ import annotations

from halfsilver.harness.control import elbv2, sts
from halfsilver.harness.control.cloudwatch import alarms, reading
from halfsilver.harness.control.ec2 import filters, network, regions, rules, sessions, tags, targets
from halfsilver.harness.control.operations.operation import OPERATIONS
from halfsilver.harness.control.ram import invitations, lists, owners
from halfsilver.harness.control.trail import lookup

__all__ = ["MODULES", "OPERATIONS"]

MODULES = (
    *(alarms, elbv2, filters, invitations, lists, lookup, network, owners, reading, regions, rules, sessions, sts),
    *(tags, targets),
)
"""The modules whose functions are operations."""
