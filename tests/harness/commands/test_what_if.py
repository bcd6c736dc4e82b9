"""``halfsilver what-if``: what a change of the policy changes, by hand from the rules."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.commands.cli_kit import DOCUMENTS, FRAMES, output_of, run, write_capture, write_policy

Change = Callable[[dict[str, Any]], None]


def accept_udp(documents: dict[str, Any]) -> None:
    documents["TrafficMirrorFilters"][0]["IngressFilterRules"][0]["RuleAction"] = "accept"


def drop_egress(documents: dict[str, Any]) -> None:
    documents["TrafficMirrorFilters"][0]["EgressFilterRules"] = []


def other_vni(documents: dict[str, Any]) -> None:
    documents["TrafficMirrorSessions"][0]["VirtualNetworkId"] = 43


def shorter(documents: dict[str, Any]) -> None:
    documents["TrafficMirrorSessions"][0]["PacketLength"] = 80


def longer(documents: dict[str, Any]) -> None:
    documents["TrafficMirrorSessions"][0]["PacketLength"] = 120


def other_rule(documents: dict[str, Any]) -> None:
    rules = documents["TrafficMirrorFilters"][0]["IngressFilterRules"]
    rules.append({**rules[1], "TrafficMirrorFilterRuleId": "tmfr-9", "RuleNumber": 15})


def another_reason(documents: dict[str, Any]) -> None:
    del documents["TrafficMirrorFilters"][0]["IngressFilterRules"][0]


@pytest.fixture
def compared(tmp_path: Path) -> Callable[[Change], list[str]]:
    """The arguments that compare the kit's policy with a changed one, for the kit's frames twice."""

    def arguments(change: Change) -> list[str]:
        documents = copy.deepcopy(DOCUMENTS)
        change(documents)
        new = tmp_path / "new"
        new.mkdir()
        capture = write_capture(tmp_path, FRAMES * 2)
        return ["what-if", "-r", capture, "-c", write_policy(tmp_path), "-c", write_policy(new, documents)]

    return arguments


CHANGES = {  # kind, frames, copied before and after, the first frames, what differs
    accept_udp: ("now copied", 2, 0, 84, [3, 10], None),
    drop_egress: ("no longer copied", 2, 108, 0, [2, 9], None),
    shorter: ("copied otherwise", 2, 200, 160, [1, 8], "shorter"),
    longer: ("copied otherwise", 2, 200, 240, [1, 8], "longer"),
    other_rule: ("the same copy", 2, 200, 200, [1, 8], None),
    another_reason: ("not copied", 2, 0, 0, [3, 10], None),
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_each_kind_of_change(change: Change, compared, capsys: pytest.CaptureFixture[str]):
    kind, frames, before, after, examples, difference = CHANGES[change]
    arguments = compared(change)
    assert run(*arguments, "--json", "--expect-same") == 1
    said = capsys.readouterr()
    answer = json.loads(said.out)
    (found,) = answer["changes"]
    assert (found["change"], found["frames"], found["difference"]) == (kind, frames, difference)
    assert (found["copied_before"], found["copied_after"], found["examples"]) == (before, after, examples)
    assert answer["grows"] == (after > before) == ("the capture grows" in said.err)
    assert (answer["frames"], answer["same"]) == (14, False)
    text = output_of(capsys, *arguments)
    assert kind in text and "of 14 frames, 2 would change" in text
    assert ("THE CAPTURE GROWS" in text) == (after > before)
    assert run(*arguments, "--expect-same") == 1


def test_before_and_after_are_said_with_rule_and_session(compared, capsys: pytest.CaptureFixture[str]):
    text = output_of(capsys, *compared(accept_udp))
    assert "from ingress: rejected, rule 10 (tmfr-1), session tms-1" in text
    assert "to   ingress: mirrored, rule 10 (tmfr-1), session tms-1" in text
    assert "THE CAPTURE GROWS: 84 bytes more of 2 frames; the first are 3, 10" in text


def test_another_network_changes_every_copy_in_one_field(compared, capsys: pytest.CaptureFixture[str]):
    answer = json.loads(output_of(capsys, *compared(other_vni), "--json"))
    assert [each["difference"] for each in answer["changes"]] == ["VXLAN network identifier (VNI)"] * 2
    assert sum(each["frames"] for each in answer["changes"]) == answer["before"]["copies"] == 4
    assert answer["rules"] == []


def test_rules_that_decide_more_or_fewer_frames(compared, capsys: pytest.CaptureFixture[str]):
    answer = json.loads(output_of(capsys, *compared(other_rule), "--json"))
    assert answer["rules"] == [
        {"session": "tms-1", "rule": "tmfr-2", "number": 20, "before": 2, "after": 0},
        {"session": "tms-1", "rule": "tmfr-9", "number": 15, "before": 0, "after": 2},
    ]


def test_the_sums_are_those_of_mirror(compared, capsys: pytest.CaptureFixture[str]):
    arguments = compared(accept_udp)
    answer = json.loads(output_of(capsys, *arguments, "--json"))
    for side, policy in (("before", arguments[4]), ("after", arguments[6])):
        alone = json.loads(output_of(capsys, "mirror", "-r", arguments[2], "-c", policy, "--json"))
        assert answer[side] == {
            "copies": alone["copies"],
            "copied_bytes": alone["mirrored_bytes"],
            "verdicts": alone["verdicts"],
        }


def test_nothing_changes(compared, capsys: pytest.CaptureFixture[str]):
    arguments = compared(lambda documents: None)
    assert "the same for 14 frames" in output_of(capsys, *arguments, "--expect-same")
    assert json.loads(output_of(capsys, *arguments, "--expect-same", "--json"))["changes"] == []


def test_a_session_that_moved_is_the_same_session(compared, capsys: pytest.CaptureFixture[str]):
    """Indices change when a session with a lower number comes; ids do not."""

    def before_it(documents: dict[str, Any]) -> None:
        documents["TrafficMirrorFilters"].append({"TrafficMirrorFilterId": "tmf-2", "NetworkServices": []})
        session = {**documents["TrafficMirrorSessions"][0], "TrafficMirrorSessionId": "tms-2", "VirtualNetworkId": 7}
        documents["TrafficMirrorSessions"][0]["SessionNumber"] = 2
        documents["TrafficMirrorSessions"].append({**session, "TrafficMirrorFilterId": "tmf-2"})

    assert "the same for 14 frames" in output_of(capsys, *compared(before_it), "--expect-same")


def test_what_is_refused(compared, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = compared(accept_udp)
    for wrong in (arguments[:5], [*arguments, "-c", arguments[4]]):
        assert run(*wrong) == 2
        assert "-c OLD -c NEW" in capsys.readouterr().err
    assert run("what-if", "-r", write_capture(tmp_path, [], "empty.pcap"), *arguments[3:]) == 5


def test_a_damaged_capture_is_compared_as_far_as_it_goes(compared, capsys: pytest.CaptureFixture[str]):
    arguments = compared(lambda documents: None)
    Path(arguments[2]).write_bytes(Path(arguments[2]).read_bytes()[:-3])
    assert run(*arguments) == 1
    assert "the same for 13 frames" in capsys.readouterr().out
