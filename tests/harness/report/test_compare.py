"""Agreement of two engines: what counts as a difference, and what congestion excuses."""

from copy import deepcopy
from dataclasses import replace

from halfsilver.harness.engine import Result
from halfsilver.harness.records import Counters, Output, Port, Tally
from halfsilver.harness.report.compare import compare
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord

IN, OUT = Direction.INGRESS, Direction.EGRESS
COPY = bytes(12) + b"\x08\x00" + b"\x45" + bytes(85)


def result() -> Result:
    """Frame 0 mirrored by ENI 0, session 0, rule 1 (100 bytes, 50 copied); frame 1, egress, not IP."""
    records = [
        VerdictRecord(0, IN, Verdict.MIRRORED, 100, eni=0, session=0, rule=1, copied=50, generation=1),
        VerdictRecord(0, OUT, Verdict.NOT_IP, 60, eni=0, generation=1),
    ]
    counters = Counters(
        {(IN, Verdict.MIRRORED): Tally(1, 50), (OUT, Verdict.NOT_IP): Tally(1, 60)},
        {(IN, 0, 0): Tally(1, 50)},
        {},
        {(IN, 0, 0, 1): Tally(1, 50)},
        {
            **{(port, False): Tally(1, 100) for port in (Port.NETWORK_IN, Port.HOST_OUT)},
            **{(port, False): Tally(1, 60) for port in (Port.HOST_IN, Port.NETWORK_OUT)},
            (Port.COPIES_OUT, False): Tally(1, 100),
        },
    )
    return Result([Output(0, COPY)], records, counters)


def congested() -> Result:
    """The same frames where frame 0's copy found no room."""
    other = result()
    other.outputs.clear()
    other.verdicts[0] = replace(other.verdicts[0], verdict=Verdict.CONGESTED, copied=0)
    other.counters.verdicts = {(IN, Verdict.CONGESTED): Tally(1, 50), (OUT, Verdict.NOT_IP): Tally(1, 60)}
    other.counters.skipped, other.counters.sessions = other.counters.sessions, {}
    del other.counters.ports[Port.COPIES_OUT, False]
    return other


def test_equal_results_agree():
    assert compare(result(), deepcopy(result())) == []


def test_each_record_field_is_compared():
    changes = {
        "sequence": 7,
        "direction": OUT,
        "verdict": Verdict.NO_MATCH,
        "length": 99,
        "eni": 1,
        "session": 1,
        "rule": None,
        "copied": 49,
        "generation": 2,
    }
    for name, value in changes.items():
        other = result()
        other.verdicts[0] = replace(other.verdicts[0], **{name: value})
        differences = compare(result(), other, first_frame=41)
        assert [(d.frame, d.what, d.field, d.second) for d in differences] == [
            (41, "verdict", name, "none" if value is None else str(value))
        ]


def test_first_differing_byte_of_a_copy_is_named():
    other = result()
    other.outputs[0] = Output(0, COPY[:22] + b"\x40" + COPY[23:])
    (difference,) = compare(result(), other)
    assert (difference.frame, difference.offset) == (1, 22)
    assert difference.describe() == "frame 1: copy byte 22, IPv4 time to live: golden 0x00, verilator 0x40"


def test_shorter_missing_and_extra_copies():
    other = result()
    other.outputs[0] = Output(0, COPY[:-1])
    assert [(d.offset, d.first, d.second) for d in compare(result(), other)] == [(99, "100 bytes", "99 bytes")]
    other.outputs.clear()
    assert [(d.frame, d.first, d.second) for d in compare(result(), other)] == [(1, "1", "0")]
    other.outputs[:] = [Output(0, COPY), Output(1, COPY), Output(1, COPY)]
    assert [(d.frame, d.first, d.second) for d in compare(result(), other)] == [(2, "0", "2")]


def test_missing_verdicts_are_a_difference():
    other = result()
    other.verdicts.pop()
    assert [(d.what, d.first, d.second) for d in compare(result(), other)] == [("verdicts", "2", "1")]


def test_each_counter_is_compared():
    for name in ("verdicts", "sessions", "skipped", "rules", "ports"):
        for change in ("frames", "octets"):
            one, other = result(), result()
            for each in (one, other):
                each.counters.skipped[OUT, 1, 1] = Tally(2, 20)
            tally = next(iter(getattr(other.counters, name).values()))
            setattr(tally, change, getattr(tally, change) + 1)
            assert len(compare(one, other)) == 1, (name, change)
        getattr(other.counters, name).clear()
        assert compare(one, other)


def test_congestion_is_a_difference_unless_allowed():
    assert compare(result(), congested())
    assert compare(result(), congested(), congestion=True) == []
    assert compare(result(), result(), congestion=True) == []


def test_congestion_excuses_nothing_else():
    other = congested()
    other.verdicts[0] = replace(other.verdicts[0], rule=0)
    assert [d.field for d in compare(result(), other, congestion=True)] == ["rule"]

    other = congested()
    other.outputs.append(Output(0, COPY))  # a copy after all
    assert [d.what for d in compare(result(), other, congestion=True)] == ["copy"]

    other = congested()
    other.counters.verdicts[(IN, Verdict.CONGESTED)] = Tally(1, 100)  # not the bytes that would have been copied
    assert len(compare(result(), other, congestion=True)) == 2  # golden's verdicts, and the sum of what was skipped

    other = congested()
    other.counters.sessions[IN, 0, 0] = Tally(1, 50)  # counted as sent all the same
    assert [d.what for d in compare(result(), other, congestion=True)] == [
        "session counter (sent and skipped together)",
        "port counter",
    ]

    other = congested()
    other.counters.skipped = {(OUT, 0, 0): Tally(1, 50)}  # skipped in the other direction
    assert {d.what for d in compare(result(), other, congestion=True)} == {
        "session counter (sent and skipped together)"
    }

    for port in (Port.HOST_OUT, Port.NETWORK_IN):
        other = congested()
        other.counters.ports[port, False] = Tally(2, 200)
        assert [d.what for d in compare(result(), other, congestion=True)] == ["port counter"]

    other = congested()
    other.verdicts[1] = replace(other.verdicts[1], verdict=Verdict.CONGESTED)  # the model did not mirror it
    assert [(d.frame, d.field) for d in compare(result(), other, congestion=True)] == [(2, "verdict")]
