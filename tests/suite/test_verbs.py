"""The verbs of the suite: what they say yes and no to, and that any fault of an engine fails a case."""

from __future__ import annotations

import pytest

from halfsilver.harness.errors import CapacityExceeded, UsageError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags
from halfsilver.harness.suite.cases import case_folders, read_case
from halfsilver.harness.suite.engines import EngineUnderTest
from halfsilver.harness.suite.mask import Mask, differences
from halfsilver.harness.suite.nic import Mismatch, Nic
from halfsilver.harness.suite.run import run_case
from tests.suite.case_kit import (
    ALL,
    WAY,
    flow_of,
    interface,
    into,
    out,
    outer_headers,
    policy,
    rules,
    session,
    tcp,
    udp,
)
from tests.suite.suite_kit import (
    Small,
    Tiny,
    change_a_record,
    double_a_copy,
    drop_a_copy,
    engine_with,
    flip_a_byte,
    forget_to_count,
    lengthen_a_copy,
    lose_production,
    no_fault,
    swap_verdicts,
)

POLICY = Policy.from_documents(policy(rules((ALL[0] | {"Protocol": 6},), ALL)))
CASES = {folder.name: read_case(folder) for folder in case_folders()}


def copy_of(packet) -> bytes:
    return bytes.fromhex("".join(outer_headers(WAY, flow_of(packet), bytes(packet)))) + bytes(packet)


@pytest.fixture
def nic() -> Nic:
    return Nic(engine_with(), POLICY, Flags())


# What the verbs say.


def test_a_copy_and_none(nic):
    nic.send_packet(into(tcp()))
    nic.verify_copy(copy_of(into(tcp())))
    nic.verify_verdict("mirrored", rule=10, session="tms-1", eni="eni-10", service=None, copied=74, direction="ingress")
    with pytest.raises(Mismatch, match="frame 1: 1 copies of it, and none was expected"):
        nic.verify_no_copy()
    nic.send_packet(into(udp()))
    nic.verify_no_copy()
    with pytest.raises(Mismatch, match=r"frame 2: no copy \(no-match\), and one was expected"):
        nic.verify_copy(copy_of(into(udp())))
    nic.verify_production()
    nic.verify_records()


def test_verbs_speak_of_the_last_frame_or_of_the_one_that_is_named(nic):
    first = nic.send_packet(into(tcp()))
    nic.send_packet(into(udp()))
    nic.verify_copy(copy_of(into(tcp())), first)
    nic.verify_no_copy()


def test_the_first_line_says_what_differs(nic):
    nic.send_packet(into(tcp()))
    wrong = bytearray(copy_of(into(tcp())))
    wrong[22] = 64
    with pytest.raises(
        Mismatch, match=r"frame 1: copy differs: outer IPv4 time to live \(byte 22\): expected 40, got ff"
    ):
        nic.verify_copy(bytes(wrong))
    assert nic.failed is not None and nic.failed.sent is nic.sent[0]


def test_a_direction_is_chosen_by_the_source_address(nic):
    """Rule 2.6 of docs/mirroring.md."""
    assert str(nic.send_packet(out(tcp())).record.direction) == "egress"
    assert str(nic.send_packet(into(tcp())).record.direction) == "ingress"
    assert str(nic.send_packet(out(tcp()), "ingress").record.verdict) == "no-eni"


def test_marks_go_along(nic):
    nic.send_packet(into(tcp()), dropped=True)
    nic.verify_verdict("dropped")
    nic.send_packet(into(tcp()), bad=True)
    nic.verify_verdict("malformed")


def test_another_policy(nic):
    nic.send_packet(into(udp()))
    nic.change_policy(Policy.from_documents(policy(rules(ALL, ALL))))
    nic.send_packet(into(udp()))
    assert [str(sent.record.verdict) for sent in nic.sent] == ["no-match", "mirrored"]
    assert nic.sent[1].generation == nic.sent[0].generation + 1
    assert "no rule matches" in nic.explain(nic.sent[0]) and "mirrored" in nic.explain()
    nic.verify_records()


def test_nothing_to_speak_of(nic):
    with pytest.raises(UsageError, match="nothing was sent yet"):
        nic.verify_no_copy()
    with pytest.raises(UsageError, match="without bytes"):
        nic.send_packet(b"")


# Masks.


def test_a_masked_field_is_not_compared():
    copy = copy_of(into(tcp()))
    other = copy[:34] + b"\x12\x34" + copy[36:]
    assert [str(each.field.name) for each in differences(Mask(copy), other)] == ["outer UDP source port"]
    assert differences(Mask(copy).ignore("outer UDP source port"), other) == []
    assert differences(Mask(copy).ignore_bytes(35, 36), other) != []
    assert differences(Mask(copy).ignore_bytes(34, 36), other) == []


def test_a_length_is_never_masked():
    copy = copy_of(into(tcp()))
    for other in (copy + b"\0", copy[:-1]):
        assert differences(Mask(copy).ignore("inner TCP payload"), other) != []


def test_a_field_that_is_not_there():
    copy = copy_of(into(tcp()))
    with pytest.raises(UsageError, match="no field 'outer UDP sourceport'; did you mean outer UDP source port?"):
        Mask(copy).ignore("outer UDP sourceport")
    with pytest.raises(UsageError, match="bytes 10 to 9999 are not in a copy of 124 bytes"):
        Mask(copy).ignore_bytes(10, 9999)


# Any fault of an engine fails a case.

FAULTS = {
    "outer MAC address": flip_a_byte(0),
    "outer TTL": flip_a_byte(22),
    "source port": flip_a_byte(35),
    "VNI": flip_a_byte(48),
    "last byte of the frame": flip_a_byte(-1),
    "copy dropped": drop_a_copy,
    "copy twice": double_a_copy,
    "copy too long": lengthen_a_copy,
    "verdicts swapped": swap_verdicts,
    "sequence number": change_a_record(sequence=77),
    "generation": change_a_record(generation=77),
    "length": change_a_record(length=1),
    "copied": change_a_record(copied=1),
    "session": change_a_record(session=1),
    "rule": change_a_record(rule=1),
    "interface": change_a_record(eni=1),
    "production": lose_production,
    "counters": forget_to_count,
}


def run(name: str, fault) -> None:
    engine = engine_with(fault)
    run_case(CASES[name], lambda policy, flags: Nic(engine, policy, flags))


def test_without_a_fault_cases_pass():
    for name in ("mac-decides-whose", "outer-ipv6", "metrics-by-direction", "rule-set-changes-between-frames"):
        run(name, no_fault)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_fails(fault):
    with pytest.raises(Mismatch):
        run("rules-in-ascending-number", fault)


@pytest.mark.parametrize("name", sorted(CASES))
def test_no_case_passes_whatever_an_engine_does(name):
    """Of each case a changed byte, a lost copy or a changed record is seen."""
    mirrors = any(expected.outer is not None for expected in CASES[name].frames)
    for fault in (flip_a_byte(20), drop_a_copy) if mirrors else ():
        with pytest.raises(Mismatch):
            run(name, fault)
    with pytest.raises(Mismatch):
        run(name, change_a_record(session=2, eni=7))


# Engines.


def with_interfaces(*numbers: int) -> Policy:
    return Policy.from_documents(
        policy(rules(ALL, ALL), interfaces=[interface(each) for each in (*numbers, 40)], sessions=[session()])
    )


def test_an_engine_without_room_is_opened_anew():
    opened = []

    def make(name, seed):
        opened.append(Small())
        return opened[-1]

    engine = EngineUnderTest("golden", 1, make)
    Nic(engine, with_interfaces(10), Flags()).send_packet(into(tcp()))
    larger = Nic(engine, with_interfaces(10, 20), Flags())
    larger.send_packet(into(tcp()))
    larger.verify_records()
    assert [each.closed for each in opened] == [True, False]
    engine.close()
    assert engine.identify() is None and opened[1].closed


def test_an_engine_that_never_has_room():
    engine = EngineUnderTest("golden", 1, lambda name, seed: Tiny())
    with pytest.raises(CapacityExceeded):
        Nic(engine, POLICY, Flags())
