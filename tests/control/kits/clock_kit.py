"""A served cloud whose minutes a test ends, without waiting for them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.control.kits.serve_kit import ROOT, Server
from tests.control.kits.server_kit import Cloud

PROGRAM = (sys.executable, str(Path(__file__).with_name("clocked_server.py")))
NOON = datetime(2026, 11, 20, 12, 0, 5, tzinfo=UTC)


class Clock:
    """A file with the time. It is replaced as a whole, so the server never reads half of one."""

    def __init__(self, path: Path, now: datetime = NOON) -> None:
        self.path = path
        self.now = now.timestamp()
        self.forward(0)

    def forward(self, minutes: float) -> None:
        self.now += minutes * 60
        fresh = self.path.with_suffix(".new")
        fresh.write_text(str(self.now))
        os.replace(fresh, self.path)

    def time(self, minutes: float = 0) -> datetime:
        """The present minute, or one so many minutes from it."""
        return datetime.fromtimestamp(self.now // 60 * 60 + minutes * 60, UTC)


class ClockedCloud(Cloud):
    """The same with a clock."""

    def __init__(self, server: Server, clock: Clock) -> None:
        super().__init__(server)
        self.clock = clock


@contextmanager
def clocked(folder: Path, clock: Clock | None = None) -> Iterator[ClockedCloud]:
    """A server with a clock that stands until it is moved."""
    clock = Clock(folder / "clock") if clock is None else clock
    options = ("--clock", str(clock.path))
    with Server(folder / "state", *options, program=PROGRAM, environment={"PYTHONPATH": str(ROOT)}) as server:
        yield ClockedCloud(server, clock)
