"""What a page gathers is bounded, and loses nothing of the sums."""

from __future__ import annotations

from collections import Counter
from random import Random

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.engine import Result
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.policy.types import Outer, Session
from halfsilver.harness.records import Counters, Output
from halfsilver.harness.report.page.charts import HEIGHT, stacked
from halfsilver.harness.report.page.cuts import Cut, cut_of
from halfsilver.harness.report.page.gathering import COPIES, PER_FATE, SAMPLES, Gatherer
from halfsilver.harness.report.page.layers import SHOWN, layers_of
from halfsilver.harness.report.page.talkers import KEPT, Talkers, endpoints, in_words
from halfsilver.harness.report.page.timeline import BARS, Timeline
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from tests.harness.commands.cli_kit import FRAMES

IN = Direction.INGRESS


def record(verdict: Verdict = Verdict.NO_MATCH, length: int = 60, **more: int) -> VerdictRecord:
    return VerdictRecord(0, IN, verdict, length, **more)


def test_any_times_are_at_most_a_hundred_bars_and_nothing_is_lost():
    random = Random(5)
    for span in (1, 999, 10**6, 12_345_678_901, 3 * 10**18):
        line, due = Timeline(), Counter()
        for _ in range(500):
            time, name, amount = random.randrange(span), random.choice("ab"), random.randrange(1, 9)
            line.add(time, name, amount)
            due[name] += amount
        bars = list(line.bars())
        assert 1 <= len(bars) <= BARS
        assert sum((bar.amounts for bar in bars), Counter()) == due
        assert all(one.start + one.width == two.start for one, two in zip(bars, bars[1:], strict=False))
        assert bars[0].start <= line.first and line.last < bars[-1].start + bars[-1].width


def test_a_bar_has_what_came_in_its_time():
    line = Timeline()
    for time in (250, 10, 30_000, 30_999, 0):
        line.add(time * 1_000_000, "a", time + 1)
    assert [(bar.start // 10**6, bar.amounts["a"]) for bar in line.bars() if bar.amounts] == [
        (0, 263),
        (30_000, 30_001),
        (30_500, 31_000),
    ]
    assert list(Timeline().bars()) == []


def test_too_many_talkers_are_summed_up_as_others():
    talkers = Talkers()
    for number in range(3 * KEPT):
        frame = bytes(6) + (number if number % 2 else 1).to_bytes(6, "big") + bytes(48)
        talkers.add(frame, number + 1, record())
    top, others = talkers.top(10)
    assert in_words(top[0][0].source) == "00:00:00:00:00:01" and top[0][1].frames == 3 * KEPT // 2 + 1
    assert sum(part.frames for _, part in top) + others.frames == 3 * KEPT
    assert sum(part.octets for _, part in top) + others.octets == 3 * KEPT * 60


def test_endpoints_are_of_the_outermost_ip_header_or_of_ethernet():
    words = [tuple(map(in_words, endpoints(frame))) for frame in (FRAMES[0], FRAMES[3], b"\x01")]
    assert words == [("10.0.9.9", "10.0.0.10"), ("0a:00:00:00:00:01", "0a:00:00:00:00:10"), ("?", "01")]
    assert in_words(bytes(15) + b"\x01") == "::1"


def test_which_limit_cut_a_copy():
    outer = Outer(bytes(6), bytes(6), None, None, 1460)
    session = Session("tms-1", 1, "tmf-1", "tmt-1", 7, 200, False, (), (), outer, None)
    lengths = {(200, 200): Cut.WHOLE, (201, 200): Cut.PACKET_LENGTH, (1500, 1460): Cut.MTU, (60, 35): Cut.OTHER}
    for (length, copied), cut in lengths.items():
        assert cut_of(record(Verdict.MIRRORED, length, copied=copied), session) is cut


def test_samples_are_the_first_of_each_fate():
    gather = Gatherer(Policy(()))
    fates = [record(rule=number % (2 * SAMPLES), session=0, eni=0) for number in range(5 * SAMPLES)]
    batch = [CapturedFrame(bytes(60), number, 60) for number in range(len(fates))]
    gathering = gather(batch, Result([Output(0, b"copy")], fates, Counters()), 1)
    assert [sample.number for sample in gathering.samples] == list(range(1, SAMPLES + 1))
    assert gathering.samples[0].copies == (b"copy",)
    assert sum(bar.amounts[COPIES] for bar in gathering.timeline.bars()) == 4
    verdicts = [record(), record(), record(), record(eni=0), record(), record(eni=0)]
    few = gather(batch[:6], Result([], verdicts, Counters()), 1)
    assert PER_FATE == 2 and [sample.number for sample in few.samples] == [1, 2, 4, 6]


def test_pieces_of_a_bar_stand_on_each_other():
    chart = stacked(
        "n", "Title", "bytes", {"x": "one", "y": "two"}, [("first", {"x": 3, "y": 1}), ("second", {"y": 2})]
    )
    assert chart.top == 4 and HEIGHT == 100
    assert [(piece.style, piece.y, piece.height) for piece in chart.columns[0].pieces] == [("x", 25, 75), ("y", 0, 25)]
    assert [(piece.style, piece.y, piece.height) for piece in chart.columns[1].pieces] == [("y", 50, 50)]
    assert chart.description == "In bytes, in all: one 3, two 3; the highest of 2 bars is 4, first."
    assert stacked("n", "Title", "bytes", {}, []).columns == ()


def test_layers_have_every_byte_once():
    layers = layers_of(FRAMES[0])
    assert [layer.name for layer in layers] == ["Ethernet", "IPv4", "TCP"]
    assert sum(layer.length for layer in layers) == len(FRAMES[0])
    assert layers[1].way == "10.0.9.9 → 10.0.0.10" and layers[2].way == "1000 → 443"
    assert layers[2].lines[-1].octets == bytes(SHOWN).hex(" ") + " … and 136 more"
