"""Golden model and gateware on every development capture under random policies: a fair part of ``make sim-all``."""

import json
import random
import zlib
from collections import Counter
from pathlib import Path

import pytest

from halfsilver.harness.capture.reader import open_capture
from halfsilver.harness.capture.writer import PcapngWriter
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_NOTHING, EXIT_OK
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim import farm, lots
from halfsilver.sim.lots import CAPTURES, Lot, prepare, run_lot
from halfsilver.sim.places import captures_folder

SEED = 20260101
POLICIES = 4
"""Policies per capture, over both builds: 1 and 4 interfaces in turn."""

FEW_FRAMES = 1500
"""Captures above this many frames meet fewer policies here; ``make sim-all`` gives them all."""

NAMES = sorted(path.name for path in CAPTURES.glob("*.pcap*"))
needs_captures = pytest.mark.skipif(not NAMES, reason=f"no captures in {CAPTURES} (set HALFSILVER_CAPTURES)")


def frames_of(name):
    with open_capture(CAPTURES / name) as reader:
        return [captured.data for captured in reader]


@needs_captures
@pytest.mark.parametrize("enis", [pytest.param(1, marks=pytest.mark.long), 4])
@pytest.mark.parametrize("part", range(2))
def test_captures_agree(enis, part):
    """Every capture on both builds; the large ones meet one policy per build, the others two."""
    frames = 0
    for name in NAMES[part::2]:
        count = len(frames_of(name))
        policies = 1 if count > FEW_FRAMES else POLICIES // 2
        outcome = run_lot(Lot(name, enis, policies), SEED)
        assert not outcome.failure, outcome.failure
        assert outcome.frames == policies * count
        assert Verdict.CONGESTED.name.lower() not in outcome.verdicts
        frames += outcome.frames
    assert frames > 1000


@needs_captures
@pytest.mark.parametrize("enis", [1, 4])
def test_full_rate_agrees_but_for_congestion(enis):
    """Frames back to back on both ports, the receiver pausing: some copies are lost, whole, and nothing else."""
    verdicts = Counter()
    for name in ("mercury__quic-crypto-packets.pcap", "ndpi__ip_fragmented_garbage.pcap", "tcpdump__afs.pcap"):
        outcome = run_lot(Lot(name, enis, 2, full_rate=True), SEED)
        assert not outcome.failure, outcome.failure
        assert outcome.frames == sum(outcome.verdicts.values())
        assert outcome.mirrored == outcome.verdicts["mirrored"]
        verdicts += outcome.verdicts
    assert verdicts["congested"] and verdicts["mirrored"]


@needs_captures
@pytest.mark.parametrize("name", NAMES)
def test_rules_decide_a_quarter(name):
    """Counted from the records; where fewer frames are IP traffic that rules see, all those are decided."""
    case = prepare(random.Random(zlib.crc32(name.encode())), frames_of(name), 4)
    golden = GoldenEngine()
    golden.configure(case.policy, case.flags)
    records = golden.process(case.frames).verdicts
    decided = [record for record in records if record.rule is not None]
    assert case.is_quarter == (4 * len(decided) >= len(records))
    if not case.is_quarter:
        assert not [record for record in records if record.verdict is Verdict.NO_MATCH]
    if len(records) > 100:
        assert {record.direction for record in records} == set(Direction)


@pytest.fixture
def one_capture(tmp_path, monkeypatch):
    """A folder with one capture of 40 frames: UDP over IPv4, and where the farm writes."""
    frame = bytes.fromhex("02000000000102000000000208004500002000000000401100000a0000010a0000021234005000080000")
    with (tmp_path / "small.pcapng").open("wb") as stream:
        writer = PcapngWriter(stream)
        for index in range(40):
            writer.write(frame + bytes(index), index)
    monkeypatch.setattr(lots, "CAPTURES", tmp_path)
    monkeypatch.setattr(lots, "FAILURES", tmp_path / "failures")
    monkeypatch.setattr(farm, "REPORT", tmp_path / "farm.json")
    yield tmp_path


def test_farm_reports_agreement(one_capture, capsys):
    arguments = ["--capture", "small.pcapng", "--enis", "1", "--policies", "2", "--seed", "7", "--jobs", "1"]
    assert farm.main(arguments) == EXIT_OK
    report = json.loads(farm.REPORT.read_text())
    assert (report["seed"], report["agree"], report["frames"], report["policies"]) == (7, True, 80, 2)
    assert sum(report["verdicts"].values()) == 80
    assert "1 of 1 lots agree; seed 7" in capsys.readouterr().out


def test_a_failure_can_be_repeated(one_capture, capsys, monkeypatch):
    """As if the gateware read an address bit wrong: here it is the golden model that does."""
    parse = GoldenEngine.explain

    def bent(self, frame):
        data = bytearray(frame.data)
        if data[12:14] == b"\x08\x00":
            data[30] ^= 0x80
        return parse(self, Frame(bytes(data), frame.direction, frame.bad, frame.dropped))

    monkeypatch.setattr(GoldenEngine, "explain", bent)
    arguments = ["--capture", "small.pcapng", "--enis", "1", "--policies", "5", "--seed", "7", "--jobs", "1"]
    assert farm.main(arguments) == EXIT_MISMATCH
    printed = capsys.readouterr().out
    assert "DIFFERS" in printed and "0 of 1 lots agree" in printed
    assert "again: .venv/bin/python -m halfsilver.sim.farm --capture small.pcapng --enis 1 --policies " in printed
    (place,) = (one_capture / "failures").iterdir()
    told = (place / "failure.txt").read_text()
    policies = int(told.split("--policies ")[1].split()[0])
    assert run_lot(Lot("small.pcapng", 1, policies), 7).failure == told.strip()
    assert not run_lot(Lot("small.pcapng", 1, policies - 1), 7).failure
    assert Policy.load(place / "mirror.json").interfaces
    with open_capture(place / "frames.pcapng") as reader:
        assert len(list(reader)) == 40
    assert "frame " in told


def test_without_captures_nothing_is_green(tmp_path, monkeypatch, capsys):
    for folder in (tmp_path, None):
        monkeypatch.setattr(lots, "CAPTURES", folder)
        assert farm.main(["--all"]) == EXIT_NOTHING
        assert "HALFSILVER_CAPTURES" in capsys.readouterr().err


def test_only_a_checkout_has_captures_beside_it(tmp_path, monkeypatch):
    root = tmp_path / "halfsilver"
    root.mkdir()
    monkeypatch.delenv("HALFSILVER_CAPTURES", raising=False)
    assert captures_folder(root) is None
    (root / "pyproject.toml").touch()
    assert captures_folder(root) == tmp_path / "shared" / "captures"
    monkeypatch.setenv("HALFSILVER_CAPTURES", "/elsewhere")
    assert captures_folder(root) == Path("/elsewhere")


def test_another_build_gives_the_same(one_capture):
    """Eight clocks per lookup and 8 bits of data, as on the small board."""
    parameters = NicParameters(width=8, enis=1, lookup_clocks=8)
    outcome = run_lot(Lot("small.pcapng", 1, 2), SEED, parameters=parameters)
    assert not outcome.failure, outcome.failure
