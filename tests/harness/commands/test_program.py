"""halfsilver program and doctor, with an openFPGALoader that a test made on a PATH of its own."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.boards.test_loader import NO_ADAPTER, fake
from tests.harness.commands.cli_kit import output_of, run

HEADER = b"\xff\x00Part: LFE5U-25F-6CABGA256\x00\xff\xff\xff\xbd\xb3"


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A current directory with a bitstream, and a PATH with nothing but a loader."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    folder = tmp_path / "build" / "boards" / "colorlight-5a-75b"
    folder.mkdir(parents=True)
    (folder / "colorlight-5a-75b.bit").write_bytes(HEADER)
    return tmp_path


def test_into_ram_unless_flash_is_asked_for(bench, capsys):
    fake(bench / "bin", "Loading: [===] 100.00%\nDone\n", 0)
    said = output_of(capsys, "program", "colorlight-5a-75b")
    assert "is in RAM" in said and hashlib.sha256(HEADER).hexdigest() in said
    assert (bench / "bin" / "asked").read_text().split() == [
        *("-b", "colorlight", "-c", "ft232", "--write-sram"),
        "build/boards/colorlight-5a-75b/colorlight-5a-75b.bit",
    ]
    document = json.loads(output_of(capsys, "program", "colorlight-5a-75b", "--flash", "--json"))
    assert document["into"] == "flash" and "--write-flash" in (bench / "bin" / "asked").read_text()


def test_a_board_that_is_not_there(bench, capsys):
    fake(bench / "bin", NO_ADAPTER)
    assert run("program", "colorlight-5a-75b") == 4
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: colorlight-5a-75b: no adapter of that kind on USB") and "--cable" in said


def test_no_loader(bench, capsys):
    assert run("program", "colorlight-5a-75b") == 3
    assert "openFPGALoader is not here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("versa-ecp5-5g",), "`halfsilver build versa-ecp5-5g` makes it"),
        (("versa-ecp5-5g", "--bitstream", "none.bit"), "none.bit: no such bitstream"),
        (
            ("versa-ecp5-5g", "--bitstream", "build/boards/colorlight-5a-75b/colorlight-5a-75b.bit"),
            "is for LFE5U-25F-6CABGA256; versa-ecp5-5g has LFE5UM5G-45F-8",
        ),
        (("versa-ecp5-5g", "--bitstream", "bin/openFPGALoader"), "is not a bitstream of ecppack's"),
        (("versa-ecp5-5g", "--bitstream", "bin"), "bin: cannot be read"),
        (("versa",), "(did you mean versa-ecp5-5g?)"),
        (("colorlight5a75b",), "(did you mean colorlight-5a-75b?)"),
    ],
)
def test_what_cannot_be_loaded_never_reaches_the_loader(bench, capsys, arguments, says):
    fake(bench / "bin", "", 0)
    assert run("program", *arguments) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1 and not (bench / "bin" / "asked").exists()


def test_doctor_and_the_loader(bench, capsys):
    rows = {line.split()[0]: line for line in _doctor(capsys).splitlines() if line}
    assert rows["openFPGALoader"].split()[1:3] == ["-", "absent"]
    fake(bench / "bin", "openFPGALoader v1.1.1\n", 0)
    rows = {line.split()[0]: line for line in _doctor(capsys).splitlines() if line}
    assert rows["openFPGALoader"].split()[1:3] == ["1.1.1", "PASS"]


def _doctor(capsys) -> str:
    """Its output; with this PATH it misses a compiler, which is another matter."""
    assert run("doctor") == 3
    return capsys.readouterr().out
