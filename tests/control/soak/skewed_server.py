"""``halfsilver serve`` with a clock that a file puts ahead of the machine's; signatures are held against it too.

``--leak`` plants a fault, to try the soak by it.
"""

from __future__ import annotations

import argparse
import json
import logging
from datetime import datetime
from pathlib import Path

from halfsilver.harness.control import serving
from halfsilver.harness.control.http.server import Listen
from halfsilver.harness.control.metrics.book import Clock
from halfsilver.harness.engines.golden import GoldenEngine
from tests.control.soak.skew import ahead_of_machine


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("state", "inventory", "ahead", "audit"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--database")
    parser.add_argument("--leak", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    logging.basicConfig(format="halfsilver: %(message)s", level=logging.WARNING)
    clock = ahead_of_machine(arguments.ahead)
    options = serving.Options(
        GoldenEngine,
        Listen(port=arguments.port),
        arguments.state,
        arguments.inventory,
        database=arguments.database,
        audit=arguments.audit,
        clock=clock,
        dates=_leaking(clock, arguments.leak) if arguments.leak else clock,
    )
    serving.run(
        options, lambda ready: print(json.dumps({"url": ready.url, "credentials": str(ready.credentials)}), flush=True)
    )


def _leaking(clock: Clock, size: int) -> Clock:
    """A clock that keeps so many bytes each time that it is asked, which is once for each signed request."""
    kept: list[bytes] = []

    def leaking() -> datetime:
        kept.append(b"x" * size)  # zeros would take no memory
        return clock()

    return leaking


if __name__ == "__main__":
    main()
