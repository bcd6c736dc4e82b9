"""The suite as tests: what the law says of each case's frames is what the engine does.

    pytest --pyargs halfsilver.harness.suite.conformance --import-mode=importlib --hil-engine verilator

or, in a test file of your own: ``from halfsilver.harness.suite.conformance import *``.
"""

from __future__ import annotations

import pytest

from halfsilver.harness.engines.registry import Ability
from halfsilver.harness.suite.cases import Case, case_folders, read_case
from halfsilver.harness.suite.run import OpenNic, run_case

__all__ = ["test_case", "test_production"]


def _read_cases() -> tuple[Case, ...]:
    """Those with the most interfaces come first, guarded ones last: of an engine that is built for its first policy,
    few builds are needed."""
    cases = map(read_case, case_folders())
    return tuple(sorted(cases, key=lambda case: (case.policies[0].guarded, -len(case.policies[0].interfaces))))


CASES = _read_cases()
_PARAMETERS = [
    pytest.param(case, id=case.name, marks=[pytest.mark.needs(each) for each in case.needs]) for case in CASES
]


@pytest.mark.parametrize("case", _PARAMETERS)
def test_case(case: Case, halfsilver_nic: OpenNic) -> None:
    """Verdicts, copies byte by byte, records and metrics are those of ``expect.json``."""
    run_case(case, halfsilver_nic)


@pytest.mark.needs(Ability.PRODUCTION)
def test_production(halfsilver_nic: OpenNic) -> None:
    """The frames of all cases that need nothing else come out on the other side as they went in."""
    usual = [case for case in CASES if not (case.needs or case.policies[0].guarded)]
    nic = halfsilver_nic(usual[0].policies[0], usual[0].flags)
    nic.send_packets(expected.frame for case in usual for expected in case.frames)
    nic.verify_production()
