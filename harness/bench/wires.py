"""The wire of an address, as bench files and options write it."""

from __future__ import annotations

from collections.abc import Callable

from halfsilver.harness.bench.packet_wire import PacketWire
from halfsilver.harness.bench.unix_wire import UnixWire
from halfsilver.harness.bench.wire import FramesLost, Received, Wire
from halfsilver.harness.errors import UsageError
from halfsilver.harness.spelling import nearest

__all__ = ["FramesLost", "Received", "Wire", "check_address", "open_wire"]

_KINDS: dict[str, Callable[[str], Wire]] = {"packet": PacketWire, "unix": UnixWire}
_FORMS = "packet:INTERFACE (a network interface, needs root) or unix:PATH (a socket of a board that is a process)"


def check_address(address: str) -> None:
    """UsageError if it is none."""
    kind, colon, place = address.partition(":")
    if kind in _KINDS and place:
        return
    meant = nearest(kind, _KINDS) if colon else None
    hint = f"did you mean {meant}:{place}?" if meant and place and meant != kind else f"must be {_FORMS}"
    raise UsageError(f"wire {address!r}: {hint}")


def open_wire(address: str) -> Wire:
    """``packet:INTERFACE`` or ``unix:PATH``; CardUnreachable, with what to do, if it cannot be opened."""
    check_address(address)
    kind, _, place = address.partition(":")
    return _KINDS[kind](place)
