"""What a user is told while a model compiles: which one, for how long, and what failed."""

import io
import sys

import pytest

from halfsilver.harness.errors import EnvironmentMissing, HalfsilverError
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim import build as builder
from halfsilver.sim.model import compilation
from halfsilver.sim.model.compilation import Compilation

WAIT = [sys.executable, "-c", "import time; time.sleep(1.2)"]


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """An entry of the cache in the making."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = tmp_path / "halfsilver" / ".thing-1.abc"
    place.mkdir(parents=True)
    return place


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_which_model_where_it_is_kept_and_how_long_it_took(scratch, tmp_path, capsys):
    work = Compilation(scratch, "64 bit, 4 interfaces")
    work.run(WAIT, "the C++ compiler")
    work.done()
    first, last = capsys.readouterr().err.splitlines()
    assert first == (
        f"compiling the simulation model: 64 bit, 4 interfaces (about a minute; kept in {tmp_path / 'halfsilver'})"
    )
    assert last == "compiled in 1 s"


def test_progress_is_lines_where_there_is_no_terminal(scratch, monkeypatch, capsys):
    monkeypatch.setattr(compilation, "SAY_EVERY", 0.4)
    for name in ("a.cc", "b.cc", "a.o"):
        (scratch / name).touch()
    Compilation(scratch, "64 bit").run(WAIT, "the C++ compiler")
    told = capsys.readouterr().err
    assert "\r" not in told
    assert 1 <= told.count(" s: C++ compiler, 1 of 2 units\n") <= 3


def test_progress_is_one_line_kept_up_to_date_on_a_terminal(scratch, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    work = Compilation(scratch, "64 bit")
    work.run(WAIT, "Verilator")
    work.done()
    told = terminal.getvalue()
    assert told.count("\n") == 2 and "\r  1 s: Verilator" in told


def test_a_small_thing_is_made_without_a_word(scratch, capsys):
    Compilation(scratch).run(WAIT, "the C++ compiler")
    assert capsys.readouterr().err == ""


def test_what_fails_says_why_and_where_the_rest_is(scratch):
    fail = [sys.executable, "-c", "print('fine'); print('x.cpp:3: error: no such thing'); raise SystemExit(4)"]
    with pytest.raises(HalfsilverError, match=r"failed with exit code 4: x.cpp:3: error: no such thing \(log: (.*)\)"):
        Compilation(scratch, "64 bit").run(fail, "the C++ compiler")
    assert (scratch.parent / "thing-1.log").read_text().startswith("fine\n")


def test_a_missing_program_is_named(scratch):
    with pytest.raises(EnvironmentMissing, match="Verilator is missing: /nowhere/verilator cannot be run"):
        Compilation(scratch, "64 bit").run(["/nowhere/verilator"], "Verilator")


@pytest.mark.parametrize(("enis", "told"), [(1, "8 bit, 1 interface"), (4, "8 bit, 4 interfaces")])
def test_another_size_is_another_model_and_says_so(monkeypatch, enis, told):
    """As when a policy with more interfaces comes along: the line names what is different."""
    asked = []
    monkeypatch.setattr(builder, "build_library", lambda *arguments, what, trace: asked.append(what))
    monkeypatch.setattr(builder, "nic_verilog", lambda parameters: ("", []))
    builder.build_nic.__wrapped__(NicParameters(width=8, enis=enis))
    assert asked == [told]
