"""After a run that copied little: why, and what would help."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether

from tests.harness.commands.cli_kit import DOCUMENTS, ROUTER, WEB, run, write_capture, write_policy

STRANGER, OTHER = "0a:00:00:00:00:99", "0a:00:00:00:00:98"


def hints(folder: Path, capsys: pytest.CaptureFixture[str], frames: list, *more: str, policy: dict = DOCUMENTS) -> str:
    """What ``mirror`` says on stderr after a run."""
    capture = write_capture(folder, [bytes(frame) for frame in frames])
    assert run("mirror", "-r", capture, "-c", write_policy(folder, policy), *more) == 0
    return "".join(line for line in capsys.readouterr().err.splitlines(True) if line.startswith("hint: "))


def tcp(source: str, destination: str, port: int = 443, to: str = "10.0.0.10") -> Ether:
    return Ether(src=source, dst=destination) / IP(src="10.0.9.9", dst=to) / TCP(dport=port)


def test_frames_of_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = [tcp(STRANGER, OTHER)] * 8 + [tcp(OTHER, STRANGER)] * 3 + [tcp(ROUTER, OTHER)] + [tcp(ROUTER, WEB)]
    said = hints(tmp_path, capsys, frames)
    assert said.count("\n") == 1
    assert said.startswith("hint: 12 of 13 frames are of no interface of the policy (no-eni); busiest MACs: ")
    assert f"{OTHER} (12), {STRANGER} (11), {ROUTER} (1); --tap" in said and "halfsilver init" in said
    assert hints(tmp_path, capsys, frames, "--tap") == "", "with it, all are copied"


def test_a_run_that_copied_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hints(tmp_path, capsys, [tcp(ROUTER, WEB)] + [tcp(STRANGER, OTHER)] * 4) == ""
    assert hints(tmp_path, capsys, [tcp(ROUTER, WEB)] + [tcp(STRANGER, OTHER)] * 5) != ""


def test_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    no_rule = hints(tmp_path, capsys, [Ether(src=ROUTER, dst=WEB) / ARP(), *[tcp(ROUTER, WEB, port=80)] * 9])
    assert no_rule == "hint: 9 of 10 frames met no rule that matches; `halfsilver explain -n 2` says why of the first\n"
    rejected = hints(tmp_path, capsys, [Ether(src=ROUTER, dst=WEB) / IP(dst="10.0.0.10") / UDP()] * 3)
    assert "3 of 3 frames were rejected, most by rule 10 tmfr-1 (3)" in rejected
    arp = hints(tmp_path, capsys, [Ether(src=ROUTER, dst=WEB) / ARP()])
    assert "of services that are never mirrored (arp (1))" in arp


def test_a_direction_without_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = copy.deepcopy(DOCUMENTS)
    policy["TrafficMirrorFilters"][0]["IngressFilterRules"] = []
    frames = [tcp(ROUTER, WEB)]
    assert "no filter there has a rule for ingress (--direction" in hints(tmp_path, capsys, frames, policy=policy)
    policy["TrafficMirrorSessions"] = []
    assert "interfaces without a session (eni-10 (1))" in hints(tmp_path, capsys, frames, policy=policy)
    policy["NetworkInterfaces"], policy["TrafficMirrorTargets"] = [], []
    assert "the policy gives the NIC none" in hints(tmp_path, capsys, frames, policy=policy)


def test_hints_leave_the_data_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = write_capture(tmp_path, [bytes(tcp(STRANGER, OTHER))])
    assert run("mirror", "-r", capture, "-c", write_policy(tmp_path), "--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["offered"] == 1 and printed.err.startswith("hint: ")
