"""Boards of a labgrid lab: what a place says, and a run through labgrid's own coordinator, exporter and client.

labgrid is not of this environment. With `pipx install labgrid`, or any other that has labgrid-client on the PATH, the
last tests start a coordinator and an exporter of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from halfsilver.harness.bench.labgrid import CLIENT, board_of_place
from halfsilver.harness.cli import main
from halfsilver.harness.engines.registry import make_engine
from halfsilver.harness.errors import EXIT_BOARD, EXIT_OK, EXIT_USAGE, CardUnreachable, EnvironmentMissing, UsageError
from tests.harness.bench.board_kit import Board, on_sockets
from tests.harness.bench.test_board_engine import POLICY, UP, words
from tests.harness.commands.cli_kit import FRAMES
from tests.harness.nic.transports.boards_kit import Uartbone, on_port_server, on_terminal

ENVIRONMENT = """targets:
  nic-1:
    resources:
    - NetworkSerialPort:
        port: 4711
        speed: 3000000
        host: bench1
        protocol: rfc2217
    - RemoteNetworkInterface:
        name: net
        ifname: eth1
        host: bench1
    - RemoteNetworkInterface:
        name: host
        ifname: eth2
        host: localhost
    - NetworkPowerPort:
        model: netio
        host: power
        index: 3
    - HalfsilverBoard:
        name: board
        patience: 60
        build_enis: 4
        build_hash: 8c043fdc
"""
"""As labgrid-client 26.0.1 prints it."""
INTERFACE = "- RemoteNetworkInterface:\n        name: host"
RAW = ("protocol: rfc2217", "protocol: raw")


def test_a_place_says_what_a_bench_file_says():
    board = board_of_place("nic-1", ENVIRONMENT, "bench1")
    assert (board.serial, board.baud) == ("rfc2217://bench1:4711?ign_set_control", 3_000_000)
    assert (board.net, board.host, board.patience) == ("packet:eth1", "packet:eth2", 60)
    assert board.build == {"enis": 4, "hash": "8c043fdc"}
    assert board.place == "labgrid: board nic-1"


def test_a_place_with_bytes_as_they_are_and_with_wires_of_its_own():
    text = ENVIRONMENT.replace(*RAW).replace("host: bench1\n        protocol", "host: ::1\n        protocol")
    board = board_of_place("nic-1", text + "        net: unix:/n\n", "bench1")
    assert (board.serial, board.net) == ("socket://[::1]:4711", "unix:/n")


@pytest.mark.parametrize(
    ("change", "here", "kind", "says"),
    [
        (("", ""), "desk", CardUnreachable, "interface eth1 is at bench1, and this is desk: frames are sent by"),
        (
            ("- NetworkPowerPort:", "- NetworkSerialPort:\n        port: 1\n        host: a\n    - X:"),
            "bench1",
            CardUnreachable,
            "place nic-1 has 2 serial ports: one must be called serial",
        ),
        (("- NetworkSerialPort", "- X"), "bench1", UsageError, "labgrid: board nic-1: needs either serial"),
        ((INTERFACE, INTERFACE.replace("host", "hots")), "bench1", UsageError, "board nic-1: needs host, the wire"),
        (("patience", "patiense"), "bench1", UsageError, "there is no key 'patiense'; did you mean patience"),
    ],
)
def test_a_place_that_is_no_board(change, here, kind, says):
    with pytest.raises(kind, match=says):
        board_of_place("nic-1", ENVIRONMENT.replace(*change), here)


def test_a_name_that_is_no_place(tmp_path, capsys):
    for name in ("labgrid:nic-1", "labgrid:/nic-1", "labgrid://", "labgrid://a/b"):
        with pytest.raises(UsageError, match="must be labgrid://PLACE"):
            make_engine(name, seed=1)
    assert main(words(tmp_path, "labgrid:nic-1")) == EXIT_USAGE
    assert capsys.readouterr().err.splitlines()[-1] == "error: labgrid:nic-1: must be labgrid://PLACE"


def test_without_labgrid(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentMissing, match=r"needs labgrid-client, .*: pipx install labgrid brings it"):
        make_engine("labgrid://nic-1", seed=1)


def in_a_lab(test):
    """Wants labgrid's programs."""
    missing = pytest.mark.skipif(shutil.which(CLIENT) is None, reason="labgrid is not installed: pipx install labgrid")
    return pytest.mark.tools(missing(test))


def client(*arguments: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"LG_USERNAME": user} if user else {})
    return subprocess.run([CLIENT, "-p", "nic-1", *arguments], env=environment, capture_output=True, text=True)


def patiently(*arguments: str) -> None:
    """A coordinator that has just been started does not answer yet, and an exporter's resources come by and by."""
    until = time.monotonic() + 30
    while (done := client(*arguments)).returncode:
        assert time.monotonic() < until, done.stderr
        time.sleep(0.2)


@contextlib.contextmanager
def lab(folder: Path, resources: dict, monkeypatch):
    """A coordinator, and an exporter of this place's resources."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("LG_COORDINATOR", address)
    (folder / "exporter.yaml").write_text(json.dumps({"nic-1": resources}))
    home = folder / "coordinator"  # where it keeps its places
    home.mkdir()
    programs = [
        ["labgrid-coordinator", "-l", address],
        ["labgrid-exporter", "-c", address, "--hostname", "localhost", "-n", "bench1", str(folder / "exporter.yaml")],
    ]
    with contextlib.ExitStack() as stack:
        for program in programs:
            process = stack.enter_context(subprocess.Popen(program, cwd=home, stderr=subprocess.DEVNULL))
            stack.callback(process.terminate)
            if process.args == programs[0]:
                patiently("create")
        patiently("add-match", "bench1/nic-1/*")
        patiently("acquire")
        patiently("release")
        yield


@contextlib.contextmanager
def board_in_a_lab(folder, monkeypatch, build_hash):
    """A board behind a port server and two sockets, of which a lab says that its build hash is this."""
    board = Board(POLICY, **UP, GIT_HASH=0x1691682D, BUILD_HASH=0x8C043FDC)
    with (
        on_sockets(board, folder) as (net, host),
        on_terminal(Uartbone(board.card)) as device,
        on_port_server(device) as place,
    ):
        port = {"host": "127.0.0.1", "port": int(place.rpartition(":")[2]), "speed": 3_000_000, "protocol": "rfc2217"}
        own = {"cls": "HalfsilverBoard", "net": net, "host": host, "patience": 5, "build_hash": build_hash}
        with lab(folder, {"NetworkSerialPort": port, "board": own}, monkeypatch):
            yield board


@in_a_lab
def test_a_run_on_a_board_of_a_lab(tmp_path, capsys, monkeypatch):
    """Acquired by it, and given back; refused while somebody else has it."""
    with board_in_a_lab(tmp_path, monkeypatch, "8c043fdc") as board:
        assert client("acquire", user="bob").returncode == 0
        assert main(words(tmp_path, "labgrid://nic-1")) == EXIT_BOARD
        said = capsys.readouterr().err.splitlines()[-1]
        assert "labgrid place nic-1: acquire: Error: Place nic-1 is already acquired by " in said and "/bob" in said
        assert client("release", user="bob").returncode == 0 and not board.card.written

        assert main(words(tmp_path, "labgrid://nic-1", "--json")) == EXIT_OK
        summary = json.loads(capsys.readouterr().out)
        assert summary["agreement"] and summary["passed"] == len(FRAMES) and summary["engine"] == "labgrid://nic-1"
        assert client("env").returncode, "the place was not given back"


@in_a_lab
def test_a_board_of_a_lab_with_another_bitstream(tmp_path, capsys, monkeypatch):
    with board_in_a_lab(tmp_path, monkeypatch, "8c043fdd") as board:
        assert main(words(tmp_path, "labgrid://nic-1")) == EXIT_BOARD
        said = capsys.readouterr().err.splitlines()[-1]
        assert "labgrid: board nic-1: its card is another build, hash '8c043fdc' instead of '8c043fdd'" in said
        assert client("env").returncode and not board.card.written
