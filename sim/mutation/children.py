"""Work in child processes: a mutant may hang, abort, or fill the memory, and only its own process ends.

A child is forked, so it has the compiled model and the golden model's answers without loading anything.
"""

from __future__ import annotations

import gc
import math
import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError

__all__ = ["Crash", "each_in_child"]


_FROM_OUTSIDE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Crash:
    """A child that gave no answer. ``own``: what it ran is to blame, and not somebody who ended it or an error here."""

    why: str
    own: bool = True


@dataclass(slots=True)
class _Child:
    item: int
    process: int
    pipe: int
    deadline: float
    text: bytes = b""


def each_in_child(
    items: Iterable[int], work: Callable[[int], str], *, jobs: int, seconds: float, processor: float | None = None
) -> Iterator[tuple[int, str | Crash]]:
    """``work(item)`` for each, ``jobs`` at a time; answers as they come.

    Each may take so many ``seconds`` by the clock, and of the ``processor``, which a busy machine does not shorten.
    """
    gc.collect()
    gc.freeze()  # objects of before stay where they are: a child that only reads them copies no memory
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise HalfsilverError("a thread is left over from before: a forked child would wait for it forever")
    waiting = iter(items)
    running: dict[int, _Child] = {}
    try:
        while True:
            while len(running) < jobs and (item := next(waiting, None)) is not None:
                child = _start(item, work, time.monotonic() + seconds, processor)
                running[child.pipe] = child
            if not running:
                return
            ready, _, _ = select.select(list(running), [], [], 1.0)
            for pipe in ready:
                if part := os.read(pipe, 1 << 16):
                    running[pipe].text += part
                else:
                    child = running.pop(pipe)
                    yield child.item, _end(child)
            for child in [child for child in running.values() if child.deadline < time.monotonic()]:
                del running[child.pipe]
                os.kill(child.process, signal.SIGKILL)
                _end(child)
                yield child.item, Crash(f"not done within {seconds:.0f} s")
    finally:
        for child in running.values():
            os.kill(child.process, signal.SIGKILL)
            _end(child)


def _start(item: int, work: Callable[[int], str], deadline: float, processor: float | None) -> _Child:
    reader, writer = os.pipe()
    process = os.fork()
    if process:
        os.close(writer)
        return _Child(item, process, reader, deadline)
    code = 1
    try:
        os.close(reader)
        gc.disable()
        if processor is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(processor), resource.RLIM_INFINITY))
        answer = work(item).encode()
        while answer:
            answer = answer[os.write(writer, answer) :]
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _end(child: _Child) -> str | Crash:
    """The answer of a child that has closed its pipe or was killed."""
    os.close(child.pipe)
    _, status = os.waitpid(child.process, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return child.text.decode(errors="replace")
    if code == -signal.SIGXCPU:
        return Crash("used up its processor time")
    if code < 0:
        return Crash(f"ended by signal {-code}", -code not in _FROM_OUTSIDE)
    return Crash(f"ended with code {code}", False)
