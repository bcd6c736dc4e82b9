"""Servers to be measured, each in a process of its own: ``halfsilver serve``, and its HTTP server answering nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from botocore.credentials import Credentials

from halfsilver.harness.control.http.app import App, Scope, Send
from halfsilver.harness.control.http.bodies import Receive
from halfsilver.harness.control.http.server import Listen, serve
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.speed.client import Client

__all__ = ["Server", "empty", "halfsilver"]

START_SECONDS = 300
STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Server:
    """A server that takes requests: its process, and a client of it."""

    process: int
    client: Client


@contextmanager
def halfsilver(state: Path, options: Sequence[str]) -> Iterator[Server]:
    """``halfsilver serve`` on any free port of loopback, with its state in this directory."""
    command = [
        sys.executable,
        "-m",
        "halfsilver.harness.cli",
        "serve",
        "--port",
        "0",
        "--json",
        "--state",
        str(state),
        *options,
    ]
    with _running(command, state.with_suffix(".log")) as (process, line):
        ready = json.loads(line)
        profiles = ConfigParser()
        profiles.read(ready["credentials"])
        key = profiles["default"]
        credentials = Credentials(key["aws_access_key_id"], key["aws_secret_access_key"])
        yield Server(process, Client(_address(ready["url"]), ready["region"], credentials))


@contextmanager
def empty(log: Path) -> Iterator[Server]:
    """The HTTP server of ``halfsilver serve`` with an application that answers every request with nothing."""
    with _running([sys.executable, "-m", "halfsilver.harness.speed.servers"], log) as (process, line):
        # Signed as for the real server, so that the requests are as long.
        yield Server(process, Client(_address(line), "us-east-1", Credentials("AKIDEXAMPLE", "secret")))


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator[tuple[int, str]]:
    """A process and the first line that it prints."""
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            if not line:
                process.wait(START_SECONDS)
                said = log.read_text().strip().splitlines() or ["nothing"]
                raise HalfsilverError(f"the server did not start; it said: {said[-1]}")
            yield process.pid, line
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 80)


class _Nothing(App):
    """Reads a request and answers it with an empty body, as ``App`` does but for the answer."""

    def __init__(self) -> None:
        """Has no exchange, and no threads."""

    def close(self) -> None:
        """Nothing is under way."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    serve(_Nothing(), Listen(), listening=lambda url: print(url, flush=True), reload=lambda: None)
