"""The far ends of a virtual board's ports: sockets that come and go, and addresses that are none."""

import os
import socket

import pytest

from halfsilver.harness.errors import EXIT_USAGE, EnvironmentMissing, UsageError
from halfsilver.sim.board.links import LONGEST, UnixLink, enter_namespace, open_link


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path is 107 bytes at most
    return "wire"


@pytest.fixture
def link(path):
    made = open_link(f"unix:{path}")
    yield made
    made.close()
    assert not os.path.exists(path)


def client(path):
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end.settimeout(5)
    end.connect(path)
    return end


def test_frames_pass_as_they_are(link, path):
    assert link.receive() == [] and not link.present
    with client(path) as end:
        frames = [b"a", bytes(59), bytes(LONGEST)]
        for frame in frames:
            end.send(frame)
        assert link.receive() == frames and link.present
        for frame in frames:
            link.send(frame)
        link.flush()
        assert [end.recv(1 << 16) for _ in frames] == frames
        end.send(bytes(LONGEST + 1))
        assert link.receive() == []
    assert link.counts == {"received": 3, "sent": 3, "too long": 1}


def test_nobody_there_is_a_cable_that_is_out(link, path):
    link.send(b"gone")
    with client(path) as end:
        link.receive()
        link.send(b"here")
        link.flush()
        assert end.recv(100) == b"here"
        link.send(b"late")
    link.receive()
    assert not link.present and link.counts["lost"] == 2
    with client(path) as end:
        end.send(b"back")
        assert link.receive() == [b"back"]


def test_one_client_at_a_time(link, path):
    with client(path) as first, client(path) as second:
        second.send(b"second")
        first.send(b"first")
        assert link.receive() == [b"first"]
        assert link.receive() == []
        first.close()
        link.receive()
        assert link.receive() == [b"second"]


def test_who_takes_nothing_loses_frames_in_the_end_and_none_before(link, path):
    with client(path) as end:
        link.receive()
        count = 400
        for number in range(count):
            link.send(number.to_bytes(2, "big") + bytes(LONGEST - 2))
            link.flush()
        assert link.counts["lost"] and link.writing()
        taken = []
        while link.writing():
            taken.append(int.from_bytes(end.recv(1 << 16)[:2], "big"))
            link.flush()
        while link.counts["sent"] > len(taken):
            taken.append(int.from_bytes(end.recv(1 << 16)[:2], "big"))
        assert taken == list(range(len(taken))) and len(taken) + link.counts["lost"] == count
        assert len(taken) * LONGEST >= 4 << 20


def test_what_a_killed_board_left_behind_is_replaced(path):
    left = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    left.bind(path)
    left.close()
    UnixLink(path).close()


def test_a_board_that_is_there_keeps_its_socket(link, path):
    with pytest.raises(UsageError, match="a board listens there already") as caught:
        UnixLink(path)
    assert caught.value.exit_code == EXIT_USAGE and os.path.exists(path)


@pytest.mark.parametrize("address", ["", "unix:", "tap:", "packet:eth0", "/tmp/wire"])
def test_an_address_that_is_none(address):
    with pytest.raises(UsageError, match="must be tap:NAME, tap:NAME@NAMESPACE or unix:PATH"):
        open_link(address)


def test_no_socket_where_none_can_be(path):
    with open(path, "w"), pytest.raises(UsageError, match="unix:wire: no socket can be made there: Address already"):
        open_link("unix:wire")
    with pytest.raises(UsageError, match="unix:no/such/folder: no socket can be made there: No such file"):
        open_link("unix:no/such/folder")


def test_a_namespace_that_is_none():
    with pytest.raises(UsageError, match="network namespace nowhere: No such file or directory: `ip netns add"):
        open_link("tap:t0@nowhere")
    with enter_namespace(None):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may make TAP devices")
def test_a_tap_needs_root():
    with pytest.raises(EnvironmentMissing, match="TAP devices need root"):
        open_link("tap:halfsilver0")
