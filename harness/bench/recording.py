"""A run on a card, written down: what was asked and sent, what was answered and came, each with its time.

One JSON object per line. The first says whose run it is, the last that it is whole; each ends with a CRC of what stands
before it in the line. ``halfsilver.harness.bench.playback`` reads it. Lines by ``op``; ``t`` are nanoseconds since the
epoch:

    begin    format, version, engine, patience, shortest (of each wire)
    read     addresses, values
    write    pairs
    send     wire, frames (hex)
    receive  wire, frames ([time in ns, hex])
    error    of (what was asked, as above without an answer), kind, text
    end      lines
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from halfsilver.harness.bench.wire import Received, Wire
from halfsilver.harness.errors import EnvironmentMissing, HalfsilverError, UsageError
from halfsilver.harness.nic.transport import Transport
from halfsilver.hdl.layout.version import VERSION

__all__ = ["CRC_MARK", "FORMAT", "SIDES", "Recorder", "RecordingIncomplete"]

FORMAT = 1
SIDES = ("net", "host")
CRC_MARK = ',"crc":"'

_T = TypeVar("_T")


class RecordingIncomplete(EnvironmentMissing):
    """A recording could not be written to its end; the run that it was of is not touched by that."""


class Recorder:
    """Writes a recording of one engine. UsageError if the file cannot be opened.

    Where the file takes no more (a full disk), recording ends and the run goes on; `close` then says so, with
    RecordingIncomplete.
    """

    def __init__(self, path: str, now: Callable[[], int] = time.time_ns) -> None:
        self._path, self._now = path, now
        self._lines = 0
        self._failure: str | None = None
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}") from None

    def begin(self, engine: str, patience: float, net: Wire, host: Wire) -> None:
        """The engine that is recorded, before all else."""
        shortest = {side: wire.shortest for side, wire in zip(SIDES, (net, host), strict=True)}
        self.write(op="begin", format=FORMAT, version=VERSION, engine=engine, patience=patience, shortest=shortest)

    def transport(self, transport: Transport) -> Transport:
        return _RecordedTransport(self, transport)

    def wire(self, side: str, wire: Wire) -> Wire:
        return _RecordedWire(self, side, wire)

    def write(self, **members: Any) -> None:
        """A line."""
        if self._failure is not None:
            return
        text = json.dumps({"t": self._now(), **members}, separators=(",", ":"))[:-1]
        line = f'{text}{CRC_MARK}{zlib.crc32(text.encode()):08x}"}}\n'.encode()
        try:
            while line:  # unbuffered: what stands there when a run is killed are its lines up to then
                line = line[os.write(self._file, line) :]
            self._lines += 1
        except OSError as error:
            self._failure = error.strerror or str(error)

    def attempt(self, action: Callable[[], _T], **asked: Any) -> _T:
        """What ``action`` gives; an error of it is written down, and raised."""
        try:
            return action()
        except HalfsilverError as error:
            self.write(op="error", of=asked, kind=[each.__name__ for each in type(error).__mro__], text=str(error))
            raise

    def close(self) -> None:
        """Write the last line. RecordingIncomplete if not all could be written."""
        self.write(op="end", lines=self._lines + 1)
        try:
            os.close(self._file)
        except OSError as error:
            self._failure = self._failure or error.strerror or str(error)
        if self._failure is not None:
            raise RecordingIncomplete(
                f"{self._path}: {self._failure}: the recording ends after {self._lines:,} lines; the run it is of "
                "has gone on without it"
            )


class _RecordedTransport:
    def __init__(self, recorder: Recorder, transport: Transport) -> None:
        self._recorder, self._transport = recorder, transport

    def read(self, addresses: Sequence[int]) -> list[int]:
        asked = {"op": "read", "addresses": list(addresses)}
        values = self._recorder.attempt(lambda: self._transport.read(addresses), **asked)
        self._recorder.write(**asked, values=values)
        return values

    def write(self, pairs: Sequence[tuple[int, int]]) -> None:
        asked = {"op": "write", "pairs": [list(pair) for pair in pairs]}
        self._recorder.attempt(lambda: self._transport.write(pairs), **asked)
        self._recorder.write(**asked)


class _RecordedWire:
    def __init__(self, recorder: Recorder, side: str, wire: Wire) -> None:
        self._recorder, self._side, self._wire = recorder, side, wire
        self.name, self.shortest = wire.name, wire.shortest

    def send(self, frames: Sequence[bytes]) -> None:
        asked = {"op": "send", "wire": self._side, "frames": [frame.hex() for frame in frames]}
        self._recorder.attempt(lambda: self._wire.send(frames), **asked)
        self._recorder.write(**asked)

    def receive(self, seconds: float) -> list[Received]:
        asked = {"op": "receive", "wire": self._side}
        came = self._recorder.attempt(lambda: self._wire.receive(seconds), **asked)
        self._recorder.write(**asked, frames=[[each.time_ns, each.data.hex()] for each in came])
        return came

    def close(self) -> None:
        self._wire.close()
