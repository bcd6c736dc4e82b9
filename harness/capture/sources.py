"""Several captures as one: files, the files of a folder and standard input, merged by time."""

from __future__ import annotations

import heapq
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from halfsilver.harness.capture.formats import CapturedFrame, Damage
from halfsilver.harness.capture.heads import Place
from halfsilver.harness.capture.link import Stations
from halfsilver.harness.capture.lots import Found, Lot, Portion
from halfsilver.harness.capture.reader import CaptureReader, NotACapture, open_capture
from halfsilver.harness.errors import UsageError

__all__ = ["Captures", "frames_of", "open_captures"]


class Captures(Protocol):
    """One capture, or several as one. Iterate once: as it is, by ``flow``, or by ``lots``.

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

    def lots(self, records: int, octets: int) -> Iterator[Lot]:
        """Instead of the frames, where they are: in each lot so many of them, or bytes, whatever comes first.

        What is to be said of them is what `CaptureReader.take_in` gets.
        """

    def __iter__(self) -> Iterator[CapturedFrame]: ...


class _Waiting(NamedTuple):
    """A file that is opened when its time has come: that of its first frame; 0 if it has none."""

    first: int
    order: int
    path: str


class _Opened:
    """A capture while its frames are due; its file is closed behind the last of them.

    ``order`` is where it was named, ``number`` when it was opened. ``ahead`` is the place in front of the frame that is
    next; None while that was not read.
    """

    def __init__(self, order: int, number: int, path: str, stations: Stations) -> None:
        self.order = order
        self.number = number
        self.ended = False
        self.ahead: Place | None = None
        self._cut: Place | None = None
        self._stack = ExitStack()
        self.reader = self._stack.enter_context(open_capture(path))
        self.reader.know(stations)
        self._frames = self.reader.flow()

    def begin(self, *, keep: bool) -> Iterator[None]:
        """Go to the first record; ``keep``: for portions from there on."""
        yield from self.reader.begin()
        if keep:
            self._cut = self.reader.place
            self.reader.keep()

    def push(self, due: list[_Next]) -> Iterator[None]:
        """Take in the next frame, if there is one more."""
        self.ahead = None
        place = self.reader.place
        for frame in self._frames:
            if frame is not None:
                self.ahead = place
                return heapq.heappush(due, _Next(frame.timestamp, self.order, frame, self))
            yield
        self.ended = True
        self._stack.close()

    def portion(self) -> Portion:
        """What came out behind the last portion, up to where the next one begins."""
        assert self._cut is not None
        begin, end = self._cut, self.ahead or self.reader.place
        self._cut = end
        return self.reader.kept(self.number, self.order, begin, end.offset - begin.offset, ended=self.ended)


class _Next(NamedTuple):
    """The next frame of an open capture; of two of one time, the one of the file that was named first."""

    timestamp: int
    order: int
    frame: CapturedFrame
    opened: _Opened


class _Merged:
    """The frames of several captures by time; those of one capture stay in its order.

    Each file is looked into at once, so that what is none is refused before anything runs, and then only open while
    its frames are due: a day of files costs no more than those of one moment.
    """

    def __init__(self, paths: Sequence[str], left_out: Sequence[str]) -> None:
        self.left_out = left_out
        self.name = paths[0] if len(paths) == 1 else f"{len(paths)} captures ({paths[0]} ... {paths[-1]})"
        self.readers: list[CaptureReader] = []
        self.consumed = 0
        self._stations: Stations = {}
        self._open: list[_Opened] = []
        self._streams = [(order, path) for order, path in enumerate(paths) if not _is_file(path)]
        self._files = sorted(_look_into(order, path) for order, path in enumerate(paths) if _is_file(path))
        sizes = [os.path.getsize(waiting.path) for waiting in self._files]
        self.size = None if self._streams else sum(sizes)

    @property
    def damage(self) -> list[Damage]:
        return [damage for reader in self.readers for damage in reader.damage]

    def know(self, stations: Stations) -> None:
        self._stations = stations

    def __iter__(self) -> Iterator[CapturedFrame]:
        return (frame for frame in self.flow() if frame is not None)

    def flow(self) -> Iterator[CapturedFrame | None]:
        for each in self._ordered(keep=False):
            yield None if each is None else each.frame

    def lots(self, records: int, octets: int) -> Iterator[Lot]:
        """Instead of the frames, where those are; their order is found by reading them."""
        frames = size = 0
        for each in self._ordered(keep=True):
            if each is not None:
                frames += 1
                size += len(each.frame.data)
            if frames and (each is None or frames >= records or size >= octets):
                yield self._cut(waits=each is None)
                frames = size = 0
        if self._open:
            yield self._cut(waits=False)

    def _cut(self, *, waits: bool) -> Lot:
        """All that came out since the last cut."""
        lot = Lot(tuple(opened.portion() for opened in self._open), waits)
        self._open = [opened for opened in self._open if not opened.ended]
        return lot

    def _ordered(self, *, keep: bool) -> Iterator[_Next | None]:
        due: list[_Next] = []
        for order, path in self._streams:
            yield from self._begin(order, path, due, keep=keep)
        while due or self._files:
            while self._files and (not due or self._files[0][:2] < due[0][:2]):
                waiting = self._files.pop(0)
                yield from self._begin(waiting.order, waiting.path, due, keep=keep)
            if due:
                first = heapq.heappop(due)
                first.opened.ahead = None
                yield first
                before = first.opened.reader.consumed
                yield from first.opened.push(due)
                self.consumed += first.opened.reader.consumed - before

    def _begin(self, order: int, path: str, due: list[_Next], *, keep: bool) -> Iterator[None]:
        """Open a capture, and take in its first frame. What is kept is counted by those who read it once more."""
        opened = _Opened(order, len(self.readers), path, self._stations)
        yield from opened.begin(keep=keep)
        self.readers.append(opened.reader)
        if keep:
            again = self.readers[-1] = CaptureReader(io.BytesIO(), opened.reader.name)
            again.damage += opened.reader.damage
            if not opened.reader.ended:
                self._open.append(opened)
        yield from opened.push(due)
        self.consumed += opened.reader.consumed


def _look_into(order: int, path: str) -> _Waiting:
    with open_capture(path) as reader:
        return _Waiting(next((frame.timestamp for frame in reader), 0), order, path)


def _is_file(path: str) -> bool:
    """A regular file, which can be read twice; or nothing at all, which then is said."""
    return path != "-" and (os.path.isfile(path) or not os.path.exists(path))


def frames_of(lot: Lot, stations: Stations) -> tuple[Iterator[CapturedFrame], list[Found]]:
    """The frames of a lot, by time; and, once they have been read, what is to be said of each portion."""
    found: list[Found] = []

    def of_portion(portion: Portion) -> Iterator[tuple[int, int, CapturedFrame]]:
        reader = CaptureReader.of_portion(portion, stations)
        for frame in reader:
            yield frame.timestamp, portion.order, frame
        found.append(Found(portion.capture, reader.damage, reader.short, reader.lifted))

    merged = heapq.merge(*map(of_portion, lot.portions), key=lambda each: each[:2])
    return (frame for *_, frame in merged), found


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
