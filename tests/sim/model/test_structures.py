"""What Python and the native pump exchange: places of the verdict record, and libraries of another layout."""

import ctypes
import re

import pytest

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.sim.build import build
from halfsilver.sim.native import structures
from halfsilver.sim.pump import Pacing, Pump
from tests.sim.model.standin import StandIn


def constant(name):
    """A number of the generated header."""
    (value,) = re.findall(rf"{name} = (\d+);", structures.header())
    return int(value)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("verdict", Verdict)
def test_the_header_finds_verdict_and_direction_in_the_wire_form(direction, verdict):
    wire = VerdictRecord(0x11223344, direction, verdict, 0x5566, generation=0x7788).to_bytes()
    assert len(wire) == constant("RECORD_SIZE")
    assert wire[constant("RECORD_DIRECTION")] == direction
    assert (wire[constant("RECORD_VERDICT")] == constant("MIRRORED")) == (verdict is Verdict.MIRRORED)


def test_every_structure_is_asserted_by_the_compiler():
    text = structures.header()
    for kind in (structures.Frame, structures.Options, structures.Copy, structures.VerdictAt, structures.Result):
        assert f"static_assert(sizeof({kind.__name__}) == {ctypes.sizeof(kind)});" in text
        for name, *_ in kind._fields_:
            assert f"static_assert(offsetof({kind.__name__}, {name}) == {getattr(kind, name).offset});" in text


def test_a_library_of_another_layout_is_refused(monkeypatch):
    library = build(StandIn(32), "standin")
    pump = Pump(library)
    assert pump.run([Frame(bytes(60), Direction.INGRESS)], Pacing()).copies == [bytes(60)]
    pump.close()
    monkeypatch.setattr(structures, "LAYOUT", structures.LAYOUT.replace("Frame[24]", "Frame[32]"))
    with pytest.raises(HalfsilverError, match=r"was built with another layout .*Frame\[32\]:offset@0"):
        Pump(library)


def test_another_layout_is_another_library(monkeypatch):
    before = build(StandIn(32), "standin")
    monkeypatch.setattr(structures, "LAYOUT", structures.LAYOUT + " ")
    assert build(StandIn(32), "standin") != before
