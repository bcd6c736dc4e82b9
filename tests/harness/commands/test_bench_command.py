"""`halfsilver bench init`: what is plugged in becomes a bench file that `--engine board:NAME` takes."""

import tomllib
from types import SimpleNamespace

import pytest
from serial.tools import list_ports

from halfsilver.harness.bench.bench_file import read_bench
from halfsilver.harness.bench.packet_wire import free_interfaces
from halfsilver.harness.cli import main
from halfsilver.harness.commands.card.bench import bench_file, write_bench
from halfsilver.harness.errors import EXIT_NOTHING, EXIT_USAGE, UsageError
from halfsilver.hdl.layout.version import VERSION
from tests.boards.test_report import nextpnr, report_of


def port(device, serial, location, vid=0x0403, pid=0x6010, product=None):
    return SimpleNamespace(
        device=device, serial_number=serial, location=location, vid=vid, pid=pid, product=product, description="a port"
    )


VERSA = [port(f"/dev/ttyUSB{n}", "FT1", f"1-2:1.{n}", product="Lattice ECP5_5G VERSA Board") for n in (1, 0)]
ADAPTER = port("/dev/ttyUSB7", None, "1-3", 0x10C4, 0xEA60)


def test_two_boards(tmp_path):
    file = tmp_path / "bench.toml"
    file.write_text(bench_file([*VERSA, ADAPTER], ["eth1", "eth2", "eth3", "eth4", "eth5"]))
    versa, adapter = read_bench(str(file)).values()
    assert (versa.name, versa.usb_serial, versa.usb_location) == ("versa-ecp5-5g", "FT1", "1.1")
    assert (versa.net, versa.host, versa.loader) == ("packet:eth1", "packet:eth2", "versa-ecp5-5g")
    assert versa.build == {"version": VERSION}
    assert (adapter.name, adapter.serial, adapter.net) == ("board", "/dev/ttyUSB7", "packet:eth3")
    assert "# More interfaces that nothing seems to use: packet:eth5\n" in file.read_text()


def test_a_bitstream_that_was_made_here_is_the_one_to_be_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "build" / "boards" / "versa-ecp5-5g"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(report_of(nextpnr()).to_json())
    versa, adapter = tomllib.loads(bench_file([*VERSA, ADAPTER], []))["board"].values()
    assert versa["build"] == {"version": VERSION, "git": "1691682d", "hash": "8c043fdc"}
    assert adapter["build"] == {"version": VERSION}


def test_boards_of_one_kind_get_numbers():
    other = [port(f"/dev/ttyUSB{n + 3}", "FT2", f"1-4:1.{n}", product=VERSA[0].product) for n in (0, 1)]
    boards = tomllib.loads(bench_file([*VERSA, *other], []))["board"]
    assert list(boards) == ["versa-ecp5-5g", "versa-ecp5-5g-2"]
    assert [board["usb_serial"] for board in boards.values()] == ["FT1", "FT2"]


def test_what_cannot_be_known_is_left_to_be_filled_in(tmp_path, capsys):
    text = bench_file(VERSA, ["eth1"])
    assert 'net = "packet:eth1"\n# host = "packet:..."' in text
    write_bench(str(tmp_path / "bench.toml"), text)
    assert "to be filled in: " in (said := capsys.readouterr().err) and "needs host, the wire" in said


def test_a_file_that_is_there_stays(tmp_path, capsys):
    file = tmp_path / "bench.toml"
    write_bench(str(file), bench_file(VERSA, ["eth1", "eth2"]))
    assert capsys.readouterr().out == f"{file}: 1 board: versa-ecp5-5g\n"
    with pytest.raises(UsageError, match="bench.toml is there already"):
        write_bench(str(file), "")
    assert file.read_text()


@pytest.mark.skipif(any(each.vid for each in list_ports.comports()), reason="this machine has a USB serial port")
def test_nothing_plugged_in_is_no_success(tmp_path, capsys):
    assert main(["bench", "init", "-o", str(tmp_path / "bench.toml")]) == EXIT_NOTHING
    assert "no USB serial port is plugged in" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_wrong_action_is_named(capsys):
    with pytest.raises(SystemExit) as raised:
        main(["bench", "inti"])
    assert raised.value.code == EXIT_USAGE and "did you mean init?" in capsys.readouterr().err


def test_interfaces_that_nothing_uses(tmp_path):
    for name, kind, hardware in (("eth0", 1, True), ("eth1", 1, True), ("lo", 772, True), ("veth0", 1, False)):
        (tmp_path / "net" / name / ("device" if hardware else "")).mkdir(parents=True)
        (tmp_path / "net" / name / "type").write_text(f"{kind}\n")
    routes = tmp_path / "route"
    routes.write_text("Iface\tDestination\neth0\t00000000\n")
    assert free_interfaces(tmp_path / "net", routes) == ["eth1"]
