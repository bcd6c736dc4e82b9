"""All operations that the server knows: importing this module registers them."""

from __future__ import annotations

from halfsilver.harness.control import elbv2, service_quotas, sts, tagging
from halfsilver.harness.control.cloudwatch import alarm_tags, alarms, reading
from halfsilver.harness.control.ec2 import (
    filters,
    instances,
    network,
    regions,
    rules,
    sessions,
    surroundings,
    tags,
    targets,
    volumes,
)
from halfsilver.harness.control.iam import reading as iam_reading
from halfsilver.harness.control.operations.operation import OPERATIONS
from halfsilver.harness.control.ram import invitations, lists, owners
from halfsilver.harness.control.trail import lookup

__all__ = ["MODULES", "OPERATIONS"]

MODULES = (
    *(alarm_tags, alarms, elbv2, filters, iam_reading, instances, invitations, lists, lookup, network, owners, reading),
    *(regions, rules, service_quotas, sessions, sts, surroundings, tagging, tags, targets, volumes),
)
"""The modules whose functions are operations."""
