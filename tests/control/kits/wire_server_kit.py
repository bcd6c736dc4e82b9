"""A server process with nothing behind it (``wire_server.py``), and plain sockets to talk to it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

ROOT = Path(__file__).parents[3]
PATIENCE = 20
BODY = b"Action=DescribeTags&Version=2016-11-15"


def command(options: dict[str, Any]) -> dict[str, Any]:
    script = Path(__file__).with_name("wire_server.py")
    return {
        "args": [sys.executable, str(script), json.dumps(options)],
        "text": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": {**os.environ, "PYTHONPATH": str(ROOT)},
    }


class Running:
    """A server process, its URL and its port."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.url = process.stdout.readline().strip()
        self.port = int(self.url.rpartition(":")[2] or 0)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """From an address of this machine; all that begin with 127 are."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE, source_address=(source, 0))

    def client(self, attempts: int = 1, **settings: Any) -> Any:
        return boto3.client(
            "ec2",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="AKIAEXAMPLE",
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": attempts}),
            **settings,
        )


@contextmanager
def running(**options: Any) -> Iterator[Running]:
    with subprocess.Popen(**command(options)) as process:
        killer = threading.Timer(180, process.kill)
        killer.start()
        try:
            yield Running(process)
        finally:
            process.kill()
            killer.cancel()


def head(length: int = len(BODY), more: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n%s\r\n" % (length, more)


def exchange(connection: socket.socket, request: bytes = head() + BODY) -> bytes:
    """One request on a connection that stays; the answer's head and body."""
    connection.sendall(request)
    answer = b""
    while b"</DescribeTagsResponse>" not in answer and b"</Response>" not in answer:
        piece = connection.recv(65536)
        assert piece, answer
        answer += piece
    return answer


def closed(connection: socket.socket) -> bytes:
    """What the server still says before it closes a connection."""
    said = b""
    try:
        while piece := connection.recv(65536):
            said += piece
    except ConnectionResetError:
        pass
    return said


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("openssl, which makes the certificate, is not here")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            tool,
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            str(key),
            "-out",
            str(certificate),
        ],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    return certificate, key
