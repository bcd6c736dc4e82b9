"""Coverage: Verilator's file is read, each point finds its line of the sources, and the page names what is missing."""

import json
from pathlib import Path

import pytest

from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.sim.build import build_library
from halfsilver.sim.coverage import __main__ as coverage
from halfsilver.sim.coverage.page import page, percent
from halfsilver.sim.coverage.points import BRANCH, TOGGLE, Place, SourceMap, read_points
from halfsilver.sim.coverage.tally import Share, add_up, per_file
from halfsilver.sim.model.verilog import ports_of, to_verilog
from halfsilver.sim.pump import Pacing, Pump
from tests.sim.model.standin import StandIn

ROOT = Path(__file__).parents[2]

VERILOG = """\
(* src = "hdl/thing.py:10" *)
(* generator = "Amaranth" *)
module thing(clk, go, \\odd.name );
  reg \\$auto$verilog_backend.cc:1:dump_module$1  = 0;
  (* src = "elsewhere/stream.py:49" *)
  input go;
  wire go;
  (* src = "hdl/thing.py:12" *)
  output [1:0] \\odd.name ;
  reg [1:0] \\odd.name  = 2'h0;
  wire \\$5 ;
  reg [1:0] \\$9 ;
  assign \\$5  = go & (* src = "hdl/thing.py:20" *) \\odd.name [0];
  (* src = "hdl/thing.py:12" *)
  always @(posedge clk)
    \\odd.name  <= \\$9 ;
  always @* begin
    if (\\$auto$verilog_backend.cc:1:dump_module$1 ) begin end
    \\$9  = \\odd.name ;
    if (\\$5 ) begin
      \\$9  = 2'h1;
    end
    if (go) begin
      \\$9  = 2'h0;
    end
  end
endmodule
"""
GO, ODD, BY_OPERATION, BY_SIGNAL, ARTEFACT = 6, 9, 20, 23, 18
"""Lines of the text above."""


def point(kind, line, what, count, column=3):
    page_of = "v_toggle/thing" if kind == TOGGLE else "v_branch/thing"
    fields = {"f": "top.v", "l": line, "n": column, "page": page_of, "o": what, "h": ".thing"}
    return "C '" + "".join(f"\x01{name}\x02{value}" for name, value in fields.items()) + f"' {count}\n"


def write(path, *points):
    path.write_text("# SystemC::Coverage-3\n" + "".join(points))
    return path


FIRST = (
    point(TOGGLE, GO, "go:0->1", 3),
    point(TOGGLE, GO, "go:1->0", 2),
    point(TOGGLE, ODD, "odd___02Ename[0]:0->1", 1),
    point(TOGGLE, ODD, "odd___02Ename[1]:0->1", 0),
    point(BRANCH, BY_OPERATION, "if", 4, 5),
    point(BRANCH, BY_OPERATION, "else", 0, 6),
    point(BRANCH, BY_SIGNAL, "if", 0, 5),
    point(BRANCH, ARTEFACT, "if", 0),
)


def test_points_are_read(tmp_path):
    points = read_points(write(tmp_path / "a.dat", *FIRST))
    assert points[TOGGLE, GO, 3, "go:0->1"] == 3
    assert points[BRANCH, BY_OPERATION, 6, "else"] == 0
    assert len(points) == len(FIRST)


def test_another_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a.dat, line 2: not a coverage point: 'nonsense'"):
        read_points(write(tmp_path / "a.dat", "nonsense\n"))


@pytest.mark.parametrize(
    ("kind", "line", "place"),
    [
        (TOGGLE, ODD, Place("hdl/thing.py", 12, TOGGLE, "odd.name")),
        (TOGGLE, GO, Place("hdl/thing.py", 10, TOGGLE, "go")),  # declared in a library: the module's own line
        (BRANCH, BY_OPERATION, Place("hdl/thing.py", 20, BRANCH, "odd.name")),
        (BRANCH, BY_SIGNAL, Place("hdl/thing.py", 12, BRANCH, "odd.name")),  # where what it decides is declared
        (BRANCH, ARTEFACT, None),
    ],
)
def test_a_point_finds_its_source_line(kind, line, place):
    assert SourceMap(VERILOG).place(kind, line) == place


def test_runs_of_a_build_are_added_and_the_better_build_counts(tmp_path):
    one = read_points(write(tmp_path / "a.dat", *FIRST))
    two = read_points(write(tmp_path / "b.dat", point(BRANCH, BY_OPERATION, "else", 7, 6)))
    place = Place("hdl/thing.py", 20, BRANCH, "odd.name")
    assert add_up({VERILOG: [one]})[place] == Share(1, 2, ("else",))
    assert add_up({VERILOG: [one, two]})[place] == Share(2, 2)
    other = VERILOG + "// another build\n"
    for order in ({VERILOG: [one], other: [one, two]}, {other: [one, two], VERILOG: [one]}):
        assert add_up(order)[place] == Share(2, 2)


def test_the_page_names_what_is_missing(tmp_path):
    (tmp_path / "hdl").mkdir()
    (tmp_path / "hdl" / "thing.py").write_text("\n".join(f"line {n} < here" for n in range(1, 31)))
    tally = add_up({VERILOG: [read_points(write(tmp_path / "a.dat", *FIRST))]})
    text = page(tally, tmp_path, "a test")
    assert "line 12: signal odd.name: 1 of 2, not [1]:0-&gt;1" in text
    assert "line 20: decision of odd.name: 1 of 2, not else" in text
    assert "line 12: decision of odd.name: 0 of 1, not if" in text
    assert "signal go:" not in text
    assert "<span class='line part' title='1 of 2'><span class=number>20</span>line 20 &lt; here</span>" in text
    assert per_file(tally)["hdl/thing.py"] == {BRANCH: Share(1, 3), TOGGLE: Share(3, 4)}


def test_percent_never_rounds_up():
    assert [percent(Share(*numbers)) for numbers in ((999, 1000), (5, 5), (0, 0))] == ["99 %", "100 %", "-"]


@pytest.mark.long
def test_a_bench_from_end_to_end(tmp_path, monkeypatch, capsys):
    """The encapsulator's bench: what it exercises is in the page, by lines of its source."""
    monkeypatch.setattr(coverage, "PLACE", tmp_path)
    assert coverage.main(["--test", "encapsulator", "--seed", "5", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert "hdl/encapsulator/encapsulator.py" in answer["files"]
    for kind in (BRANCH, TOGGLE):
        assert 0.8 < answer[kind]["covered"] / answer[kind]["total"] <= 1
        assert answer[kind]["total"] == sum(each[kind]["total"] for each in answer["files"].values())
    for gap in answer["not_covered"]:
        source = (ROOT / gap["file"]).read_text().splitlines()
        assert 1 <= gap["line"] <= len(source) and gap["missing"]
    text = (tmp_path / "index.html").read_text()
    assert "class Encapsulator" in text and text.count("<span class='line full'") > 20


def test_the_pump_tells_what_it_exercised(tmp_path):
    """The stand-in NIC: without a frame its copies never toggle, with one they do."""
    design = StandIn(32)
    verilog = to_verilog(design, "standin", source_lines=True)
    library = build_library(verilog, "standin", ports_of(design), coverage=True)
    passed = []
    for number, frames in enumerate(([], [Frame(bytes(60), Direction.INGRESS)])):
        pump = Pump(library)
        pump.run(frames, Pacing())
        pump.write_coverage(tmp_path / f"{number}.dat")
        pump.close()
        points = read_points(tmp_path / f"{number}.dat")
        (count,) = [
            count
            for (kind, _, _, what), count in points.items()
            if kind == TOGGLE and what.startswith("m_axis_net_tvalid") and "0->1" in what
        ]
        passed.append(count)
    assert passed[0] == 0 < passed[1]
