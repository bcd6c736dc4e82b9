"""A progress bar on stderr, if stderr is a terminal: how much of a capture has been judged."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from halfsilver.harness.capture.sources import Captures
from halfsilver.harness.engine import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

__all__ = ["CaptureProgress", "capture_progress"]


class CaptureProgress:
    """Progress through ``reader``, whose bytes are the measure; shows nothing without a ``bar``."""

    def __init__(self, reader: Captures, bar: RichProgress | None = None) -> None:
        self._reader = reader
        self._bar = bar
        self._task = None if bar is None else bar.add_task("", total=reader.size, frames=0)
        self._frames = 0
        self._octets = 0

    @property
    def within_batch(self) -> Progress | None:
        """What an engine calls with (frames done, frames in the batch)."""
        return None if self._bar is None else self._show

    def end_batch(self, frames: int) -> None:
        """The batch is judged: everything read so far is done."""
        self._frames += frames
        self._octets = self._reader.consumed
        self._show(0, frames)

    def _show(self, done: int, batch: int) -> None:
        if self._bar is None or self._task is None:
            return
        octets = self._octets + (self._reader.consumed - self._octets) * done / max(1, batch)
        self._bar.update(self._task, completed=octets, frames=self._frames + done)


@contextmanager
def capture_progress(reader: Captures, title: str) -> Iterator[CaptureProgress]:
    """The bar while the block runs; it disappears at its end. Honours NO_COLOR."""
    if not sys.stderr.isatty():
        yield CaptureProgress(reader)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn(title), BarColumn(), TextColumn("{task.fields[frames]:,} frames"), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield CaptureProgress(reader, bar)
