"""What is written at one go is sent at one go, and nothing is lost at the end of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from halfsilver.harness.control.http.gathering import Gathered


class Wire:
    """A transport that remembers what it was given, in order."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("closed")
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 7


def after(do: Callable[[Any], object]) -> list[Any]:
    """What the wire got: when it was done, and when the event loop has come round once."""

    async def run() -> list[Any]:
        wire: Any = Wire()
        do(Gathered(wire, asyncio.get_running_loop()))
        at_once = list(wire.done)
        await asyncio.sleep(0)
        return [at_once, wire.done]

    return asyncio.run(run())


def test_head_and_body_are_sent_together_and_soon() -> None:
    def answer(line: Any) -> None:
        line.write(b"head")
        assert line.get_write_buffer_size() == 11
        line.write(b"body")
        line.write(b"")

    assert after(answer) == [[], [b"headbody"]]


def test_what_was_written_goes_before_the_end() -> None:
    assert after(lambda line: (line.write(b"last"), line.close()))[1] == [b"last", "closed"]
    assert after(lambda line: line.close()) == [["closed"], ["closed"]]


@pytest.mark.parametrize("name", ["is_closing", "done"])
def test_all_else_is_the_transports_own(name: str) -> None:
    found: list[Any] = []
    after(lambda line: found.append(getattr(line, name)))
    assert len(found) == 1


def test_each_round_has_a_sending_of_its_own() -> None:
    async def run() -> list[Any]:
        wire: Any = Wire()
        line = Gathered(wire, asyncio.get_running_loop())
        for each in (b"one", b"two"):
            line.write(each)
            await asyncio.sleep(0)
        return list(wire.done)

    assert asyncio.run(run()) == [b"one", b"two"]
