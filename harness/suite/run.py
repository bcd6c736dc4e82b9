"""A case on an engine: all its frames are sent, and all that its folder expects is verified."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import METRICS, Flags
from halfsilver.harness.suite.cases import Case, Expected
from halfsilver.harness.suite.mask import Mask
from halfsilver.harness.suite.nic import Nic, Sent

__all__ = ["OpenNic", "run_case"]

OpenNic = Callable[[Policy, Flags], Nic]


def run_case(case: Case, open_nic: OpenNic) -> None:
    """A ``Mismatch`` for the first thing that is not as the case says."""
    nic = _send(case, open_nic)
    for expected, sent in zip(case.frames, nic.sent, strict=True):
        _verify(nic, expected, sent)
    nic.verify_records()
    _verify_metrics(nic, case)


def _send(case: Case, open_nic: OpenNic) -> Nic:
    """A NIC that has judged the frames of a case, each by its policy."""
    nic = open_nic(case.policies[0], case.flags)
    for policy, group in groupby(case.frames, lambda each: each.policy):
        if policy:
            nic.change_policy(case.policies[policy])
        nic.send_packets([each.frame for each in group])
    return nic


def _verify(nic: Nic, expected: Expected, sent: Sent) -> None:
    nic.verify_verdict(
        expected.verdict,
        sent,
        eni=expected.eni,
        session=expected.session,
        rule=expected.rule,
        service=expected.service,
        copied=expected.copied,
    )
    if expected.outer is None:
        nic.verify_no_copy(sent)
    else:
        copy = expected.outer + expected.frame.data[: expected.copied]
        nic.verify_copy(Mask(copy).ignore(*expected.ignore), sent)


def _verify_metrics(nic: Nic, case: Case) -> None:
    """AWS's metrics of the interfaces that the case names (docs/mirroring.md 9.6)."""
    counted = nic.counted()
    for index, interface in enumerate(nic.policy.interfaces):
        due = case.metrics.get(interface.eni_id)
        if due is None:
            continue
        found = counted.metrics(index)
        for name in METRICS:
            if found[name] != due.get(name, 0):
                raise nic.fail(f"{name} of {interface.eni_id} expected {due.get(name, 0)}, got {found[name]}")
