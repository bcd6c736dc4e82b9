"""``halfsilver list``: the serial ports of this machine, with all by which two of them can be told apart."""

import json

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from halfsilver.harness.commands.card.listing import describe_port, port_table
from tests.harness.commands.cli_kit import output_of


def ftdi(interface):
    """One of an FT2232H's two ports: they have one serial number."""
    port = ListPortInfo(f"/dev/ttyUSB{interface}")
    port.vid, port.pid, port.serial_number, port.location = 0x0403, 0x6010, "FT0001", f"1-2:1.{interface}"
    port.description = port.product = "Lattice ECP5_5G VERSA Board"
    return port


def test_what_is_said_of_a_port():
    assert describe_port(ftdi(1)) == {
        "device": "/dev/ttyUSB1",
        "what": "Lattice ECP5_5G VERSA Board",
        "usb": "0403:6010",
        "serial": "FT0001",
        "location": "1-2:1.1",
        "boards": ["versa-ecp5-5g"],
    }
    nothing = dict.fromkeys(("what", "usb", "serial", "location"))
    assert describe_port(ListPortInfo("/dev/ttyS0")) == {"device": "/dev/ttyS0", **nothing, "boards": []}


def test_the_table_has_a_line_for_each():
    lines = port_table([ListPortInfo("/dev/ttyS0"), ftdi(0), ftdi(1)]).splitlines()
    assert lines[0].split() == ["serial", "port", "what", "usb", "serial", "location", "perhaps"]
    assert lines[2].split() == ["/dev/ttyS0", *"-----"]
    assert lines[3].endswith("0403:6010  FT0001  1-2:1.0   versa-ecp5-5g") and "1-2:1.1" in lines[4]


def test_list_has_the_ports_of_this_machine(capsys):
    here = sorted(port.device for port in list_ports.comports())
    assert [port["device"] for port in json.loads(output_of(capsys, "list", "--json"))["serial_ports"]] == here
    text = output_of(capsys, "list")
    assert all(f"\n{device} " in text for device in here) and (here or "no serial ports here" in text)
