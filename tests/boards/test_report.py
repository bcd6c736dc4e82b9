"""The report of a bitstream: what it says of nextpnr's figures, and when a build is not good."""

from __future__ import annotations

import json

import pytest

from halfsilver.boards.report import Report, SeedReport, TimingProblem, read_seed

HASHES = {"git": "1691682d", "build": "8c043fdc", "bitstream": "0", "gateware": "1"}
WANTED = {"sync": 62.5, "net_rx": 125.0}
USE = {
    name: {"used": 1000 * number, "available": 24288} for number, name in enumerate(["TRELLIS_COMB", "TRELLIS_FF"], 1)
}


def nextpnr(sync: float = 70.0, net_rx: float = 150.0, **more: dict[str, float]) -> dict:
    """A report as nextpnr writes it, by what a real one had."""
    return {
        "critical_paths": [],
        "fmax": {
            "$glbnet$clk": {"achieved": sync, "constraint": 62.5},
            "$glbnet$ports.clk_net_rx": {"achieved": net_rx, "constraint": 125},
            **more,
        },
        "utilization": {**USE, "DP16KD": {"used": 48, "available": 56}},
    }


def report_of(*documents: dict, taken: int = 1) -> Report:
    seeds = tuple(read_seed(number, document, WANTED) for number, document in enumerate(documents, 1))
    return Report("b", "LFE5U-25F-6", {"width": 32}, seeds, taken, 0.05, {"nextpnr": "1"}, HASHES)


def test_a_seed():
    seed = read_seed(7, nextpnr(), WANTED)
    assert {clock.name: clock.achieved for clock in seed.clocks} == {"sync": 70.0, "net_rx": 150.0}
    assert seed.use == {"LUT": (1000, 24288), "FF": (2000, 24288), "EBR": (48, 56)}
    assert seed.margin == pytest.approx(0.12)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (
            nextpnr(**{"clk_host_rx": {"achieved": 9.0, "constraint": 125}}),
            "clk_host_rx is a clock that the board does",
        ),
        (nextpnr(**{"$glbnet$clk": {"achieved": 99.0, "constraint": 12}}), "judged by 12.00 MHz; wanted are 62.5"),
        ({**nextpnr(), "fmax": {"clk": {"achieved": 99.0, "constraint": 62.5}}}, "judged no clock net_rx"),
    ],
)
def test_clocks_that_are_not_those_wanted(document, says):
    with pytest.raises(TimingProblem, match=says):
        read_seed(1, document, WANTED)


def test_a_clock_that_misses():
    report = report_of(nextpnr(sync=62.4))
    assert report.problems == ["sync misses 62.5 MHz: 62.4, seed 1"]
    assert "NOT GOOD" in report.to_text() and json.loads(report.to_json())["problems"]
    assert report_of(nextpnr(sync=62.5)).problems == []


def test_the_median_of_three_seeds_must_have_the_margin():
    thin, good = nextpnr(sync=64.0), nextpnr(sync=80.0)
    assert report_of(thin).problems == [] == report_of(good, thin, good).problems
    assert report_of(good, thin, thin).problems == ["the median margin of 3 seeds is 2.4%; wanted are 5%"]


def test_only_the_seed_taken_must_meet():
    missed, good = nextpnr(sync=60.0), nextpnr(sync=80.0)
    assert report_of(good, missed, good).problems == []
    assert report_of(good, missed, good, taken=2).problems == ["sync misses 62.5 MHz: 60, seed 2"]


def test_json_holds_everything():
    report = report_of(nextpnr(), nextpnr(sync=90.0), nextpnr(sync=80.0), taken=2)
    assert Report.from_json(report.to_json()) == report
    assert report.median("sync") == 80.0
    text = report.to_text()
    assert "80.00" in text and "48 of 56 EBR (86%)" in text and "70.00, 90.00, 80.00" in text
    assert "its registers say: git 1691682d, build 8c043fdc" in text


def test_a_seed_has_its_tightest_clocks_margin():
    assert isinstance(seed := read_seed(1, nextpnr(sync=125.0, net_rx=130.0), WANTED), SeedReport)
    assert seed.margin == pytest.approx(0.04)
