"""``make load``: production and copies on one wire, from few copies to more than fit.

Frames of the network come at line rate, those of the host at a part of it, each with its time on the wire, and
every output is busy as long as a MAC would be. A part of the frames is mirrored, so that the copies due need a wanted
share of what production leaves of the network link. Measured are, for each size of frame and load: production that
passes in its time, and copies sent and skipped. What is due, the golden model says; all sums must meet exactly.
Results go to ``build/load.json``; ``--publish`` also writes docs/load.json, from which the figure is made.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, ip_network

from halfsilver.harness.arguments import Parser
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import EXIT_MISMATCH, HalfsilverError
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.matching import VerdictMatcher, match_copies
from halfsilver.harness.policy.policy import Interface, Outer, Policy, Rule, Session
from halfsilver.harness.records import Frame, Tally
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.hdl.layout.frames import WIRE_OVERHEAD
from halfsilver.hdl.layout.outer import PREFIX_IPV4
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.nic import Nic
from halfsilver.sim.build import build_nic
from halfsilver.sim.places import write_results
from halfsilver.sim.pump import Pacing, Passed, Pump, PumpRun

__all__ = ["LOADS", "SIZES", "Point", "check_counters", "main", "measure", "wrong"]

PARAMETERS = NicParameters()

SIZES = {"60": (60,), "64 to 1518": (64, 128, 256, 512, 1024, 1518), "9216": (9216,)}
"""Lengths of frames that are mixed in equal parts, by what the figure calls them."""

LOADS = (0.1, 0.5, 0.9, 1.0, 1.6)
"""Copies due, as a part of what production leaves of the network link."""

HOST_RATE = 0.6
"""Part of the network link that the host's frames need."""

FRAMES = 300
CYCLES = 60_000
"""Each point has so many frames of the network, and takes so many clocks, at least."""

MAC, PEER = bytes.fromhex("020000000010"), bytes.fromhex("020000000099")
PORTS = (4000, 4001)
"""Destination ports of the frames that are mirrored, one for each session."""
OTHER_PORT = 9


@dataclass(frozen=True)
class Point:
    """One size and load. Shares are of 1; ``delays`` are the longest, in clocks; tallies are (frames, bytes).

    load        of the copies due, as it came out
    production  part of the production bytes that passed in its time: to the host in the constant latency, to the
                network within that, the longest copy and the MAC's time for the frame before it
    held        clocks in which a production frame waited to be taken
    due, sent, skipped   copies, their bytes as the counters have them
    """

    size: str
    wanted: float
    load: float
    frames: int
    production: dict[str, float]
    delays: dict[str, int]
    held: int
    due: tuple[int, int]
    sent: tuple[int, int]
    skipped: tuple[int, int]


def measure(size: str, load: float, *, frames_at_least: int = FRAMES, cycles: int = CYCLES, seed: int = 1) -> Point:
    """Run one point; HalfsilverError if a frame, a copy, a verdict or a sum is not as it should be."""
    rng = random.Random(f"{seed} {size} {load}")
    lengths = SIZES[size]
    mean = sum(map(_on_wire, lengths)) / len(lengths)
    frames, starts = _traffic(rng, lengths, load, max(cycles, round(frames_at_least * mean)))
    policy = _policy()
    golden = GoldenEngine(longest_copy=PARAMETERS.cut_copies)
    golden.configure(policy)
    due = golden.process(frames).verdicts
    pump = Pump(build_nic(PARAMETERS), seed=seed)
    try:
        driver = Driver(pump)
        driver.load(policy)
        gap = _beats(WIRE_OVERHEAD)
        run = pump.run(frames, Pacing(full_rate=True, gap=gap), starts=starts)
        records = VerdictMatcher().match(frames, run.verdicts)
        match_copies(frames, records, run.copies, policy, in_input_order=False)
        sent, skipped = _sums(due, records)
        check_counters(driver, sent, skipped)
    finally:
        pump.close()
    passed = {each.frame: each for each in run.passed}
    delays = {way: max(_delays(frames, run.passed, way)) for way in Direction}
    # A copy, its time on the wire included, may go ahead when the MAC is still busy with the frame before it.
    longest = gap + _on_wire(max(lengths) + PREFIX_IPV4)
    late = {Direction.INGRESS: Nic.TO_HOST_LATENCY, Direction.EGRESS: Nic.TO_NET_LATENCY + longest}
    return Point(
        size=size,
        wanted=load,
        load=_load_of(frames, due, starts),
        frames=len(frames),
        production={str(way): _in_time(frames, run.passed, way, late[way]) for way in Direction},
        delays={str(way): delay for way, delay in delays.items()},
        held=sum(passed[number].entered - start - _first(run) for number, start in enumerate(starts)),
        due=_total(record for record in due if record.verdict is Verdict.MIRRORED),
        sent=(sum(tally.frames for tally in sent.values()), sum(tally.octets for tally in sent.values())),
        skipped=(sum(tally.frames for tally in skipped.values()), sum(tally.octets for tally in skipped.values())),
    )


def _first(run: PumpRun) -> int:
    """Cycle in which the batch began: that of the frame that starts at once."""
    return min(each.entered for each in run.passed)


def _beats(octets: int) -> int:
    return -(-octets * 8 // PARAMETERS.width)


def _on_wire(octets: int) -> int:
    """Clocks of the link that a frame of so many bytes needs."""
    return _beats(octets) + _beats(WIRE_OVERHEAD)


def _traffic(rng: random.Random, lengths: Sequence[int], load: float, cycles: int) -> tuple[list[Frame], list[int]]:
    """Frames of both directions and the clocks in which they start. The network's follow one another at line rate."""
    mean = sum(map(_on_wire, lengths)) / len(lengths)
    copy = sum(_on_wire(length + PREFIX_IPV4) for length in lengths) / len(lengths)
    share = load * (1 - HOST_RATE) / ((1 + HOST_RATE) * copy / mean)
    frames: list[Frame] = []
    starts: list[int] = []
    for direction, rate in ((Direction.INGRESS, 1.0), (Direction.EGRESS, HOST_RATE)):
        clock = 0
        mirrored = 0.0
        while clock < cycles:
            length = rng.choice(lengths)
            # As even as can be, so that a short run has the load that was asked for.
            mirrored += share
            is_mirrored = mirrored >= 1
            mirrored -= is_mirrored
            frames.append(_frame(rng, direction, length, rng.choice(PORTS) if is_mirrored else OTHER_PORT))
            starts.append(clock)
            pause = rng.uniform(0, 2) * _on_wire(length) * (1 - rate) / rate if rate < 1 else 0
            clock += _on_wire(length) + round(pause)
    return frames, starts


def _frame(rng: random.Random, direction: Direction, length: int, port: int) -> Frame:
    ends = MAC + PEER if direction is Direction.INGRESS else PEER + MAC
    addresses = rng.randbytes(3) + bytes((1,)) + rng.randbytes(3) + bytes((2,))
    header = (
        bytes((0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0)) + bytes((10,)) + addresses[1:4] + bytes((10,)) + addresses[5:]
    )
    ports = rng.choice((4242, 4243)).to_bytes(2, "big") + port.to_bytes(2, "big") + bytes(4)
    data = ends + b"\x08\x00" + header + ports
    return Frame(data + rng.randbytes(length - len(data)), direction)


def _policy() -> Policy:
    """One interface; a session for each port, both directions, whole frames."""

    def session(number: int, port: int) -> Session:
        everywhere = ip_network("0.0.0.0/0")
        rules = (Rule(f"tmfr-{number}", 1, True, everywhere, everywhere, 17, None, (port, port)),)
        to = Outer(bytes.fromhex("0200000000aa"), MAC, IPv4Address("10.0.1.10"), IPv4Address(f"10.0.3.{number}"), None)
        return Session(
            f"tms-{number}", number, f"tmf-{number}", f"tmt-{number}", number, None, False, rules, rules, to, None
        )

    return Policy((Interface("eni-0", MAC, None, tuple(session(n, port) for n, port in enumerate(PORTS, 1))),))


def _load_of(frames: Sequence[Frame], due: Sequence[VerdictRecord], starts: Sequence[int]) -> float:
    """What the copies due need of what the host's frames leave of the link."""
    clocks = max(start + _on_wire(len(frame.data)) for frame, start in zip(frames, starts, strict=True))
    own = sum(_on_wire(len(frame.data)) for frame in frames if frame.direction is Direction.EGRESS)
    copies = sum(_on_wire(record.copied + PREFIX_IPV4) for record in due if record.verdict is Verdict.MIRRORED)
    return copies / (clocks - own)


def _delays(frames: Sequence[Frame], passed: Sequence[Passed], way: Direction) -> list[int]:
    return [each.begun - each.entered for each in passed if frames[each.frame].direction is way]


def _in_time(frames: Sequence[Frame], passed: Sequence[Passed], way: Direction, latest: int) -> float:
    mine = [each for each in passed if frames[each.frame].direction is way]
    in_time = sum(len(frames[each.frame].data) for each in mine if each.begun - each.entered <= latest)
    return in_time / sum(len(frame.data) for frame in frames if frame.direction is way)


def _total(records: Iterator[VerdictRecord]) -> tuple[int, int]:
    lengths = [record.copied for record in records]
    return len(lengths), sum(lengths)


_Place = tuple[Direction, int]


def _sums(
    due: Sequence[VerdictRecord], records: Sequence[VerdictRecord]
) -> tuple[dict[_Place, Tally], dict[_Place, Tally]]:
    """Copies sent and skipped by direction and session, in bytes of the copies that were due."""
    sent: dict[_Place, Tally] = defaultdict(Tally)
    skipped: dict[_Place, Tally] = defaultdict(Tally)
    for wanted, record in zip(due, records, strict=True):
        if wanted.verdict is not Verdict.MIRRORED:
            if record.verdict is not wanted.verdict:
                raise HalfsilverError(f"{record}, not {wanted}")
            continue
        if wanted.session is None or (record.session, record.rule) != (wanted.session, wanted.rule):
            raise HalfsilverError(f"{record} names another session or rule than {wanted}")
        place = record.direction, wanted.session
        if record.verdict is Verdict.MIRRORED and record.copied == wanted.copied:
            sent[place].add(wanted.copied)
        elif record.verdict is Verdict.CONGESTED and not record.copied:
            skipped[place].add(wanted.copied)
        else:
            raise HalfsilverError(f"{record}, not {wanted}")
    return sent, skipped


def check_counters(driver: Driver, sent: dict[_Place, Tally], skipped: dict[_Place, Tally]) -> None:
    """The card's own counters say the same, to the last frame and byte: by direction, by session, and by rule, which
    counts what was skipped as well."""
    counters = driver.counters()
    for way in Direction:
        for verdict, tallies in ((Verdict.MIRRORED, sent), (Verdict.CONGESTED, skipped)):
            _same(
                f"{way} {verdict}",
                counters.verdicts.get((way, verdict)),
                [t for (to, _), t in tallies.items() if to is way],
            )
        for session in range(len(PORTS)):
            for what, counted, tallies in (("sent", counters.sessions, sent), ("skipped", counters.skipped, skipped)):
                mine = [tallies[way, session]] if (way, session) in tallies else []
                _same(f"{way} session {session}, {what}", counted.get((way, 0, session)), mine)
            both = [tallies[way, session] for tallies in (sent, skipped) if (way, session) in tallies]
            _same(f"{way} session {session}, sent and skipped", counters.rules.get((way, 0, session, 0)), both)


def _same(what: str, counted: Tally | None, tallies: Sequence[Tally]) -> None:
    wanted = sum(tally.frames for tally in tallies), sum(tally.octets for tally in tallies)
    found = (counted.frames, counted.octets) if counted else (0, 0)
    if found != wanted:
        raise HalfsilverError(
            f"counter {what}: {found[0]} frames and {found[1]} bytes, not {wanted[0]} and {wanted[1]}"
        )


def wrong(point: Point) -> str:
    """What is not as the law says, nothing if all is well."""
    if point.held or min(point.production.values()) < 1:
        return f"production has waited: {point}"
    if [sum(pair) for pair in zip(point.sent, point.skipped, strict=True)] != list(point.due):
        return f"copies sent and skipped are not those due: {point}"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; prints the table. Exit code 0, 1 if production or a sum is not as it should be."""
    parser = Parser(prog="python -m halfsilver.sim.load", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="of the traffic (default: %(default)s)")
    parser.add_argument("--publish", action="store_true", help="also write docs/load.json")
    options = parser.parse_args(arguments)
    points = []
    print(
        f"{'bytes':>10} {'load':>6} {'to host':>8} {'to net':>8} {'due':>7} {'sent':>7} {'skipped':>8}   longest delay"
    )
    try:
        for size in SIZES:
            for load in LOADS:
                point = measure(size, load, seed=options.seed)
                points.append(point)
                shares = [f"{100 * share:.1f} %" for share in point.production.values()]
                print(
                    f"{size:>10} {100 * point.load:>4.0f} % {shares[0]:>8} {shares[1]:>8} {point.due[0]:>7,} "
                    f"{point.sent[0]:>7,} {point.skipped[0]:>8,}   {point.delays['egress']} clocks",
                    flush=True,
                )
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    result = {"width": PARAMETERS.width, "host_rate": HOST_RATE, "points": [asdict(point) for point in points]}
    write_results("load.json", result, publish=options.publish)
    faults = [fault for fault in map(wrong, points) if fault]
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return EXIT_MISMATCH if faults else 0


if __name__ == "__main__":
    sys.exit(main())
