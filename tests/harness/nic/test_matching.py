"""Verdict records and copies find their frames, or say what is wrong."""

import pytest

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.nic.matching import VerdictMatcher, match_copies
from halfsilver.harness.records import Frame, Output
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from tests.harness.golden.golden_kit import ENI_0, engine, interface, outer, policy, session

IN, OUT = Direction.INGRESS, Direction.EGRESS
PEER = "02:00:00:00:00:99"


def record(sequence, direction=IN, verdict=Verdict.NO_MATCH, **fields):
    return VerdictRecord(sequence=sequence, direction=direction, verdict=verdict, length=60, **fields)


def wires(*records):
    return [each.to_bytes() for each in records]


FRAMES = [Frame(bytes(60), IN), Frame(bytes(60), OUT), Frame(bytes(60), IN)]


def test_each_direction_has_its_own_order():
    matcher = VerdictMatcher()
    first, second, other = record(0), record(1, verdict=Verdict.DROPPED), record(0, OUT)
    assert matcher.match(FRAMES, wires(other, first, second)) == [first, other, second]
    assert [each.sequence for each in matcher.match(FRAMES, wires(record(2), record(3), record(1, OUT)))] == [2, 1, 3]


def test_sequence_numbers_wrap():
    matcher = VerdictMatcher(start=0xFFFFFFFF)
    assert len(matcher.match(FRAMES[::2], wires(record(0xFFFFFFFF), record(0)))) == 2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (wires(record(0), record(0, OUT)), "2 ingress frames were offered, 1 verdicts came"),
        (wires(record(0), record(1), record(2), record(0, OUT)), "2 ingress frames were offered, 3 verdicts came"),
        (wires(record(0), record(2), record(0, OUT)), r"frame 3 of the batch \(ingress\) has sequence number 2, not 1"),
        (wires(record(1), record(0), record(0, OUT)), r"frame 1 of the batch \(ingress\) has sequence number 1, not 0"),
        ([b"\xff" * 16], "verdict record f{32} makes no sense"),
        ([b"short"], "makes no sense: a verdict record is 16 bytes"),
    ],
)
def test_what_does_not_fit_the_frames(answer, says):
    with pytest.raises(HalfsilverError, match=says):
        VerdictMatcher().match(FRAMES, answer)


def judged(payloads, to=None):
    """Frames of both directions, their verdicts and copies, by the golden model."""
    model_policy = policy(interface(session(to=to or outer())))
    model = engine(*model_policy.interfaces)
    frames = []
    for direction, payload in payloads:
        ends = (ENI_0, PEER) if direction is IN else (PEER, ENI_0)
        header = bytes.fromhex("".join(ends).replace(":", "")) + b"\x08\x00"
        ip = bytes.fromhex("4500001400000000401100000a0000010a000002")
        frames.append(Frame(header + ip + payload, direction))
    result = model.process(frames)
    assert len(result.outputs) == len(frames)
    return model_policy, frames, result


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 0, 3, 2), (1, 3, 0, 2), (0, 2, 1, 3)])
@pytest.mark.parametrize("family", ["10.9.0", "2001:db8:"])
def test_bytes_tell_the_direction(order, family):
    """In any order that keeps the order within a direction."""
    ends = ("10.9.0.1", "10.9.0.2") if family == "10.9.0" else ("2001:db8::1", "2001:db8::2")
    to = outer(*ends)
    model_policy, frames, result = judged([(IN, b"a"), (OUT, b"b"), (IN, b"c"), (OUT, b"d")], to)
    copies = [result.outputs[index].data for index in order]
    outputs = match_copies(frames, result.verdicts, copies, model_policy, in_input_order=False)
    assert outputs == [Output(index, result.outputs[index].data) for index in order]


def test_in_input_order_nothing_is_guessed():
    model_policy, frames, result = judged([(IN, b"a"), (OUT, b"b")])
    copies = [b"anything", b"else"]
    outputs = match_copies(frames, result.verdicts, copies, model_policy, in_input_order=True)
    assert outputs == [Output(0, b"anything"), Output(1, b"else")]


@pytest.mark.parametrize("in_input_order", [True, False])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_copies_too_many_or_missing(in_input_order, count):
    model_policy, frames, result = judged([(IN, b"a"), (OUT, b"b")])
    with pytest.raises(HalfsilverError, match=f"2 frames were mirrored by their verdicts, {count} copies came"):
        match_copies(frames, result.verdicts, [b"x"] * count, model_policy, in_input_order=in_input_order)
