"""Every statement of docs/mirroring.md that says what becomes of frames has a case, or a reason why it has none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from halfsilver.harness.suite.cases import case_folders, read_case
from halfsilver.harness.verdict import Service, Verdict

ROOT = Path(__file__).resolve().parents[2]
RULES = dict(re.findall(r"^\| (\d+\.\d+) \| (.*?) \|", (ROOT / "docs" / "mirroring.md").read_text(), re.MULTILINE))
CASES = [read_case(folder) for folder in case_folders()]

API = "of the served API: "
CAPTURES = "of frames as captures have them, before an engine: "
GENEVE = "of what a load balancer makes of copies: tests/harness/golden/test_geneve.py"
SPREAD = "of what an account has behind a load balancer: "
WAY = "of what is behind the card: tests/harness/policy/test_reachability.py"
BENCH = "shown by benches that see clock cycles: "
WITHOUT = {
    "1.9": API + "tests/control/server/test_serve.py",
    "1.11": "a policy of more is refused: tests/harness/policy/test_policy.py",
    "2.6": "how a direction is chosen where none is given: tests/suite/test_verbs.py",
    "2.7": CAPTURES + "tests/harness/commands/test_offered_frames.py",
    "2.8": CAPTURES + "tests/harness/capture/test_link.py, tests/harness/commands/test_offered_frames.py",
    "3.18": CAPTURES + "tests/harness/commands/test_offered_frames.py",
    "6.12": "of builds with cut_copies, which no engine of the registry is: sim/benches/nic.py",
    "9.1": "the counters' width: tests/hdl/counting/test_counters.py",
    "9.5": "verified of all frames in each case: Nic.verify_records",
    "9.7": "tests/sim/test_upheavals.py, and Nic.verify_production in each case where the engine carries production",
    "9.8": "tests/hdl/counting/test_counters.py",
    "9.9": "tests/hdl/counting/test_counters.py",
    "10.1": BENCH + "sim/benches/production.py",
    "10.2": BENCH + "sim/benches/overload.py",
    "10.3": "a parameter of builds",
    "10.4": BENCH + "tests/hdl/test_export.py",
    "10.6": BENCH + "sim/benches/overload.py",
    "12.7": API + "tests/control/ec2/test_mirror_filters.py",
    "12.8": API + "tests/control/ec2/test_mirror_sessions.py",
    "12.10": "a refusal: tests/harness/nic/test_driver.py",
    "13.1": "all cases leave what AWS does not have off",
    "13.2": "tags of interfaces are in many cases; that no other prefix counts: tests/harness/policy/test_typos.py",
    "13.3": "what is not built",
    "14.10": "refusals: tests/harness/policy/test_security.py",
    "14.13": "a refusal: tests/sim/test_security_groups.py",
    **{f"15.{number}": GENEVE for number in range(1, 10)},
    **{f"16.{number}": WAY for number in range(1, 8)},
    **{f"17.{number}": SPREAD + "tests/harness/policy/test_balancing.py" for number in range(1, 6)},
    **{f"17.{number}": SPREAD + "tests/harness/golden/test_spreading.py" for number in range(6, 9)},
    "17.9": "a refusal: tests/harness/nic/test_driver.py",
    "15.10": "which interface is the load balancer's: tests/harness/commands/test_appliance.py",
}
"""Rules without a case, and why."""


def shown() -> set[str]:
    return {rule for case in CASES for rule in case.rules}


def test_the_law_has_rules():
    assert len(RULES) > 100 and "7.12" in RULES


def test_each_rule_has_a_case_or_a_reason():
    assert RULES.keys() - shown() == WITHOUT.keys()


def test_a_case_names_rules_that_there_are():
    assert shown() - RULES.keys() == set()
    assert [case.name for case in CASES if not case.rules] == []


@pytest.mark.parametrize("reason", sorted(set(WITHOUT.values())))
def test_a_reason_names_files_that_there_are(reason):
    for path in re.findall(r"\b(?:tests|sim)/[\w/]+\.py", reason):
        assert (ROOT / path).exists()


def test_each_verdict_and_each_service_has_a_case():
    never = {Verdict.SAMPLED_OUT, Verdict.RATE_LIMITED, Verdict.CONGESTED}
    """The first two are reserved; congestion is a matter of clock cycles (10.2)."""
    verdicts = {expected.verdict for case in CASES for expected in case.frames}
    assert verdicts == {str(verdict) for verdict in set(Verdict) - never}
    services = {expected.service for case in CASES for expected in case.frames} - {None}
    assert services == {str(service) for service in set(Service) - {Service.NONE}}


@pytest.mark.parametrize(
    "page", ["README.md", "CHANGELOG.md", "docs/how_to/pytest.md", "docs/explanation/verification.md"]
)
def test_pages_say_how_many_there_are(page):
    counts = re.findall(r"(\d+) cases\b", (ROOT / page).read_text(encoding="utf-8"))
    assert counts and set(counts) == {str(len(CASES))}


def test_a_note_says_where_it_comes_from():
    for case in CASES:
        note = (case.folder / "note.md").read_text(encoding="utf-8")
        assert note.startswith(f"# {case.name}\n") and "\nSource: " in note
        assert note.count("\n") >= 9 + len(case.frames)
