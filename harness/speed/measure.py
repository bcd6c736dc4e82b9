"""``make bench``, the API: requests per second, processor time per request, and memory with 10,000 sessions.

A real ``halfsilver serve`` (golden engine, signatures checked, SQLite on disk) is asked over connections that stay
open. Beside it runs the same HTTP server with an application that answers nothing: a slow or busy machine slows both
down, so their ratio says what this project's own code costs. One client asks both, and both are started as a user
starts them. Each kind of request has empty answers before and behind it, as many over as many connections, and is
divided by these: what several connections save, or another program disturbs, is then in both. The first requests of a
server cost more and are not counted. Of several rounds, ratio and processor time are those of the middle one, and the
other figures those of the fastest. The result goes to ``build/bench_control.json``.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from halfsilver.harness.arguments import Parser
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.speed.client import Memory, processor_seconds
from halfsilver.harness.speed.files import BALANCER, SESSIONS_EACH, interface_id, write_inventory, write_policy
from halfsilver.harness.speed.servers import Server, empty, halfsilver

__all__ = ["main"]

RESULT = Path("build") / "bench_control.json"
AIM, LEAST = 2000, 500
"""Small Describes per second that one core should answer, and must."""
LOADING_SECONDS = 5.0
"""Of processor time in which a server should have taken all sessions from a file."""
PAGING_BYTES = 32_000_000
"""By how much paging through all sessions may grow the server's memory at most: a few pages' worth."""
CONNECTIONS = (1, 8)
PAGE = 1000
"""Sessions of a page, the most that EC2 allows."""
NOTHING = "nothing, same HTTP server"
DESCRIBE, CREATE, MODIFY, DELETE = (
    "Describe of one filter",
    *(f"{verb} of a session" for verb in ("Create", "Modify", "Delete")),
)
TIMES_NOTHING = {DESCRIBE: 3.0, CREATE: 8.0}
"""What a request should cost at most, in empty answers."""


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of request over some connections.

    per_second    in the fastest round
    middle, slow  milliseconds that half of the requests, and all but a hundredth, took at most there
    processor     microseconds of the server's processor time per request, in the middle round
    ratios        of processor time to that of the empty answers around it, round by round; 1 for these themselves
    """

    what: str
    connections: int
    requests: int
    per_second: float
    middle: float
    slow: float
    processor: float
    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Of the middle round."""
        return statistics.median(self.ratios)


@dataclass(frozen=True, slots=True)
class Paging:
    """A Describe of many sessions, page by page.

    size          bytes of the largest page
    loading       seconds in which a server started that had to take the sessions from a file
    loading_cpu   seconds of its processor time until then
    slowest       seconds of the slowest page
    before, peak  the server's memory before the first page, and the most while it made them, in bytes
    """

    sessions: int
    pages: int
    size: int
    loading: float
    loading_cpu: float
    seconds: float
    slowest: float
    before: int
    peak: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; prints a table. Exit code 0, or that of the error."""
    parser = Parser(prog="python -m halfsilver.harness.speed.measure", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--requests",
        type=int,
        default=1500,
        metavar="N",
        help="Describes of each round, and empty answers each time (default: %(default)s); changes are a fifth of them",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=5,
        metavar="N",
        help="that are counted, behind one that is not (default: %(default)s)",
    )
    parser.add_argument(
        "--sessions",
        type=int,
        default=10_000,
        metavar="N",
        help="sessions that are described in pages (default: %(default)s)",
    )
    parser.add_argument("-o", "--output", type=Path, default=RESULT, metavar="FILE", help="default: %(default)s")
    options = parser.parse_args(arguments)
    folder: Path = options.output.parent
    folder.mkdir(exist_ok=True)
    try:
        # Not in /tmp, which may be memory: a commit waits for a disk.
        with tempfile.TemporaryDirectory(dir=folder, prefix="bench_control.") as name:
            rows = _measure_requests(Path(name), options.requests, options.rounds)
            paging = _measure_paging(Path(name), options.sessions)
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    result = {"rows": [asdict(row) for row in rows], "paging": asdict(paging)}
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(_report(rows, paging), options.output, sep="\n")
    return 0


def _measure_requests(folder: Path, requests: int, rounds: int) -> list[Row]:
    """All kinds over one connection and over several."""
    changes = max(1, requests // 5)
    inventory = folder / "inventory.json"
    write_inventory(inventory, changes)
    with halfsilver(folder / "state", ["--inventory", str(inventory)]) as server, empty(folder / "empty.log") as beside:
        kinds = _Kinds(server, beside, requests, changes)
        found: dict[tuple[str, int], list[Row]] = {}
        for number in range(-1, rounds):
            turn = f"round {number + 1} of {rounds}" if number >= 0 else "warming up"
            print(f"API under load, {turn} ...", file=sys.stderr, flush=True)
            for connections in CONNECTIONS:
                for row in kinds.measure(connections):
                    if number >= 0:
                        found.setdefault((row.what, row.connections), []).append(row)
    return [_of_rounds(each) for each in found.values()]


def _of_rounds(rows: Sequence[Row]) -> Row:
    """One kind over as many connections, in all rounds."""
    fastest = max(rows, key=lambda row: row.per_second)
    processor = statistics.median(row.processor for row in rows)
    return replace(fastest, processor=processor, ratios=tuple(ratio for row in rows for ratio in row.ratios))


class _Kinds:
    """The kinds of requests, and the filter and target that they are about."""

    def __init__(self, server: Server, beside: Server, requests: int, changes: int) -> None:
        self._server = server
        self._beside = beside
        self._requests = requests
        self._changes = changes
        self._sessions: list[str] = []
        """Those that were made last."""
        self._filter = self._make("filter", "CreateTrafficMirrorFilter")
        for number, protocol in enumerate((6, 17), 1):
            self._make(
                "filterRule",
                "CreateTrafficMirrorFilterRule",
                TrafficMirrorFilterId=self._filter,
                TrafficDirection="ingress",
                RuleNumber=number,
                RuleAction="accept",
                Protocol=protocol,
                SourceCidrBlock="0.0.0.0/0",
                DestinationCidrBlock="0.0.0.0/0",
            )
        self._target = self._make("target", "CreateTrafficMirrorTarget", NetworkLoadBalancerArn=BALANCER)

    def measure(self, connections: int) -> Iterator[Row]:
        """Each kind once, with empty answers around it."""
        before = self._nothing(connections)
        yield before
        for what, requests in (
            (DESCRIBE, self._describes),
            (CREATE, self._creates),
            (MODIFY, self._modifies),
            (DELETE, self._deletes),
        ):
            row, bodies = _run(self._server, what, requests(), connections)
            behind = self._nothing(connections)
            yield replace(row, ratios=(2 * row.processor / (before.processor + behind.processor),))
            yield behind
            before = behind
            if what == CREATE:
                self._sessions = [_id("session", body) for body in bodies]

    def _nothing(self, connections: int) -> Row:
        return _run(self._beside, NOTHING, self._describes(), connections)[0]

    def _describes(self) -> list[bytes]:
        ask = self._server.client.request
        return [ask("DescribeTrafficMirrorFilters", TrafficMirrorFilterId_1=self._filter)] * self._requests

    def _creates(self) -> list[bytes]:
        ask = self._server.client.request
        return [
            ask(
                "CreateTrafficMirrorSession",
                NetworkInterfaceId=interface_id(number),
                SessionNumber=1,
                TrafficMirrorFilterId=self._filter,
                TrafficMirrorTargetId=self._target,
            )
            for number in range(self._changes)
        ]

    def _modifies(self) -> list[bytes]:
        ask = self._server.client.request
        return [
            ask("ModifyTrafficMirrorSession", TrafficMirrorSessionId=each, PacketLength=128) for each in self._sessions
        ]

    def _deletes(self) -> list[bytes]:
        ask = self._server.client.request
        return [ask("DeleteTrafficMirrorSession", TrafficMirrorSessionId=each) for each in self._sessions]

    def _make(self, kind: str, operation: str, **parameters: object) -> str:
        client = self._server.client
        return _id(kind, client.run([client.request(operation, **parameters)]).bodies[0])


def _run(server: Server, what: str, requests: Sequence[bytes], connections: int) -> tuple[Row, list[bytes]]:
    before = processor_seconds(server.process)
    run = server.client.run(requests, connections)
    processor = processor_seconds(server.process) - before
    count = len(requests)
    waits = sorted(run.waits)
    row = Row(
        what,
        connections,
        count,
        count / run.seconds,
        statistics.median(waits) * 1e3,
        waits[(count * 99) // 100] * 1e3,
        processor / count * 1e6,
        (1.0,),
    )
    return row, run.bodies


def _id(kind: str, body: bytes) -> str:
    found = re.search(rf"<trafficMirror{kind[0].upper()}{kind[1:]}Id>([^<]+)<".encode(), body)
    if found is None:
        raise HalfsilverError(f"the server's answer has no {kind} id: {body[:200].decode()}")
    return found[1].decode()


def _measure_paging(folder: Path, sessions: int) -> Paging:
    """Sessions are taken from a file by one server, and described by the next one, which has never seen the file."""
    print(f"API with {sessions:,} sessions ...", file=sys.stderr, flush=True)
    inventory, policy, state = folder / "large.json", folder / "mirror.json", folder / "large"
    write_inventory(inventory, -(-sessions // SESSIONS_EACH))
    write_policy(policy, sessions)
    start = time.perf_counter()
    with halfsilver(
        state, ["--state", str(policy), "--inventory", str(inventory), "--quota", f"sessions={sessions}"]
    ) as server:
        loading, loading_cpu = time.perf_counter() - start, processor_seconds(server.process)
    with halfsilver(state, ["--inventory", str(inventory)]) as server:
        memory = Memory(server.process)
        before = memory.now()
        pages = list(_pages(server))
        peak = memory.peak()
    found = sum(body.count(b"<trafficMirrorSessionId>") for _, body in pages)
    if found != sessions:
        raise HalfsilverError(f"the pages have {found} sessions, not {sessions}")
    seconds = [each for each, _ in pages]
    return Paging(
        sessions,
        len(pages),
        max(len(body) for _, body in pages),
        loading,
        loading_cpu,
        sum(seconds),
        max(seconds),
        before,
        peak,
    )


def _pages(server: Server) -> Iterator[tuple[float, bytes]]:
    """Seconds and body of each page."""
    token: dict[str, str] = {}
    while True:
        request = server.client.request("DescribeTrafficMirrorSessions", MaxResults=PAGE, **token)
        run = server.client.run([request])
        yield run.seconds, run.bodies[0]
        found = re.search(rb"<nextToken>([^<]+)<", run.bodies[0])
        if found is None:
            return
        token = {"NextToken": found[1].decode()}


def _report(rows: Sequence[Row], paging: Paging) -> str:
    lines = [
        f"{'requests of one kind':28}  {'connections':>11}  {'per second':>10}  {'half in':>9}  {'99 % in':>9}  "
        f"{'processor':>10}  {'x nothing':>9}  all rounds"
    ]
    lines += [
        f"{row.what:28}  {row.connections:11}  {row.per_second:10,.0f}  {row.middle:6.2f} ms  "
        f"{row.slow:6.2f} ms  {row.processor:7.0f} us  {row.ratio:9.1f}  {min(row.ratios):.1f} to {max(row.ratios):.1f}"
        for row in rows
    ]
    lines += [
        f"{row.what} over {row.connections}: {row.ratio:.1f} times the processor time of nothing; aim {aim:g}: "
        f"{'met' if row.ratio <= aim else 'MISSED'}"
        for row in rows
        if (aim := TIMES_NOTHING.get(row.what)) is not None
    ]
    core = 1e6 / min(row.processor for row in rows if row.what == DESCRIBE)
    grown = paging.peak - paging.before
    bound = "within" if grown <= PAGING_BYTES else "OVER"
    verdict = "met" if core >= AIM else "not reached" if core >= LEAST else f"MISSED, and so is {LEAST}"
    lines += [
        f"by its processor time, one core answers {core:,.0f} small Describes per second; aim {AIM:,}: {verdict}",
        f"{paging.sessions:,} sessions in {paging.pages} pages of up to {PAGE:,} ({paging.size / 1e6:.1f} MB): "
        f"{paging.seconds / paging.pages:.2f} s per page, {paging.slowest:.2f} s the slowest",
        f"memory of the server: {paging.before / 1e6:.0f} MB before, {paging.peak / 1e6:.0f} MB at most while paging: "
        f"{grown / 1e6:.0f} MB more, {bound} the {PAGING_BYTES / 1e6:.0f} MB that are stated",
        f"it took {paging.loading:.1f} s, {paging.loading_cpu:.1f} of them of processor time, to start and load the "
        f"sessions from a file; aim {LOADING_SECONDS:g}: {'met' if paging.loading_cpu < LOADING_SECONDS else 'MISSED'}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
