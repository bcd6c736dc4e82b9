"""Two directions of made-up traffic past the ports of `Counters`, and what an accountant would write down of it.

Nothing here knows how the gateware counts: frames are kept in lists with the clock in which they passed each place, and
tables are made of them by the words of docs/mirroring.md section 9.
"""

import random
from collections import Counter, deque
from dataclasses import dataclass

NONE = 255
MIRRORED, MALFORMED, NO_ENI, NO_MATCH, REJECTED, CONGESTED, TARGET_DOWN = 0, 1, 2, 8, 7, 11, 12
VERDICT, SESSION, RULE, PORT = range(4)
NETWORK_IN, NETWORK_OUT, HOST_IN, HOST_OUT, COPIES_OUT = range(5)
WAYS = ((NETWORK_IN, HOST_OUT), (HOST_IN, NETWORK_OUT))
"""Ports of a direction: in, out."""


@dataclass
class Passing:
    """A frame, with what becomes of it."""

    direction: int
    length: int
    bad: bool
    octets: int
    verdict: int
    eni: int = NONE
    session: int = NONE
    rule: int = NONE

    def record(self):
        return {
            "verdict": self.verdict,
            "direction": self.direction,
            "eni": self.eni,
            "session": self.session,
            "rule": self.rule,
        }


def random_frame(source, direction, enis, rules):
    """A frame with a random fate."""
    length = source.choice([1, 14, 60, 64, 1500, 9216, 65535])
    if source.random() < 0.15:
        return Passing(direction, length, source.random() < 0.7, length, MALFORMED)
    if source.random() < 0.1:
        return Passing(direction, length, False, length, NO_ENI)
    eni = source.choice([0, 0, enis - 1, source.randrange(enis)])
    verdict = source.choice([MIRRORED, MIRRORED, MIRRORED, CONGESTED, CONGESTED, NO_MATCH, REJECTED, TARGET_DOWN])
    if verdict == NO_MATCH:
        return Passing(direction, length, False, length, verdict, eni)
    octets = source.choice([length, min(length, 128)]) if verdict in (MIRRORED, CONGESTED) else length
    rule = source.choice([0, 0, min(1, rules - 1), rules - 1, NONE])  # none: Amazon's DNS, which no rule decides
    rule = 0 if rule == NONE and verdict == REJECTED else rule
    return Passing(direction, length, False, octets, verdict, eni, source.choice([0, 0, 1, 2]), rule)


def tables(frames, copies, enis, rule_bits=4):
    """{(group, index): (frames, bytes)} of frames that have passed everything, and of copies (bytes each).

    ``enis`` is already a power of two. Verdicts, sessions and rules as section 9 has them; the ports by hand.
    """
    sums = Counter()
    octets = Counter()

    def count(group, index, length):
        sums[group, index] += 1
        octets[group, index] += length

    for frame in frames:
        way = frame.direction
        count(VERDICT, way * 16 + frame.verdict, frame.octets)
        if frame.session != NONE:
            place = (way * enis + frame.eni) * 4 + frame.session
            if frame.verdict == MIRRORED:
                count(SESSION, place, frame.octets)
            if frame.verdict == CONGESTED:
                count(SESSION, place + 2 * enis * 4, frame.octets)
            if frame.rule != NONE:
                count(RULE, (place << rule_bits) + frame.rule, frame.octets)
        for port in WAYS[way]:
            count(PORT, port * 2 + frame.bad, frame.length)
    for length in copies:
        count(PORT, COPIES_OUT * 2, length)
    return {key: (sums[key], octets[key]) for key in sums}


class Wire:
    """Traffic, clock by clock.

    ``rate`` is the probability that a frame enters in a clock, per direction; ``hold`` that a frame that could leave,
    or be judged, waits; ``latency`` clocks pass at least from entering to verdict; at most ``under_way`` frames of a
    direction wait; one of ``matchers`` judges both directions in turn. ``stuck`` keeps a direction's frames from
    leaving. ``frame`` makes the frames.
    """

    def __init__(
        self, seed, *, rate=0.5, hold=0.3, latency=9, enis=1, rules=10, under_way=60, frame=random_frame, matchers=1
    ):
        self.source = random.Random(seed)
        self.rate, self.hold, self.latency, self.enis, self.rules = rate, hold, latency, enis, rules
        self.under_way, self._frame, self.matchers = under_way, frame, matchers
        self.clock = 0
        self.frames = ([], [])  # in the order in which they entered
        self.entered = ([], [])  # clocks
        self.unjudged, self.inside = (deque(), deque()), (deque(), deque())
        self.judged, self.left = [0, 0], [0, 0]
        self.copies, self.copied = [], []  # bytes and clocks of the copies
        self.stuck = [False, False]
        self.on = True

    def step(self):
        """What happens in this clock: ({port: frame or None}, {direction: record or None})."""
        ports, records = dict.fromkeys(range(5)), [None, None]
        turns = range(2) if self.matchers == 2 else [self.source.randrange(2)]
        for way in range(2):
            if way in turns and self._goes(self.unjudged[way], self.latency):
                records[way] = self.unjudged[way].popleft()[1]
                self.judged[way] += 1
            if not self.stuck[way] and self._goes(self.inside[way], 1):
                ports[WAYS[way][1]] = self.inside[way].popleft()[1]
                self.left[way] += 1
            room = len(self.unjudged[way]) < self.under_way and len(self.inside[way]) < self.under_way
            if self.on and room and self.source.random() < self.rate:
                frame = self._frame(self.source, way, self.enis, self.rules)
                self.frames[way].append(frame)
                self.entered[way].append(self.clock)
                self.unjudged[way].append((self.clock, frame))
                self.inside[way].append((self.clock, frame))
                ports[WAYS[way][0]] = frame
        if self.on and self.source.random() < self.rate / 2:
            length = self.source.choice([110, 178, 9000])
            self.copies.append(length)
            self.copied.append(self.clock)
            ports[COPIES_OUT] = Passing(0, length, False, length, 0)
        self.clock += 1
        return ports, records

    def _goes(self, queue, clocks):
        return bool(queue) and self.clock - queue[0][0] >= clocks and self.source.random() >= self.hold

    @property
    def quiet(self):
        return not any(self.unjudged) and not any(self.inside)
