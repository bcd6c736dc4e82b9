"""Mutants of the netlist: what is drawn, what is left out, and when a run refuses its own results."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from halfsilver.harness.errors import HalfsilverError
from halfsilver.sim.mutation import campaign as campaigns
from halfsilver.sim.mutation import mutants
from halfsilver.sim.mutation.campaign import Campaign
from halfsilver.sim.mutation.children import Crash, each_in_child
from halfsilver.sim.mutation.equivalence import is_equivalent
from halfsilver.sim.mutation.netlist import Mutant, Netlist, candidates, draw, list_hash, shares
from halfsilver.sim.mutation.records import CAUGHT, EQUIVALENT, SURVIVED, Record, Records
from halfsilver.sim.mutation.regression import PHASES, WIDTHS

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "mutants.json"
PAGE = ROOT / "docs" / "mutants.md"
SAMPLE = 4

CELLS = """
attribute \\src "hdl/top.py:1"
module \\top
  attribute \\src "hdl/top.py:2"
  wire width 2 input 1 \\a
  attribute \\src "hdl/top.py:3"
  wire output 2 \\y
  wire input 3 \\clk
  wire \\both
  wire \\next
  attribute \\src "hdl/top.py:7|/usr/lib/site-packages/amaranth/lib/fifo.py:9"
  cell $and $1
    parameter \\A_SIGNED 0
    parameter \\B_SIGNED 0
    parameter \\A_WIDTH 1
    parameter \\B_WIDTH 1
    parameter \\Y_WIDTH 1
    connect \\A \\a [0]
    connect \\B \\a [1]
    connect \\Y \\both
  end
  cell $and $2
    parameter \\A_SIGNED 0
    parameter \\B_SIGNED 0
    parameter \\A_WIDTH 1
    parameter \\B_WIDTH 1
    parameter \\Y_WIDTH 1
    connect \\A \\both
    connect \\B \\a [0]
    connect \\Y \\next
  end
  cell $dff $3
    parameter \\WIDTH 1
    parameter \\CLK_POLARITY 1
    connect \\CLK \\clk
    connect \\D \\next
    connect \\Q \\y
  end
end
"""
"""``y`` is ``a[0] & a[1]``, a clock later. The second AND has ``a[0]`` twice, so that it does not matter there."""

MEMORY = """
module \\top
  wire input 1 \\clk
  wire input 2 \\on
  wire input 3 \\place
  wire input 4 \\bit
  wire output 5 \\y
  wire \\written
  cell $and $1
    parameter \\A_SIGNED 0
    parameter \\B_SIGNED 0
    parameter \\A_WIDTH 1
    parameter \\B_WIDTH 1
    parameter \\Y_WIDTH 1
    connect \\A \\on
    connect \\B \\place
    connect \\Y \\written
  end
  cell $mem_v2 \\bits
    parameter \\MEMID "\\\\bits"
    parameter \\WIDTH 1
    parameter \\ABITS 1
    parameter \\SIZE 2
    parameter \\OFFSET 0
    parameter \\INIT 2'00
    parameter \\RD_PORTS 1
    parameter \\RD_CLK_ENABLE 1'1
    parameter \\RD_CLK_POLARITY 1'1
    parameter \\RD_TRANSPARENCY_MASK 1'0
    parameter \\RD_COLLISION_X_MASK 1'0
    parameter \\RD_WIDE_CONTINUATION 1'0
    parameter \\RD_CE_OVER_SRST 1'0
    parameter \\RD_ARST_VALUE 1'x
    parameter \\RD_SRST_VALUE 1'x
    parameter \\RD_INIT_VALUE 1'x
    parameter \\WR_PORTS 1
    parameter \\WR_CLK_ENABLE 1'1
    parameter \\WR_CLK_POLARITY 1'1
    parameter \\WR_PRIORITY_MASK 1'0
    parameter \\WR_WIDE_CONTINUATION 1'0
    connect \\RD_CLK \\clk
    connect \\RD_EN 1'1
    connect \\RD_ARST 1'0
    connect \\RD_SRST 1'0
    connect \\RD_ADDR \\place
    connect \\RD_DATA \\y
    connect \\WR_CLK \\clk
    connect \\WR_EN \\on
    connect \\WR_ADDR \\written
    connect \\WR_DATA \\bit
  end
end
"""
"""A bit is written where ``on``; elsewhere the address does not matter."""

LISTED = [
    "mutate -mode const1 -module top -cell $1 -port A -portbit 0 -src hdl/top.py:7",
    "mutate -mode const1 -module top -cell $2 -port B -portbit 0",
    "mutate -mode inv -module top -cell $3 -port D -portbit 0 -wire next -wirebit 0",
    "mutate -mode inv -module top -cell $3 -port Q -portbit 0 -wire y -wirebit 0",
    "mutate -mode inv -module top -cell $3 -port CLK -portbit 0",
    "mutate -mode inv -module top -cell inner -port rst -portbit 0",
    "mutate -mode inv -module top -cell inner -port lookup_clk -portbit 0",
    "mutate -mode inv -module top -cell memory -port RD_CLK -portbit 0",
    "",
]


def of_top(options: str) -> Mutant:
    return Mutant("32", "top", "hdl/top.py:7", options)


def test_clocks_resets_and_outputs_of_registers_are_left_out() -> None:
    ports = [re.search(r"-port (\S+)", options) for options in candidates(LISTED)]
    assert [port and port[1] for port in ports] == ["A", "B", "D"]


def test_the_seed_decides_the_list_and_every_module_has_a_share() -> None:
    every = [
        f"-mode {mode} -module top -cell $1 -port A -portbit {bit}" for mode in ("inv", "const0") for bit in range(9)
    ]
    every += [f"-mode inv -module top -cell $2 -port B -portbit {bit}" for bit in range(9)]
    first, again, other = (draw("32", every, CELLS, 12, seed) for seed in (1, 1, 2))
    assert first == again and list_hash(first) == list_hash(again)
    assert list_hash(other) != list_hash(first)
    assert len({mutant.key for mutant in first}) == 12
    cells = Counter(mutant.options.split()[5] for mutant in first)
    assert cells["$1"] == cells["$2"] == 6, "cells are drawn evenly, however many mutants they have"
    assert shares({"large": 90, "small": 8, "tiny": 2}, 20) == {"large": 15, "small": 3, "tiny": 2}
    assert shares({"large": 90, "small": 8, "tiny": 2}, 2) == {"large": 1, "small": 1}


def test_a_mutant_names_the_source_line() -> None:
    drawn = draw("32", candidates(LISTED), CELLS, 3, 1)
    places = {mutant.options.split()[5]: mutant.place for mutant in drawn}
    assert places == {"$1": "hdl/top.py:7", "$2": "hdl/top.py:3", "$3": "hdl/top.py:3"}


def test_a_proof_is_for_what_changes_nothing_only() -> None:
    netlist = Netlist(WIDTHS["32"], CELLS, ())
    first, second, third = candidates(LISTED)
    assert is_equivalent(netlist, of_top(second))
    assert is_equivalent(netlist, of_top(first)), "the second AND makes up for a[0]"
    assert not is_equivalent(netlist, of_top(third))


def test_a_memory_ignores_an_address_where_nothing_is_written() -> None:
    netlist = Netlist(WIDTHS["32"], MEMORY, ())
    assert is_equivalent(netlist, of_top("-mode const1 -module top -cell $1 -port A -portbit 0"))
    for options in (
        "-cell $1 -port B",
        "-cell bits -port WR_EN",
        "-cell bits -port WR_ADDR",
        "-cell bits -port RD_ADDR",
    ):
        assert not is_equivalent(netlist, of_top(f"-mode inv -module top {options} -portbit 0")), options


@pytest.mark.alone
def test_proofs_that_succeed_for_a_caught_mutant_are_refused(tmp_path: Path) -> None:
    caught, open_ = (of_top(options) for options in candidates(LISTED)[:2])
    records = Records(tmp_path / "records.jsonl")
    records.add(Record(caught.key, "pump", CAUGHT, "rules: frame 1", "now"))
    one = Campaign("32", Netlist(WIDTHS["32"], CELLS, ()), [caught, open_], records, 1, 1)
    with pytest.raises(HalfsilverError, match=r"proofs are unsound.*const1 at \$1.*rules: frame 1 caught it"):
        one.prove()
    assert records.proof(open_.key) is None


@pytest.mark.alone
def test_a_failing_control_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateware is as it should be, the judge is not: nothing may be recorded."""
    monkeypatch.setattr(campaigns, "build_library", lambda *_, **__: tmp_path / "model.so")
    monkeypatch.setattr(Netlist, "verilog", lambda *_: "")
    records = Records(tmp_path / "records.jsonl")
    mutant = of_top(candidates(LISTED)[0])
    with pytest.raises(
        HalfsilverError, match="32 bit with 1 mutants: the control run, without a mutant, does not pass"
    ):
        Campaign("32", Netlist(WIDTHS["32"], CELLS, ()), [mutant], records, 1, 1).pump()
    assert records.of(mutant.key, "pump") is None


def test_records_outlive_a_run(tmp_path: Path) -> None:
    """Caught stays caught; a survivor is tried again by other tests."""
    path = tmp_path / "list" / "records.jsonl"
    first = Records(path)
    first.add(Record("a", "pump", CAUGHT, "rules: frame 1", "1"))
    first.add(Record("b", "pump", SURVIVED, "", "1"))
    first.add(Record("c", "proof", EQUIVALENT, "", "1"))
    later = Records(path)
    assert [later.is_open(key, "pump", "1") for key in "abcd"] == [False, False, False, True]
    assert [later.is_open(key, "pump", "2") for key in "abcd"] == [False, True, False, True]


@pytest.mark.alone
def test_a_child_may_hang_or_abort() -> None:
    def work(item: int) -> str:

        if item == 1:
            time.sleep(60)
        if item == 2:
            os.abort()
        if item == 3:
            raise ValueError("made by a test")
        while item == 5:
            pass
        if item == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return "x" * 100_000

    answers = dict(each_in_child(range(7), work, jobs=2, seconds=10, processor=1))
    assert answers == {
        0: "x" * 100_000,
        1: Crash("not done within 10 s"),
        2: Crash("ended by signal 6"),
        3: Crash("ended with code 1", own=False),
        4: "x" * 100_000,
        5: Crash("used up its processor time"),
        6: Crash("ended by signal 15", own=False),
    }


@pytest.mark.long
@pytest.mark.alone
def test_a_few_mutants_of_the_netlist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, path in (("PLACE", tmp_path / "mutants"), ("REPORT", tmp_path / "mutants.json")):
        monkeypatch.setattr(mutants, name, path)
    mutants.main(["--width", "32", "--sample", str(SAMPLE), "--to", "proofs", "-j", "1"])
    shown = capsys.readouterr()
    answer = json.loads((tmp_path / "mutants.json").read_text())
    assert "control passed" in shown.err
    assert answer["planted"] == SAMPLE == answer["caught"] + answer["equivalent"] + len(answer["survivors"])
    assert answer["caught"] >= SAMPLE // 2, shown.out
    assert set(answer["caught_by"]) <= {*PHASES, "crash"}
    mutants.main(["--width", "32", "--sample", str(SAMPLE), "--to", "proofs", "-j", "1"])
    assert "control" not in capsys.readouterr().err, "what is recorded is not run again"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--list", "hand", "--only", "nonsense"], "no fault is called 'nonsense'"),
        (["--only", "second-vlan-tag"], "--list hand"),
        (["--jobs", "0"], "at least 1"),
        (["--sample", "0"], "must be 1 to"),
        (["--list", "hand", "--sample", "3"], "list of the machine"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert mutants.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_the_published_numbers_add_up_and_every_survivor_is_explained() -> None:
    answer = json.loads(PUBLISHED.read_text())
    survivors, page = answer["survivors"], PAGE.read_text()
    assert answer["planted"] == answer["caught"] + answer["equivalent"] + len(survivors)
    assert answer["caught"] / (answer["planted"] - answer["equivalent"]) == pytest.approx(answer["score"], abs=1e-4)
    for groups in (answer["builds"], answer["modules"]):
        for count in ("planted", "caught", "equivalent"):
            assert sum(group[count] for group in groups.values()) == answer[count]
    assert sum(answer["caught_by"].values()) == answer["caught"]
    assert set(answer["builds"]) == {f"{width} bit" for width in WIDTHS}
    named = re.findall(r"`([0-9a-f]{12})`", page)
    assert sorted(named) == sorted(survivor["key"] for survivor in survivors)
    for survivor in survivors:
        assert survivor["place"] in page


def test_a_mutants_key_depends_on_build_and_change() -> None:
    one = of_top(candidates(LISTED)[0])
    assert len({one.key, replace(one, build="64").key, replace(one, options=one.options + " ").key}) == 3
