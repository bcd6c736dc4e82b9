"""A wire to a board that is a process, and addresses of wires."""

import contextlib
import socket
import threading

import pytest

from halfsilver.harness.bench.wires import check_address, open_wire
from halfsilver.harness.errors import EXIT_BOARD, CardUnreachable, UsageError

FRAMES = [bytes([number & 255]) * length for number, length in enumerate((14, 60, 61, 1514, 9216))]


@contextlib.contextmanager
def listening(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()
        yield listener


def test_a_message_is_a_frame(tmp_path):
    with listening(tmp_path / "net") as listener:
        wire = open_wire(f"unix:{tmp_path}/net")
        board, _ = listener.accept()
        with board, contextlib.closing(wire):
            wire.send(FRAMES)
            assert [board.recv(1 << 16) for _ in FRAMES] == FRAMES
            for frame in FRAMES:
                board.send(frame)
            came = wire.receive(1.0)
            assert [each.data for each in came] == FRAMES
            assert [each.time_ns for each in came] == sorted(each.time_ns for each in came)
            assert wire.receive(0.01) == []


def test_two_ends_that_are_full_do_not_wait_for_each_other(tmp_path):
    """The board answers each frame with ten, and takes no other before it has sent them."""
    count, frame = 300, bytes(1500)
    with listening(tmp_path / "net") as listener:
        wire = open_wire(f"unix:{tmp_path}/net")
        board, _ = listener.accept()

        def answer():
            for _ in range(count):
                board.recv(1 << 16)
                for _ in range(10):
                    board.send(frame)

        thread = threading.Thread(target=answer)
        with board, contextlib.closing(wire):
            thread.start()
            wire.send([frame] * count)
            came = []
            while len(came) < 10 * count:
                came += wire.receive(1.0)
            thread.join()
            assert {each.data for each in came} == {frame}


def test_a_board_that_takes_nothing_is_said(tmp_path):
    with listening(tmp_path / "net") as listener:
        wire = open_wire(f"unix:{tmp_path}/net")
        board, _ = listener.accept()
        with board, contextlib.closing(wire), pytest.raises(CardUnreachable, match="takes no frame") as raised:
            wire.send([bytes(1500)] * 10_000)
        assert raised.value.exit_code == EXIT_BOARD


def test_a_board_that_goes_is_said(tmp_path):
    with listening(tmp_path / "net") as listener:
        wire = open_wire(f"unix:{tmp_path}/net")
        listener.accept()[0].close()
        with contextlib.closing(wire):
            with pytest.raises(CardUnreachable, match="the board went away"):
                wire.receive(1.0)
            with pytest.raises(CardUnreachable, match="the board went away"):
                wire.send(FRAMES)


def test_a_board_that_is_not_there_is_said(tmp_path):
    with pytest.raises(CardUnreachable, match="there is no such socket") as raised:
        open_wire(f"unix:{tmp_path}/none")
    assert raised.value.exit_code == EXIT_BOARD and "\n" not in str(raised.value)
    with listening(tmp_path / "left"):
        pass
    with pytest.raises(CardUnreachable, match="nobody listens there any more"):
        open_wire(f"unix:{tmp_path}/left")
    with pytest.raises(CardUnreachable, match="cannot be opened"):
        open_wire("unix:" + "x" * 500)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("eth0", "must be packet:INTERFACE"),
        ("pakcet:eth0", "did you mean packet:eth0?"),
        ("packet:", "must be packet:INTERFACE"),
        ("", "must be packet:INTERFACE"),
        ("tap:x", "must be packet:INTERFACE"),
    ],
)
def test_what_is_no_address_is_refused(address, problem):
    with pytest.raises(UsageError) as raised:
        check_address(address)
    assert problem in str(raised.value)
