"""openFPGALoader's command lines, and its texts: those it was seen to print without a board, and those of its users."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from halfsilver.boards import BOARDS
from halfsilver.boards.loader import BoardUnreachable, cause_of, command_of, find_loader, load, version_of
from halfsilver.harness.errors import EnvironmentMissing, HalfsilverError, UsageError

VERSA, COLORLIGHT, ECPIX = BOARDS["versa-ecp5-5g"], BOARDS["colorlight-5a-75b"], BOARDS["ecpix5-85f"]
NO_ADAPTER = (
    "empty\nunable to open ftdi device: -3 (device not found)\nJTAG init failed with: unable to open ftdi device\n"
)


def fake(folder: Path, text: str, status: int = 1) -> Path:
    """An openFPGALoader that says this and ends so."""
    (folder / "said").write_text(text)
    program = folder / "openFPGALoader"
    program.write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\n/bin/cat {folder}/said\nexit {status}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest.mark.parametrize(
    ("board", "options", "wanted"),
    [
        (VERSA, {}, "-c ft2232 --write-sram x.bit"),
        (VERSA, {"serial": "FT1"}, "-c ft2232 --ftdi-serial FT1 --write-sram x.bit"),
        (COLORLIGHT, {}, "-b colorlight -c ft232 --write-sram x.bit"),
        (COLORLIGHT, {"cable": "usb-blaster"}, "-b colorlight -c usb-blaster --write-sram x.bit"),
        (ECPIX, {"flash": True}, "-b ecpix5 --write-flash x.bit"),
        (ECPIX, {"cable": "ft4232"}, "-b ecpix5 -c ft4232 --write-sram x.bit"),
    ],
)
def test_command_lines(board, options, wanted):
    assert command_of(board, Path("openFPGALoader"), Path("x.bit"), **options) == ["openFPGALoader", *wanted.split()]


def test_flash_is_written_only_when_asked():
    for board in BOARDS.values():
        assert "--write-flash" not in command_of(board, Path("l"), Path("x.bit"))


CASES: list[tuple[str, type[HalfsilverError], str]] = [
    (NO_ADAPTER, BoardUnreachable, "no adapter of that kind on USB"),
    ("unable to open ftdi device: -4 (usb_open() failed)\nJTAG init failed with: x\n", BoardUnreachable, "udev rule"),
    ("unable to open ftdi device: -4 (libusb_open() failed)\n", BoardUnreachable, "udev rule"),
    ("unable to open ftdi device: -6 (ftdi_usb_reset failed)\n", BoardUnreachable, "another program, or the kernel"),
    ("fails to open device\nJTAG init failed with: std::exception\n", BoardUnreachable, "no adapter of that kind"),
    ("JTAG init failed with: can't find compatible device\n", BoardUnreachable, "no adapter of that kind"),
    ("empty\nerror : nosuch not found\n", UsageError, "does not know the cable nosuch"),
    ("Jtag: support for cmsisdap was not enabled at compile time\n", EnvironmentMissing, "without the cable cmsisdap"),
    ("Error: cannot find board 'ecpix5_r03'\n", EnvironmentMissing, "does not know the board ecpix5_r03"),
    (
        "openFPGALoader: error while loading shared libraries: libusb-1.0.so.0: cannot open shared object file\n",
        EnvironmentMissing,
        "libusb-1.0.so.0 is missing",
    ),
    ("mismatch between target's idcode and bitstream idcode\n", BoardUnreachable, "another FPGA"),
    ("Error: more than one FPGA found\n", BoardUnreachable, "more than one FPGA"),
    ("mpsse_write: fail to write with error -1 (usb bulk write failed)\n", BoardUnreachable, "stopped answering"),
    ("Error: block protection is set\n       can't unlock without --unprotect-flash\n", BoardUnreachable, "protected"),
    ("empty\nsomething new\n", BoardUnreachable, "failed with status 1: something new"),
    ("", BoardUnreachable, "it says nothing"),
]


@pytest.mark.parametrize(("text", "error", "says"), CASES)
def test_causes(tmp_path, text, error, says):
    with pytest.raises(HalfsilverError) as caught:
        load([str(fake(tmp_path, text))])
    assert type(caught.value) is error and says in str(caught.value)
    assert caught.value.exit_code == {BoardUnreachable: 4, EnvironmentMissing: 3, UsageError: 2}[error]
    assert "\n" not in str(caught.value)


def test_a_load_that_the_fpga_refused_is_none_whatever_the_status(tmp_path):
    """Issue 39 of openFPGALoader has this text."""
    text = "Open file blink.bit DONE\nSRAM erase: DONE\nLoading: [=====] 100.000000%\nFail\ndisplayReadReg\n"
    with pytest.raises(BoardUnreachable, match="did not take the bitstream"):
        load([str(fake(tmp_path, text + "\tDevice failed to verify\n", status=0))])


def test_a_good_load_says_so_as_it_comes(tmp_path):
    heard: list[str] = []
    load([str(fake(tmp_path, "Loading: [====] 100.00%\nDone\n", status=0)), "x"], heard.append)
    assert "".join(heard) == "Loading: [====] 100.00%\nDone\n"


def test_one_that_hangs_is_ended(tmp_path):
    program = fake(tmp_path, "")
    program.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    with pytest.raises(BoardUnreachable, match="did not end within 0.2 seconds"):
        load([str(program)], timeout=0.2)


def test_where_it_is_looked_for(tmp_path):
    with pytest.raises(EnvironmentMissing, match="apt install openfpgaloader"):
        find_loader(str(tmp_path))
    program = fake(tmp_path, "openFPGALoader v1.1.1\n", 0)
    assert find_loader(str(tmp_path)) == program and version_of(program) == "1.1.1"
    assert (tmp_path / "asked").read_text() == "--Version\n"
    assert version_of(tmp_path / "absent") is None
    with pytest.raises(EnvironmentMissing, match="cannot be run"):
        load([str(tmp_path / "absent")])


def test_an_unknown_text_is_never_success():
    assert isinstance(cause_of("all is well", 1), BoardUnreachable)
