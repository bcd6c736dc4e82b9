"""Which board a serial port is of, by what FTDI's chips say of themselves."""

from __future__ import annotations

from pathlib import Path

from serial.tools.list_ports_common import ListPortInfo

from halfsilver.boards import BOARDS
from halfsilver.boards.usb import boards_of, closed_to_us, found, is_sure

VERSA, COLORLIGHT, ECPIX = BOARDS["versa-ecp5-5g"], BOARDS["colorlight-5a-75b"], BOARDS["ecpix5-85f"]


def port(
    device: str, product: str | None = None, location: str | None = None, pid: int | None = 0x6010
) -> ListPortInfo:
    info = ListPortInfo(device)
    info.vid, info.pid, info.product, info.location = (0x0403 if pid else None), pid, product, location
    return info


def test_a_port_that_names_its_board_is_that_board():
    one = port("/dev/ttyUSB1", "Lattice ECP5_5G VERSA Board")
    assert found(VERSA, [one]) == [one] and is_sure(VERSA, one)
    assert boards_of(one) == [VERSA]


def test_a_port_that_does_not_may_be_several():
    one = port("/dev/ttyUSB0")
    assert boards_of(one) == [VERSA, ECPIX] and not is_sure(VERSA, one)
    assert boards_of(port("/dev/ttyUSB0", pid=0x6011)) == [ECPIX]
    assert boards_of(port("/dev/ttyUSB0", "Dual RS232-HS")) == [ECPIX]


def test_ports_of_no_board():
    assert boards_of(port("/dev/ttyS0", pid=None)) == []
    assert boards_of(port("/dev/ttyUSB0", pid=0x6014)) == [] == found(COLORLIGHT, [port("/dev/ttyUSB0")])


def test_ports_of_one_chip_are_in_order_of_location():
    """They have one serial number, so this is all that tells them apart."""
    name = "Lattice ECP5_5G VERSA Board"
    ports = [port("/dev/ttyUSB7", name, "1-2:1.1"), port("/dev/ttyUSB9", name, "1-2:1.0")]
    assert [each.device for each in found(VERSA, ports)] == ["/dev/ttyUSB9", "/dev/ttyUSB7"]


def test_what_may_not_be_opened(tmp_path: Path, monkeypatch):
    device = tmp_path / "ttyUSB0"
    device.touch()
    one = port(str(device))
    assert closed_to_us(one) == []
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != device)  # root may open anything
    assert closed_to_us(one) == [str(device)]
    one.device = str(tmp_path / "gone")
    assert closed_to_us(one) == []
