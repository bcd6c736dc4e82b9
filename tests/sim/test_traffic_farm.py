"""``make sim-all``'s random traffic: its builds, its report, and the smallest situation of a difference."""

import pytest

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK
from halfsilver.harness.records import Frame
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.traffic import farm


@pytest.fixture
def small(monkeypatch):
    """One build, and few frames for the counters."""
    monkeypatch.setattr(farm, "BUILDS", {"8": NicParameters(width=8, enis=1, lookup_clocks=8)})
    monkeypatch.setattr(farm, "CARRIES", (100, 2))


def test_builds_of_every_width_and_at_both_ends_of_every_range():
    builds = farm.BUILDS.values()
    assert {build.width for build in builds} == {8, 16, 32, 64, 128, 256, 512, 1024}
    assert {build.lookup_clocks for build in builds} == {1, 2, 4, 8}
    for name, least, most in (
        ("enis", 1, 16),
        ("sessions", 1, 3),
        ("rules", 1, 10),
        ("extension_headers", 1, 15),
        ("receivers", 1, 16),
    ):
        assert {least, most} <= {getattr(build, name) for build in builds}
    assert {8, 1024} <= {build.copies for build in builds}
    assert {55, 1500, 9216} <= {build.cut_copies for build in builds}
    assert {build.copies_leave for build in builds} == {"net", "own"}
    assert len({build.hash_key for build in builds}) > 1


@pytest.mark.long
def test_agreement_is_reported(small, capsys):
    assert farm.main(["--situations", "40", "--seed", "3"]) == EXIT_OK
    shown = capsys.readouterr()
    assert "seed 3" in shown.err and "8            agrees" in shown.out and "mirrored" in shown.out


def test_too_little_traffic_is_not_green(small, capsys):
    assert farm.main(["--situations", "1", "--seed", "3"]) == EXIT_MISMATCH
    assert "never seen, so not tested: " in capsys.readouterr().out


def test_a_difference_is_reduced(small, capsys, monkeypatch):
    """As if the gateware took ARP for something else: here it is the golden model that does."""
    explain = GoldenEngine.explain

    def bent(self, frame):
        data = frame.data.replace(b"\x08\x06", b"\x08\x07")
        return explain(self, Frame(data, frame.direction, frame.bad, frame.dropped))

    monkeypatch.setattr(GoldenEngine, "explain", bent)
    assert farm.main(["--situations", "10", "--seed", "3"]) == EXIT_MISMATCH
    shown = capsys.readouterr().out
    assert "8            DIFFERS" in shown
    assert "frames=[Frame(" in shown and shown.count("Frame(data=") == 1
    assert "again: .venv/bin/python -m halfsilver.sim.traffic.farm --build 8 --situations 10 --seed 3" in shown
