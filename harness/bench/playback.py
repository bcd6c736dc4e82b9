"""A recorded run as a card: it answers what it answered then, to a run that asks the same."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from halfsilver.harness.bench.recording import CRC_MARK, FORMAT
from halfsilver.harness.bench.wire import FramesLost, Received
from halfsilver.harness.errors import CardUnreachable, HalfsilverError, RigError, TransferDamaged, UsageError, WrongCard

__all__ = ["Playback"]

_ERRORS: dict[str, type[HalfsilverError]] = {
    each.__name__: each
    for each in (FramesLost, CardUnreachable, TransferDamaged, WrongCard, RigError, UsageError, HalfsilverError)
}


class Playback:
    """A recording that is whole: UsageError, with the number of the line, for one that is not.

    The run that is played must ask what the recorded one did, in that order: UsageError where it does not.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            lines = Path(path).read_bytes().splitlines()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
        self._records = [self._parsed(number, line) for number, line in enumerate(lines, 1)]
        self._check_ends()
        self._next = 1
        begin = self._records[0]
        self.engine: str = begin["engine"]
        self.patience: float = begin["patience"]
        self.shortest: dict[str, int] = begin["shortest"]

    def transport(self) -> PlayedTransport:
        return PlayedTransport(self)

    def wire(self, side: str) -> PlayedWire:
        return PlayedWire(self, side, f"{side} wire of {self._path}", self.shortest[side])

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The line of what was asked; raises the error that came then."""
        number = self._next + 1
        record = self._records[self._next]
        then = record.get("of", record)
        if {name: then.get(name) for name in asked} != asked:
            what = then["op"] if then["op"] != asked["op"] else f"another {then['op']}"
            happens = "the recorded run was over" if then["op"] == "end" else f"the recorded run has a line of {what}"
            raise UsageError(
                f"{self._path}, line {number}: {happens} where this one has a {asked['op']}: play it with the capture, "
                "policy and options that were recorded"
            )
        self._next += 1
        if record["op"] == "error":
            kind = next(_ERRORS[name] for name in record["kind"] if name in _ERRORS)
            raise kind(record["text"])
        return record

    def _parsed(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            text, mark, rest = line.decode("ascii").rpartition(CRC_MARK)
            if mark and rest == f'{zlib.crc32(text.encode()):08x}"}}':
                record: dict[str, Any] = json.loads(f"{text}}}")
                return record
        except ValueError:
            pass
        raise UsageError(f"{self._path}, line {number}: is cut or damaged: a line ends with the CRC of what it has")

    def _check_ends(self) -> None:
        """The first line says what it is, the last that it is the last."""
        if not self._records or self._records[0].get("op") != "begin":
            raise UsageError(f"{self._path}, line 1: is not the begin of a recording")
        if self._records[0].get("format") != FORMAT:
            raise UsageError(
                f"{self._path}, line 1: has format {self._records[0].get('format')}; this version reads {FORMAT}"
            )
        last, count = self._records[-1], len(self._records)
        if last.get("op") != "end":
            raise UsageError(f"{self._path}, line {count}: the recording is cut off here: its last line is missing")
        if last["lines"] != count:
            raise UsageError(f"{self._path}, line {count}: ends {last['lines']:,} lines, of which {count:,} are there")


class PlayedTransport:
    """Registers, as they were."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback

    def read(self, addresses: Sequence[int]) -> list[int]:
        values: list[int] = self._playback.answer({"op": "read", "addresses": list(addresses)})["values"]
        return values

    def write(self, pairs: Sequence[tuple[int, int]]) -> None:
        self._playback.answer({"op": "write", "pairs": [list(pair) for pair in pairs]})


class PlayedWire:
    """Frames, as they came; nothing is waited for."""

    def __init__(self, playback: Playback, side: str, name: str, shortest: int) -> None:
        self._playback, self._side = playback, side
        self.name, self.shortest = name, shortest

    def send(self, frames: Sequence[bytes]) -> None:
        self._playback.answer({"op": "send", "wire": self._side, "frames": [frame.hex() for frame in frames]})

    def receive(self, seconds: float) -> list[Received]:
        record = self._playback.answer({"op": "receive", "wire": self._side})
        return [Received(stamp, bytes.fromhex(data)) for stamp, data in record["frames"]]

    def close(self) -> None:
        """Nothing to give back."""
