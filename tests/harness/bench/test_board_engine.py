"""Boards by their names in a bench file, on the command line; and runs that are recorded and played."""

import contextlib
import dataclasses
import json
import re
from types import SimpleNamespace

import pytest

from halfsilver.harness.bench.bench_file import check_build, port_of, read_bench
from halfsilver.harness.cli import main
from halfsilver.harness.engines.registry import ENGINES, Ability, entry_of, make_engine
from halfsilver.harness.errors import (
    EXIT_BOARD,
    EXIT_ENVIRONMENT,
    EXIT_OK,
    EXIT_USAGE,
    CardUnreachable,
    UsageError,
    WrongCard,
)
from halfsilver.harness.nic.identity import Card
from halfsilver.harness.policy.policy import Policy
from halfsilver.hdl.layout.card_registers import CARD_ID, CARD_REGISTERS, Origin
from halfsilver.hdl.layout.parameters import NicShape
from tests.harness.bench.board_kit import Board, on_sockets
from tests.harness.commands.cli_kit import DOCUMENTS, FRAMES, write_capture, write_policy
from tests.harness.nic.transports.boards_kit import Silent, Uartbone, on_terminal

POLICY = Policy.from_documents(DOCUMENTS)
UP = {
    "CARD_ID": CARD_ID,
    "CARD_SHAPE": CARD_REGISTERS.pack("CARD_SHAPE", ports=2),
    **dict.fromkeys(("NET_LINK", "HOST_LINK"), CARD_REGISTERS.pack("NET_LINK", up=1, speed=2, duplex=1, clock=1)),
}


@contextlib.contextmanager
def bench(folder, board, serial_side=None, extra=""):
    """A bench file for a board on a pseudo-terminal and two sockets."""
    with on_sockets(board, folder) as (net, host), on_terminal(serial_side or Uartbone(board.card)) as device:
        file = folder / "bench.toml"
        file.write_text(f'[board.desk]\nserial = "{device}"\nnet = "{net}"\nhost = "{host}"\n{extra}')
        yield file


def words(folder, engine, *more):
    capture, policy = write_capture(folder), write_policy(folder)
    return ["mirror", "-r", capture, "-c", policy, "--engine", engine, *map(str, more)]


@pytest.mark.slow
def test_a_board_judges_like_the_model(tmp_path, capsys):
    """Over a serial line and sockets, compared with the golden model; then from the recording, without the board."""
    board = Board(POLICY, **UP)
    record = tmp_path / "run.jsonl"
    with bench(tmp_path, board, extra='patience = 5\n[board.desk.build]\nenis = 1\nversion = "0.1.0"\n') as file:
        found = words(tmp_path, "board:desk", "--rig", file, "--json", "--record", record)
        assert main(found) == EXIT_OK
    said = capsys.readouterr()
    summary = json.loads(said.out)
    assert summary["agreement"] and summary["conserved"] and summary["passed"] == summary["offered"] == len(FRAMES)
    played = words(tmp_path, f"replay:{record}", "--json", "-w", tmp_path / "out.pcapng")
    assert main(played) == EXIT_OK
    assert json.loads(capsys.readouterr().out) == summary | {"engine": f"replay:{record}"}
    assert (tmp_path / "out.pcapng").stat().st_size

    full = [*played, "--record", "/dev/full", "--verdicts", str(tmp_path / "v.jsonl")]
    assert main(full) == EXIT_ENVIRONMENT
    said = capsys.readouterr()
    assert json.loads(said.out)["conserved"] and len((tmp_path / "v.jsonl").read_text().splitlines()) == len(FRAMES)
    assert said.err.splitlines()[-1].startswith("error: /dev/full: No space left on device: the recording ends after 0")

    other = write_capture(tmp_path, FRAMES[::-1], "other.pcap")
    assert main([*played[:2], other, *played[3:]]) == EXIT_USAGE
    said = capsys.readouterr().err
    assert re.search(
        r"run.jsonl, line \d+: the recorded run has a line of another send where this one has a send", said
    )
    for command in ("counters", "explain"):
        assert main([command, *played[1:5], "--engine", "golden", "--record", str(tmp_path / "x")]) == EXIT_USAGE
        assert "--record is for engines behind wires, " in capsys.readouterr().err


@pytest.mark.slow
def test_what_is_wrong_with_a_rig_is_one_line(tmp_path, capsys):
    """Exit code 4; nothing was written to the card."""

    def says(line, board, serial_side=None, extra=""):
        with bench(tmp_path, board, serial_side, extra) as file:
            assert main(words(tmp_path, "board:desk", "--rig", file)) == EXIT_BOARD
        for side in ("net", "host"):
            (tmp_path / side).unlink()
        said = [each for each in capsys.readouterr().err.splitlines() if each.startswith("error")]
        assert len(said) == 1 and re.search(line, said[0]), said
        assert board.card.written == []

    fine = Board(POLICY, **UP)
    says("its card is another build, rules 3 instead of 10$", fine, extra="[board.desk.build]\nrules = 10\n")
    says(
        "rules 3 instead of 10: `halfsilver program x` loads another",
        fine,
        extra='loader="x"\n[board.desk.build]\nrules=10\n',
    )
    made = Board(POLICY, **UP, GIT_HASH=0x1691682D, BUILD_HASH=0x8C043FDC)
    says(
        "its card is another build, git '1691682d' instead of '261024ad', hash '8c043fdc' instead of '8c043fdd'$",
        made,
        extra='[board.desk.build]\ngit = "261024ad"\nhash = "8c043fdd"\n',
    )
    says("nothing answers", fine, Silent())
    down = dict(UP, HOST_LINK=CARD_REGISTERS.pack("HOST_LINK", up=0, clock=0))
    says("the card's host port has no link, and its PHY gives no clock", Board(POLICY, **down))
    says("no Halfsilver core", Board(POLICY, ID=0x12345678))


def test_a_wire_that_is_not_there_is_one_line(tmp_path, capsys):
    board = Board(POLICY)
    with on_terminal(Uartbone(board.card)) as device:
        file = tmp_path / "bench.toml"
        file.write_text(f'[board.a]\nserial="{device}"\nnet="unix:{tmp_path}/no"\nhost="unix:{tmp_path}/no"\n')
        assert main(words(tmp_path, "board:a", "--rig", file)) == EXIT_BOARD
    assert "/no: there is no such socket" in capsys.readouterr().err


def test_where_the_bench_file_is(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words(tmp_path, "board:a")) == EXIT_USAGE
    assert "there is no bench file bench.toml: `halfsilver bench init` writes one" in capsys.readouterr().err
    (tmp_path / "mine.toml").write_text('[board.versa]\nserial="/x"\nnet="unix:/n"\nhost="unix:/h"\n')
    monkeypatch.setenv("HALFSILVER_RIG", "mine.toml")
    assert main(words(tmp_path, "board:vesra")) == EXIT_USAGE
    assert "mine.toml: there is no board 'vesra'; did you mean versa?" in capsys.readouterr().err
    with pytest.raises(CardUnreachable, match="there is no serial port /x"):
        make_engine("board:versa", seed=1)


def test_engines_with_a_name_behind_them():
    assert entry_of("board:x").shown == "board:NAME" and entry_of("replay:a/b:c").shown == "replay:FILE"
    assert Ability.BAD_FRAMES not in entry_of("board:x").abilities
    for wrong in ("board", "board:", "golden:x", "bord:x", ""):
        with pytest.raises(UsageError, match="there is no engine"):
            entry_of(wrong)
    with pytest.raises(UsageError, match="did you mean board:NAME"):
        entry_of("board")
    assert [entry.name for entry in ENGINES.values() if entry.wired]


GOOD = '[board.a]\nserial = "/dev/x"\nnet = "packet:eth1"\nhost = "unix:/h"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[bord.a]\n", "there is no key 'bord'; did you mean board?"),
        ("", r"names no board: \[board.NAME\] begins one"),
        ("board = 3", "names no board"),
        ("[board]\na = 3", "board a: must be a table"),
        ("[board.a\n", "is no TOML: .*line 1"),
        (GOOD + 'hots = "x"', "board a: there is no key 'hots'; did you mean host?"),
        (GOOD + "baud = 0", "baud = 0: must be a number above 0"),
        (GOOD + 'baud = "1"', "must be a number above 0"),
        (GOOD + "patience = -1", "patience = -1: must be a number above 0"),
        (GOOD + "baud = true", "must be a number above 0"),
        (GOOD + "loader = 3", "loader = 3: must be a text"),
        (GOOD + 'build = "x"', "build = 'x': must be a table"),
        (GOOD + 'usb_serial = "x"', "needs either serial, a device or URL, or usb_serial"),
        (GOOD.replace('serial = "/dev/x"', ""), "needs either serial"),
        (GOOD.replace('net = "packet:eth1"', ""), "needs net, the wire to its net port"),
        (GOOD.replace("packet:", "paket:"), "board a: net: wire 'paket:eth1': did you mean packet:eth1?"),
    ],
)
def test_a_bench_file_that_is_wrong_is_refused(tmp_path, text, says):
    file = tmp_path / "bench.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=says) as raised:
        read_bench(str(file))
    assert str(raised.value).startswith(str(file)) and "\n" not in str(raised.value)


def port(device, serial, location):
    return SimpleNamespace(device=device, serial_number=serial, location=location)


PORTS = [port("/dev/ttyUSB0", "FT1", "1-2:1.0"), port("/dev/ttyUSB1", "FT1", "1-2:1.1"), port("/dev/ttyS0", None, None)]


def test_a_port_by_its_usb_serial_number(tmp_path):
    """FTDI's chips have one number for all their ports; the location tells them apart."""
    file = tmp_path / "bench.toml"
    file.write_text(GOOD.replace('serial = "/dev/x"', 'usb_serial = "FT1"\nusb_location = "1.1"'))
    board = read_bench(str(file))["a"]
    assert port_of(board, lambda: PORTS) == "/dev/ttyUSB1"
    assert port_of(dataclasses.replace(board, usb_location=""), lambda: PORTS[1:]) == "/dev/ttyUSB1"
    with pytest.raises(CardUnreachable, match=r"\(/dev/ttyUSB0 at 1-2:1.0, /dev/ttyUSB1 at 1-2:1.1\) 2 are"):
        port_of(dataclasses.replace(board, usb_location=""), lambda: PORTS)
    with pytest.raises(CardUnreachable, match="no serial port has the USB serial number FT2: see that it is"):
        port_of(dataclasses.replace(board, usb_serial="FT2"), lambda: PORTS)


def test_the_expected_build(tmp_path):
    file = tmp_path / "bench.toml"
    file.write_text(GOOD + "[board.a.build]\nenis = 4\nrule = 10\n")
    board = read_bench(str(file))["a"]
    with pytest.raises(UsageError, match="board a, build: there is no key 'rule'; did you mean rules?"):
        check_build(board, Card("0.1.0", NicShape()))
    for name, text in (("git", 16916824), ("hash", "8c043f"), ("hash", "8C043FDC")):
        with pytest.raises(UsageError, match=f"build: {name} = {text!r}: must be eight hexadecimal digits, in quotes"):
            check_build(dataclasses.replace(board, build={name: text}), Card("0.1.0", NicShape()))
    board = dataclasses.replace(board, build={"hash": "8c043fdc"})
    check_build(board, Card("0.1.0", NicShape(), Origin(7, 0x8C043FDC)))
    with pytest.raises(WrongCard, match="hash '00000000' instead of '8c043fdc'"):
        check_build(board, Card("0.1.0", NicShape()))
    board = dataclasses.replace(board, build={"version": "0.1.0", "enis": 4})
    check_build(board, Card("0.1.0", NicShape()))
    with pytest.raises(WrongCard, match="version '0.2.0' instead of '0.1.0', enis 2 instead of 4"):
        check_build(board, Card("0.2.0", NicShape(enis=2)))
