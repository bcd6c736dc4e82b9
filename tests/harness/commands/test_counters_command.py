"""``halfsilver counters``: the same from every engine, and sums that meet."""

import json
from copy import deepcopy

import pytest

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame, Port, Tally
from halfsilver.harness.report.counters import balances
from halfsilver.harness.verdict import Direction, Verdict
from tests.harness.commands.cli_kit import FRAMES, WEB, output_of, run, use_faulty, write_capture, write_policy

OFFERED = {Direction.INGRESS: 6, Direction.EGRESS: 1}
SIZE = sum(map(len, FRAMES))


def rows_of(text):
    return [line.split() for line in text.splitlines()]


def command(paths, *more):
    return ("counters", "-r", paths[0], "-c", paths[1], *more)


@pytest.fixture(scope="module")
def counters(tmp_path_factory):
    """Of the kit's capture: 6 frames in, 1 out, a copy of each way."""
    engine = GoldenEngine()
    engine.configure(Policy.load(write_policy(tmp_path_factory.mktemp("policy"))))
    ways = [Direction.EGRESS if frame[6:12].hex(":") == WEB else Direction.INGRESS for frame in FRAMES]
    return engine.process([Frame(data, way) for data, way in zip(FRAMES, ways, strict=True)]).counters


def test_table_for_people(paths, capsys):
    rows = rows_of(output_of(capsys, *command(paths)))
    assert ["egress", "mirrored", "1", "54"] in rows and ["ingress", "malformed", "1", "11"] in rows
    assert ["ingress", "eni-10", "tms-1", "1", "100", "0", "0"] in rows
    assert ["ingress", "eni-10", "tms-1", "tmfr-1", "10", "1", "42"] in rows
    assert ["host-in", "1", str(len(FRAMES[1])), "0", "0"] in rows
    assert ["copies-out", "2", str(100 + 54 + 2 * 50), "0", "0"] in rows
    metrics = {row[1]: row[2] for row in rows if len(row) == 3 and row[1].startswith("Network")}
    assert len(metrics) == 8
    assert {name: value for name, value in metrics.items() if value != "0"} == {
        "NetworkMirrorIn": "100",
        "NetworkPacketsMirrorIn": "1",
        "NetworkMirrorOut": "54",
        "NetworkPacketsMirrorOut": "1",
    }


def test_every_sum_is_printed(paths, capsys):
    sums = output_of(capsys, *command(paths)).split("\n\n")[-1].splitlines()
    into = SIZE - len(FRAMES[1])
    assert sums == [
        "ingress offered 6 = sum over verdicts 6",
        "egress offered 1 = sum over verdicts 1",
        f"network in 6 ({into} bytes) = host out 6 ({into} bytes)",
        "host in 1 (54 bytes) = network out 1 (54 bytes)",
        "mirrored 2 (154 bytes) = sent, of all sessions 2 (154 bytes)",
        "congested 0 (0 bytes) = skipped, of all sessions 0 (0 bytes)",
        "sent 2 = copies out 2",
    ]


def test_json_is_what_mirror_has(paths, capsys):
    document = json.loads(output_of(capsys, *command(paths, "--json", "--seed", "3")))
    summary = json.loads(output_of(capsys, "mirror", *command(paths, "--json")[1:]))
    assert document == {
        "engine": "golden",
        "seed": 3,
        "offered": {"ingress": 6, "egress": 1},
        **summary["counters"],
        "conserved": True,
    }


@pytest.mark.simulation
def test_the_gateware_counts_the_same(paths, capsys):
    """Read from its registers, what it counts is printed as the golden model's, to the last byte."""
    pytest.importorskip("halfsilver.sim.engine", reason="the Verilator engine is not there")
    golden, gateware = (output_of(capsys, *command(paths, "--engine", engine)) for engine in ("golden", "verilator"))
    assert golden == gateware and golden.count(" = ") == 7


def test_a_capture_without_frames(paths, capsys):
    assert run("counters", "-r", write_capture(paths[2], [], "none.pcap"), "-c", paths[1]) == 5
    assert "holds no frame" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--full-rate"], ["--width", "512"]])
def test_the_model_has_no_clock(paths, capsys, option):
    assert run(*command(paths, *option)) == 2
    assert f"{option[0]} needs --engine verilator: golden has no clock" in capsys.readouterr().err


def test_a_width_that_the_nic_cannot_have(paths, capsys):
    assert run(*command(paths, "--engine", "verilator", "--width", "60")) == 2
    assert "--width" in capsys.readouterr().err


def _another_verdict(counters):
    counters.verdicts[Direction.EGRESS, Verdict.NO_MATCH] = Tally(1, 60)


def _a_byte_less_at_the_host(counters):
    counters.ports[Port.HOST_OUT, False].octets -= 1


def _a_frame_more_to_the_network(counters):
    counters.ports[Port.NETWORK_OUT, True] = Tally(1, 60)


def _sent_by_nobody(counters):
    counters.sessions[Direction.EGRESS, 0, 0].octets += 1


def _skipped_without_a_verdict(counters):
    counters.skipped[Direction.EGRESS, 0, 0] = Tally(1, 60)


def _a_copy_lost(counters):
    counters.ports[Port.COPIES_OUT, False].frames -= 1


FAULTS = {
    _another_verdict: "egress offered",
    _a_byte_less_at_the_host: "network in",
    _a_frame_more_to_the_network: "host in",
    _sent_by_nobody: "mirrored",
    _skipped_without_a_verdict: "congested",
    _a_copy_lost: "sent",
}
"""Each spoils one sum, the one named."""


@pytest.mark.parametrize(("fault", "sum_"), FAULTS.items())
def test_a_sum_that_does_not_meet(counters, fault, sum_):
    assert all(each.holds for each in balances(counters, OFFERED))
    spoiled = deepcopy(counters)
    fault(spoiled)
    (wrong,) = (each for each in balances(spoiled, OFFERED) if not each.holds)
    assert wrong.names[0] == sum_ and str(wrong).endswith(": NOT THE SAME")


def test_sums_that_do_not_meet_fail_the_command(paths, capsys, monkeypatch):
    use_faulty(monkeypatch, lambda result: _a_copy_lost(result.counters))
    assert "sent 2 and copies out 1: NOT THE SAME" in output_of(capsys, *command(paths), code=1)
    assert json.loads(output_of(capsys, *command(paths, "--json"), code=1))["conserved"] is False
