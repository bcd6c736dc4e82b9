"""Several processes behind one port: what one has answered all do, one that dies has a successor, and none is left."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError

from halfsilver.harness.cli import main
from tests.control.kits.postgresql_kit import needs_postgresql, postgresql
from tests.control.kits.serve_kit import INVENTORY, Server

URL = "postgresql://nobody@localhost/nothing"


def workers_of(server):
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return sorted(map(int, children))


def until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gone(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def answering(server):
    """Who answers new connections: each worker is another end of the port."""
    try:
        server.served.client("sts").get_caller_identity()
    except BotoCoreError:
        return False  # the kernel gave it to one that is dying
    return True


def listening(server):
    """Processes that have a socket that listens on the port."""
    port = f":{int(server.ready['url'].rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(port) and line[3] == "0A"}
    return [worker for worker in workers_of(server) if inodes & set(open_files(worker))]


def open_files(process):
    """What each of its descriptors is of; those that it closes meanwhile, or that end with it, are left out."""
    for number in range(1024):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f"/proc/{process}/fd/{number}")


@pytest.mark.parametrize("mark", [pytest.param(None, marks=needs_postgresql)])
def test_one_port_several_processes_one_state(mark, tmp_path):
    with postgresql() as url, Server(tmp_path / "state", "--database", url, "--workers", "2") as server:
        first = workers_of(server)
        assert len(first) == 2 and listening(server) == first
        made = {
            server.served.client().create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
            for _ in range(6)
        }
        for _ in range(6):  # each client has a connection of its own
            shown = server.served.client().describe_traffic_mirror_filters()["TrafficMirrorFilters"]
            assert {each["TrafficMirrorFilterId"] for each in shown} == made
        os.kill(first[0], signal.SIGKILL)
        until(lambda: len(set(listening(server)) - {first[0]}) == 2)
        until(lambda: answering(server))
        assert "another one takes its place" in server.log.read_text()
        second = workers_of(server)
        assert server.end() == 0 and all(map(gone, second))
        with Server(tmp_path / "state", "--database", url, "--workers", "2") as again:
            left = workers_of(again)
            again.end(signal.SIGKILL)
            until(lambda: all(map(gone, left)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workers", "0"], "must be 1 to"),
        (["--workers", "2"], "needs --database"),
        (["--workers", "2", "--database", URL, "--metrics", "0"], "--metrics is one process's"),
        (["--workers", "2", "--database", URL, "--audit", "log"], "--audit is one process's"),
        (["--workers", "2", "--database", URL, "--upstream", "http://localhost:1"], "--upstream is one process's"),
        (["--workers", "2", "--database", URL, "--with-moto"], "--with-moto is one process's"),
    ],
)
def test_what_several_processes_cannot_share_is_refused(options, said, tmp_path, capsys):
    state = tmp_path / "state"
    assert main(["serve", "--state", str(state), "--inventory", str(INVENTORY), *options]) == 2
    assert said in capsys.readouterr().err and not state.exists()
