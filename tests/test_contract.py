"""Host and gateware write the same record down independently; here the two are held against each other."""

import pytest

from halfsilver.harness import law
from halfsilver.harness import verdict as host
from halfsilver.hdl.layout import frames, outer
from halfsilver.hdl.layout import verdict as gateware


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (host.Verdict, gateware.VerdictCode),
        (host.Service, gateware.ServiceCode),
        (host.Direction, gateware.DirectionCode),
    ],
)
def test_codes_agree(ours, theirs):
    assert {member.name: member.value for member in ours} == {member.name: member.value for member in theirs}


def test_numbers_agree():
    assert (law.SHORTEST_FRAME, law.LONGEST_FRAME) == (frames.MIN_FRAME, frames.MAX_FRAME) == (14, 9216)
    assert (law.FLOOR_IPV4, law.FLOOR_IPV6) == (frames.FLOOR_IPV4, frames.FLOOR_IPV6) == (35, 55)
    assert law.VXLAN_PORT == outer.VXLAN_PORT == 4789


def test_the_wire_form_is_the_gateware_layout():
    values = {
        "sequence": 0x04030201,
        "length": 0x0605,
        "copied": 0x0807,
        "verdict": 0,
        "service": 6,
        "direction": 1,
        "eni": 12,
        "session": 2,
        "rule": 9,
        "generation": 0x100F,
    }
    wire = gateware.VERDICT_RECORD.pack(**values).to_bytes(16, "little")
    assert wire == bytes.fromhex("01020304 0506 0708 00 06 01 0c 02 09 0f10")
    record = host.VerdictRecord.from_bytes(wire)
    assert (record.sequence, record.length, record.copied) == (0x04030201, 0x0605, 0x0807)
    assert (record.eni, record.session, record.rule, record.generation) == (12, 2, 9, 0x100F)
    assert record.service is host.Service.AMAZON_DNS
    assert record.direction is host.Direction.EGRESS
    assert record.to_bytes() == wire


def test_none_and_nonsense():
    empty = host.VerdictRecord(sequence=0, direction=host.Direction.INGRESS, verdict=host.Verdict.NO_ENI, length=60)
    assert empty.to_bytes()[11:14] == b"\xff\xff\xff"
    assert host.VerdictRecord.from_bytes(empty.to_bytes()) == empty
    with pytest.raises(ValueError, match="16 bytes"):
        host.VerdictRecord.from_bytes(b"")
    with pytest.raises(ValueError, match="99"):
        host.VerdictRecord.from_bytes(bytes(8) + b"\x63" + bytes(7))
