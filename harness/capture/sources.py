"""Several captures as one: files, the files of a folder and standard input, merged by time."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from halfsilver.harness.capture.formats import CapturedFrame, Damage
from halfsilver.harness.capture.link import Stations
from halfsilver.harness.capture.reader import CaptureReader, NotACapture, open_capture
from halfsilver.harness.errors import UsageError

__all__ = ["Captures", "open_captures"]


class Captures(Protocol):
    """One capture, or several as one. Iterate once, by ``flow`` or as it is.

    ``size`` and ``consumed`` are bytes of the files, ``short`` counts frames with fewer bytes than on the wire, and
    ``readers`` has each capture for itself, with what it counted.
    """

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int | None: ...

    @property
    def consumed(self) -> int: ...

    @property
    def damage(self) -> Sequence[Damage]: ...

    @property
    def readers(self) -> Sequence[CaptureReader]: ...

    @property
    def left_out(self) -> Sequence[str]:
        """Files of folders that are no captures."""

    def know(self, stations: Stations) -> None:
        """Interfaces whose MAC addresses frames without any are given."""

    def flow(self) -> Iterator[CapturedFrame | None]:
        """The frames as they come; None: the next one has not come yet, and asking for it waits."""

    def __iter__(self) -> Iterator[CapturedFrame]: ...


class _Waiting(NamedTuple):
    """A file that is opened when its time has come: that of its first frame; 0 if it has none."""

    first: int
    order: int
    path: str


class _Next(NamedTuple):
    """The next frame of an open capture; of two of one time, the one of the file that was named first."""

    timestamp: int
    order: int
    frame: CapturedFrame
    frames: Iterator[CapturedFrame | None]


class _Merged:
    """The frames of several captures by time; those of one capture stay in its order.

    Each file is looked into at once, so that what is none is refused before anything runs, and then only open while
    its frames are due: a day of files costs no more than those of one moment.
    """

    def __init__(self, paths: Sequence[str], left_out: Sequence[str]) -> None:
        self.left_out = left_out
        self.name = paths[0] if len(paths) == 1 else f"{len(paths)} captures ({paths[0]} ... {paths[-1]})"
        self.readers: list[CaptureReader] = []
        self._stations: Stations = {}
        self._streams = [(order, path) for order, path in enumerate(paths) if not _is_file(path)]
        self._files = sorted(_look_into(order, path) for order, path in enumerate(paths) if _is_file(path))
        sizes = [os.path.getsize(waiting.path) for waiting in self._files]
        self.size = None if self._streams else sum(sizes)

    @property
    def consumed(self) -> int:
        return sum(reader.consumed for reader in self.readers)

    @property
    def damage(self) -> list[Damage]:
        return [damage for reader in self.readers for damage in reader.damage]

    def know(self, stations: Stations) -> None:
        self._stations = stations

    def __iter__(self) -> Iterator[CapturedFrame]:
        return (frame for frame in self.flow() if frame is not None)

    def flow(self) -> Iterator[CapturedFrame | None]:
        due: list[_Next] = []
        for order, path in self._streams:
            yield from _push(order, self._frames(path), due)
        while due or self._files:
            while self._files and (not due or self._files[0][:2] < due[0][:2]):
                waiting = self._files.pop(0)
                yield from _push(waiting.order, self._frames(waiting.path), due)
            if due:
                first = heapq.heappop(due)
                yield first.frame
                yield from _push(first.order, first.frames, due)

    def _frames(self, path: str) -> Iterator[CapturedFrame | None]:
        """Of one capture, which is closed behind the last."""
        with open_capture(path) as reader:
            reader.know(self._stations)
            self.readers.append(reader)
            yield from reader.flow()


def _push(order: int, frames: Iterator[CapturedFrame | None], due: list[_Next]) -> Iterator[None]:
    """Take in a capture's next frame, if it has one more."""
    for frame in frames:
        if frame is not None:
            heapq.heappush(due, _Next(frame.timestamp, order, frame, frames))
            return
        yield


def _look_into(order: int, path: str) -> _Waiting:
    with open_capture(path) as reader:
        return _Waiting(next((frame.timestamp for frame in reader), 0), order, path)


def _is_file(path: str) -> bool:
    """A regular file, which can be read twice; or nothing at all, which then is said."""
    return path != "-" and (os.path.isfile(path) or not os.path.exists(path))


@contextmanager
def open_captures(paths: Sequence[str]) -> Iterator[Captures]:
    """All captures of ``paths``: files, folders (the captures in them, not below), ``-`` for standard input.

    UsageError if one of them is none, or a folder has none, or one file is named twice.
    """
    names: list[str] = []
    left_out: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            found, others = _captures_in(path)
            names += found
            left_out += others
        else:
            names.append(path)
    if names.count("-") > 1:
        raise UsageError("standard input (-) can be read once; name it once")
    _refuse_twice(names)
    if len(names) > 1 or left_out:
        yield _Merged(names, left_out)
        return
    with open_capture(names[0]) as reader:
        yield reader


def _refuse_twice(names: Sequence[str]) -> None:
    """UsageError if two of the names are those of one file, whose frames would count twice."""
    known: dict[tuple[int, int], str] = {}
    for name in names:
        if os.path.isfile(name):
            status = os.stat(name)
            place = status.st_dev, status.st_ino
            if place in known:
                raise UsageError(
                    f"{name} and {known[place]} are one file, whose frames would count twice; name it once"
                )
            known[place] = name


def _captures_in(folder: str) -> tuple[list[str], list[str]]:
    """The captures among the files of a folder, by their content and in the order of their names, and the others."""
    captures: list[str] = []
    others: list[str] = []
    for place in sorted(Path(folder).iterdir()):
        if place.is_file() and not place.name.startswith("."):
            (captures if _is_capture(place) else others).append(str(place))
    if not captures:
        raise UsageError(f"{folder}: this folder holds no capture; folders below it are not looked into")
    return captures, others


def _is_capture(place: Path) -> bool:
    try:
        with open_capture(place) as reader:
            next(iter(reader), None)
    except NotACapture:
        return False
    except UsageError:  # a capture that cannot be used, which is said when it is read
        return True
    return True
