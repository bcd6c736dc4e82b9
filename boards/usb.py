"""Boards on this machine's USB, as far as serial ports tell; and who may open them.

FTDI's chips have one serial number for all their ports, so ports of one chip differ by their location alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from halfsilver.boards import BOARDS, Board

__all__ = ["boards_of", "closed_to_us", "found", "is_sure"]

USB_BUS = Path("/dev/bus/usb")


def found(board: Board, ports: Iterable[Any]) -> list[Any]:
    """Those of pyserial's ports that are, or by all that is known may be, the board's; ordered by location."""
    mine = [
        port
        for port in ports
        if (port.vid, port.pid) in board.usb
        and (board.product is None or not port.product or board.product == port.product)
    ]
    return sorted(mine, key=lambda port: (port.location or "", port.device))


def is_sure(board: Board, port: Any) -> bool:
    """Whether the port says that it is this board."""
    return board.product is not None and port.product == board.product


def boards_of(port: Any) -> list[Board]:
    """The boards that a port may belong to; one that says which it is belongs to no other."""
    maybe = [board for board in BOARDS.values() if found(board, [port])]
    return [board for board in maybe if is_sure(board, port)] or maybe


def closed_to_us(port: Any) -> list[str]:
    """What of a port may not be read and written by this user: its device, and its chip on the USB for JTAG."""
    nodes = [Path(port.device)]
    sysfs = getattr(port, "usb_device_path", None)  # pyserial's, on Linux
    if sysfs is not None:
        numbers = [Path(sysfs, name) for name in ("busnum", "devnum")]
        if all(number.is_file() for number in numbers):
            bus, device = (int(number.read_text()) for number in numbers)
            nodes.append(USB_BUS / f"{bus:03}" / f"{device:03}")
    return [str(node) for node in nodes if node.exists() and not os.access(node, os.R_OK | os.W_OK)]
