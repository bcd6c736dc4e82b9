"""A client for measurements: signs requests beforehand, sends them over connections that stay open, counts.

It does as little as a client can while the clock runs, so that what is measured is the server.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from halfsilver.harness.errors import HalfsilverError

__all__ = ["Client", "Memory", "Run", "processor_seconds"]

SECONDS = 120
"""How long the server may leave a connection without an answer."""
VERSION = "2016-11-15"
_PIECE = 1 << 18


@dataclass(frozen=True, slots=True)
class Run:
    """What came of some requests: wall-clock seconds, seconds from each request to its answer, bodies in order."""

    seconds: float
    waits: list[float]
    bodies: list[bytes]


class Client:
    """Of one server, as one user.

    address      host and port, without TLS
    credentials  None: requests are not signed
    """

    def __init__(self, address: tuple[str, int], region: str, credentials: Credentials | None) -> None:
        self._address = address
        self._region = region
        self._credentials = credentials

    def request(self, operation: str, **parameters: object) -> bytes:
        """A request of EC2 as it goes over the wire, signed now; parameters have their names on the wire."""
        named = {name.replace("_", "."): str(value) for name, value in parameters.items()}
        body = urlencode({"Action": operation, "Version": VERSION, **named})
        request = AWSRequest(
            "POST",
            "http://{}:{}/".format(*self._address),
            data=body.encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        )
        if self._credentials is not None:
            SigV4Auth(self._credentials, "ec2", self._region).add_auth(request)
        headers = {"Host": "{}:{}".format(*self._address), **dict(request.headers), "Content-Length": len(body)}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST / HTTP/1.1\r\n{head}\r\n{body}".encode("latin-1")

    def run(self, requests: Sequence[bytes], connections: int = 1) -> Run:
        """Send the requests, each connection its next one when it has the answer to the one before.

        HalfsilverError for an answer that is not 200.
        """
        waiting = iter(enumerate(requests))
        waits, bodies = [0.0] * len(requests), [b""] * len(requests)
        with selectors.DefaultSelector() as selector:
            lines = [_Line(self._address) for _ in range(min(connections, len(requests)))]
            try:
                start = time.perf_counter()
                for line in lines:
                    selector.register(line.socket, selectors.EVENT_READ, line)
                    line.send(waiting)
                open_lines = len(lines)
                while open_lines:
                    ready = selector.select(SECONDS)
                    if not ready:
                        raise HalfsilverError(f"the server has not answered for {SECONDS} seconds")
                    for key, _ in ready:
                        line = key.data
                        body = line.receive()
                        if body is None:
                            continue
                        waits[line.number], bodies[line.number] = time.perf_counter() - line.sent, body
                        if not line.send(waiting):
                            selector.unregister(line.socket)
                            open_lines -= 1
                seconds = time.perf_counter() - start
            finally:
                for line in lines:
                    line.socket.close()
        return Run(seconds, waits, bodies)


class _Line:
    """One connection, with the number of the request that is under way and when it was sent."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = -1
        self.sent = 0.0
        self._received = bytearray()

    def send(self, waiting: Iterator[tuple[int, bytes]]) -> bool:
        """The next request, if there is one."""
        number, request = next(waiting, (-1, b""))
        if not request:
            return False
        self.number, self.sent = number, time.perf_counter()
        self.socket.sendall(request)
        return True

    def receive(self) -> bytes | None:
        """What has arrived: the body of the answer if it is whole."""
        piece = self.socket.recv(_PIECE)
        if not piece:
            raise HalfsilverError("the server has closed the connection")
        self._received += piece
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return None
        _, _, length = head.lower().partition(b"\r\ncontent-length:")
        if len(rest) < int(length.partition(b"\r\n")[0]):
            return None
        self._received.clear()
        if not head.startswith(b"HTTP/1.1 200 "):
            status = head.partition(b"\r\n")[0].decode("latin-1")
            raise HalfsilverError(f"the server answered {status}: {rest[:300].decode('utf-8', 'replace')}")
        return bytes(rest)


def processor_seconds(process: int) -> float:
    """Processor time that a process has used so far, its own and the kernel's for it (clock_getcpuclockid(3))."""
    return time.clock_gettime(~process << 3 | 2)


class Memory:
    """Of a process, in bytes: what it has, and the most that it had since this was made (proc_pid_status(5))."""

    def __init__(self, process: int) -> None:
        self._status = Path(f"/proc/{process}/status")
        self._status.with_name("clear_refs").write_text("5")  # the peak is now what there is

    def now(self) -> int:
        return self._read("VmRSS:")

    def peak(self) -> int:
        return self._read("VmHWM:")

    def _read(self, name: str) -> int:
        return int(self._status.read_text().partition(name)[2].split()[0]) * 1024
