"""``halfsilver coverage``: which rules frames reach, by hand and beside a count of verdict lines."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether

from tests.harness.commands.cli_kit import DOCUMENTS, ROUTER, WEB, output_of, run, write_capture, write_policy

IN = Ether(src=ROUTER, dst=WEB) / IP(src="10.0.9.9", dst="10.0.0.10")


def rule(rule_id: str, number: int, action: str = "accept", **more: Any) -> dict[str, Any]:
    anywhere = {"SourceCidrBlock": "0.0.0.0/0", "DestinationCidrBlock": "0.0.0.0/0"}
    return {"TrafficMirrorFilterRuleId": rule_id, "RuleNumber": number, "RuleAction": action, **anywhere, **more}


def policy() -> dict[str, Any]:
    """Two sessions of one interface, and a filter that none uses."""
    documents = copy.deepcopy(DOCUMENTS)
    first = [
        rule("tmfr-a", 10, "reject", Protocol=17),
        rule("tmfr-b", 20, Protocol=6),
        rule("tmfr-c", 30, Protocol=6, DestinationPortRange={"FromPort": 80, "ToPort": 80}),  # tmfr-b covers it
        rule("tmfr-d", 40, SourceCidrBlock="172.16.0.0/12"),
    ]
    second = [rule("tmfr-e", 10, Protocol=6), rule("tmfr-f", 20, Protocol=17), rule("tmfr-g", 30, Protocol=1)]
    documents["TrafficMirrorFilters"] = [
        {"TrafficMirrorFilterId": "tmf-1", "IngressFilterRules": first, "EgressFilterRules": [rule("tmfr-h", 10)]},
        {"TrafficMirrorFilterId": "tmf-2", "IngressFilterRules": second},
        {"TrafficMirrorFilterId": "tmf-3", "IngressFilterRules": [rule("tmfr-i", 10)]},
    ]
    session = documents["TrafficMirrorSessions"][0]
    more = {"TrafficMirrorSessionId": "tms-2", "TrafficMirrorFilterId": "tmf-2", "SessionNumber": 2}
    documents["TrafficMirrorSessions"].append({**session, **more, "VirtualNetworkId": 43})
    return documents


FRAMES = [
    IN / TCP(dport=80),  # b, before c and, in the second session, e
    IN / TCP(dport=22),  # b, before e
    IN / UDP(dport=9),  # a rejects it, f takes it
    IN / ICMP(),  # g, after a, b, c and d
    Ether(src=ROUTER, dst="0a:00:00:00:00:99") / IP() / TCP(),  # nobody's
]
EXPECTED = {  # hits, misses, taken by others, standing
    "tmfr-a": (1, 3, {}, "hit"),
    "tmfr-b": (2, 1, {}, "hit"),
    "tmfr-c": (0, 1, {"tmfr-b": 1}, "shadowed"),
    "tmfr-d": (0, 1, {}, "never matched"),
    "tmfr-e": (0, 2, {"tmfr-b": 2}, "shadowed"),
    "tmfr-f": (1, 1, {}, "hit"),
    "tmfr-g": (1, 0, {}, "hit"),
    "tmfr-h": (0, 0, {}, "never reached"),
    "tmfr-i": (0, 0, {}, "never reached"),
}


def coverage(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    capture = write_capture(folder, [bytes(frame) for frame in FRAMES])
    printed = output_of(capsys, "coverage", "-r", capture, "-c", write_policy(folder, policy()), "--json", *more)
    return json.loads(printed)


def test_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = coverage(tmp_path, capsys)
    assert found["frames"] == 5
    rows = {each["rule"]: (each["hits"], each["misses"], each["taken"], each["standing"]) for each in found["rules"]}
    assert rows == EXPECTED
    covered = {each["rule"]: each["covered_by"] for each in found["rules"] if each["covered_by"]}
    assert covered == {"tmfr-c": "tmfr-b"}
    assert found["standings"] == {"hit": 4, "shadowed": 2, "never matched": 1, "never reached": 2}


def test_a_final_reject_keeps_frames_from_later_sessions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {each["rule"]: each for each in coverage(tmp_path, capsys, "--terminal-reject")["rules"]}
    assert found["tmfr-f"]["standing"] == "shadowed" and found["tmfr-f"]["taken"] == {"tmfr-a": 1}


def test_hits_are_those_of_the_verdict_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Accepted frames, counted by another command."""
    found = coverage(tmp_path, capsys)
    capture, config = str(tmp_path / "in.pcap"), str(tmp_path / "mirror.json")
    lines = output_of(capsys, "mirror", "-r", capture, "-c", config, "--verdicts", "-").splitlines()
    counted = Counter(json.loads(line)["rule"] for line in lines if json.loads(line)["rule"])
    accepts = {each["rule"]: each["hits"] for each in found["rules"] if each["action"] == "accept" and each["hits"]}
    assert accepts == counted


def test_the_table_names_what_is_in_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coverage(tmp_path, capsys)
    arguments = ("coverage", "-r", str(tmp_path / "in.pcap"), "-c", str(tmp_path / "mirror.json"))
    text = output_of(capsys, *arguments)
    assert "shadowed: 1 frame went to rule 20 (tmfr-b)" in text
    assert "never reached: no session of the NIC uses the filter" in text
    assert text.endswith("5 frames, 9 rules: 4 hit, 2 shadowed, 1 never matched, 2 never reached\n")
    assert run(*arguments, "--fail-unreached") == 1


def test_all_rules_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents = policy()
    documents["TrafficMirrorFilters"] = [
        {"TrafficMirrorFilterId": "tmf-1", "IngressFilterRules": [rule("tmfr-a", 10)]},
        {"TrafficMirrorFilterId": "tmf-2"},
    ]
    capture = write_capture(tmp_path, [bytes(FRAMES[0])])
    arguments = ("coverage", "-r", capture, "-c", write_policy(tmp_path, documents), "--fail-unreached")
    assert run(*arguments) == 0
    assert run("coverage", "-r", write_capture(tmp_path, []), *arguments[3:]) == 5
