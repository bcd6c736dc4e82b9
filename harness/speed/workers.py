"""``make bench DATABASE=URL``: what several processes behind one port answer, beside one, on the same PostgreSQL.

Describes of one filter over many connections, by one process and by ``--workers``; the sum over all of them. Client and
database are on the same machine: processes gain what cores there are for them beside these two.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from halfsilver.harness.arguments import Parser
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.speed.client import processor_seconds
from halfsilver.harness.speed.files import EXAMPLE
from halfsilver.harness.speed.servers import Server, halfsilver

__all__ = ["main"]

CONNECTIONS = 16
_FILTER = re.compile(rb"<trafficMirrorFilterId>([^<]+)<")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; prints a table. Exit code 0, or that of the error."""
    parser = Parser(prog="python -m halfsilver.harness.speed.workers", description=__doc__.partition("\n")[0])
    parser.add_argument("--database", required=True, metavar="URL", help="of an empty PostgreSQL database")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="default: %(default)s")
    parser.add_argument("--requests", type=int, default=2000, metavar="N", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="the fastest counts (default: %(default)s)")
    options = parser.parse_args(arguments)
    print("processes   Describes a second, all together   processor time of each")
    base = 0.0
    try:
        with tempfile.TemporaryDirectory(prefix="halfsilver-workers.") as folder:
            for count in (1, options.workers):
                given = ["--inventory", str(EXAMPLE), "--database", options.database, "--workers", str(count)]
                with halfsilver(Path(folder) / "state", given) as server:
                    rounds = [_measure(server, options.requests) for _ in range(options.rounds)]
                per_second, processor = max(rounds)
                base = base or per_second
                print(f"{count:9}  {per_second:17,.0f}, x {per_second / base:4.2f}  {processor * 1e6:20,.0f} us")
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _measure(server: Server, count: int) -> tuple[float, float]:
    """Requests per second, and seconds of processor time of one in all processes."""
    made = server.client.run([server.client.request("CreateTrafficMirrorFilter")]).bodies[0]
    found = _FILTER.search(made)
    assert found is not None
    describe = server.client.request("DescribeTrafficMirrorFilters", TrafficMirrorFilterId_1=found[1].decode())
    before = _processor(server.process)
    run = server.client.run([describe] * count, CONNECTIONS)
    return count / run.seconds, (_processor(server.process) - before) / count


def _processor(process: int) -> float:
    """Of a process and those that it has started (proc_tid_children(5))."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return processor_seconds(process) + sum(processor_seconds(int(each)) for each in children)


if __name__ == "__main__":
    sys.exit(main())
