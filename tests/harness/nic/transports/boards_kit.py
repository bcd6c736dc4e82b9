"""Boards of all kinds on a pseudo-terminal or a TCP port, without gateware: what each says to what it is told."""

import contextlib
import os
import pty
import select
import socket
import threading
import tty

import serial
from serial import rfc2217

from tests.hdl.bus.uartbone_kit import BoneModel

QUIET = 0.1
"""Seconds without a byte: a pause."""


class Silent:
    """Takes what comes, and says nothing."""

    def told(self, octets):
        return b""

    def pause(self):
        pass


class Uartbone(Silent):
    """Speaks uartbone, by the model of the protocol, in front of a card in memory. ``spoil`` may change an answer."""

    def __init__(self, card, spoil=bytes):
        self.card, self.spoil = card, spoil
        self.model = BoneModel(lambda place: card.read([place])[0])

    def told(self, octets):
        for octet in octets:
            self.model.byte(octet)
            self.card.write(self.model.writes)
            self.model.writes.clear()
        answer = bytes(self.model.answers)
        self.model.answers.clear()
        return self.spoil(answer) if answer else b""

    def pause(self):
        self.model.silence()


class Saying(Silent):
    """Answers with what a function makes of what came."""

    def __init__(self, says):
        self.told = says


@contextlib.contextmanager
def in_thread(target, *arguments):
    thread = threading.Thread(target=target, args=arguments)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def place_of(listener):
    return "{}:{}".format(*listener.getsockname())


@contextlib.contextmanager
def on_terminal(board, babble=b""):
    """A device at which the board answers; ``babble`` is said all the time, unasked."""
    ours, theirs = pty.openpty()
    for end in (ours, theirs):
        tty.setraw(end)
    stop, stopped = os.pipe()

    def serve():
        while stop not in (ready := select.select([ours, stop], [], [], 0.02 if babble else QUIET)[0]):
            if babble:
                os.write(ours, babble)
            elif not ready:
                board.pause()
            if ready and (answer := board.told(os.read(ours, 4096))):
                os.write(ours, answer)

    with in_thread(serve):
        try:
            yield os.ttyname(theirs)
        finally:
            os.write(stopped, b"!")
    for end in (ours, theirs, stop, stopped):
        os.close(end)


@contextlib.contextmanager
def on_tcp(board, leave_after=1 << 30):
    """A port of this machine at which the board answers, one program at a time; it goes after so many bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):  # closed
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        talk(connection)

        def talk(connection):
            left = leave_after
            while left > 0:
                if not select.select([connection], [], [], QUIET)[0]:
                    board.pause()
                    continue
                octets = connection.recv(4096)
                if not octets:
                    return
                left -= len(octets)
                connection.sendall(board.told(octets))

        with in_thread(serve):
            try:
                yield f"127.0.0.1:{listener.getsockname()[1]}"
            finally:
                listener.shutdown(socket.SHUT_RDWR)


class TerminalPort(serial.Serial):
    """A pseudo-terminal has no modem lines, and pyserial's server asks for them."""

    cts = dsr = ri = cd = dtr = rts = True
    break_condition = False


@contextlib.contextmanager
def on_port_server(device):
    """A TCP port that passes the device on as RFC 2217 has it, with pyserial's own server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection, TerminalPort(device, timeout=0) as port, connection.makefile("wb", buffering=0) as out:
                manager = rfc2217.PortManager(port, out)
                while True:
                    ready, _, _ = select.select([connection, port], [], [], QUIET)
                    if connection in ready:
                        octets = connection.recv(4096)
                        if not octets:
                            return
                        port.write(b"".join(manager.filter(octets)))
                    if port in ready:
                        out.write(b"".join(manager.escape(port.read(4096))))

        with in_thread(serve):
            yield place_of(listener)
