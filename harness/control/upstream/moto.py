"""moto's server as a child process: for as long as this one lives, whatever ends it."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from halfsilver.harness.control.upstream.connection import UpstreamError

__all__ = ["moto_server"]

START_SECONDS = 60.0
STOP_SECONDS = 5.0
_MODULE = "halfsilver.harness.control.upstream.moto_process"


@contextmanager
def moto_server() -> Iterator[str]:
    """The URL of a moto of one's own, on a free port of loopback. UpstreamError if it does not start."""
    command = [sys.executable, "-m", _MODULE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            yield _url(process.stdout)
        finally:
            _end(process)


def _url(stdout: IO[bytes]) -> str:
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        line = stdout.readline() if selector.select(START_SECONDS) else b""
    try:
        return f"http://127.0.0.1:{int(json.loads(line)['port'])}"
    except (ValueError, KeyError, TypeError):
        raise UpstreamError("moto's server did not start; what it says is above") from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """It ends when its input does."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
