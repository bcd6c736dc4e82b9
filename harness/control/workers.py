"""Several processes behind one port, on one PostgreSQL: each is a whole server, with an engine of its own.

Each worker listens on the port by itself (SO_REUSEPORT), and the kernel spreads connections over them. What one has
answered all of them do, as with any servers that share a store. The process that starts them serves nothing: it holds
the port, passes signals on, and starts another worker for one that has died; when it dies itself, they end.
"""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import FrameType

from halfsilver.harness.control import serving
from halfsilver.harness.control.http.server import hold_port
from halfsilver.harness.control.serving import Options, Ready
from halfsilver.harness.errors import EXIT_OK, HalfsilverError

__all__ = ["run"]

_LOG = logging.getLogger(__name__)
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(options: Options, count: int, ready: Callable[[Ready], None]) -> None:
    """Serve with so many workers until SIGTERM or SIGINT; ``ready`` is called when all of them take requests.

    HalfsilverError: one of them cannot start; it has said why. Not to be called where there are other threads.
    """
    with hold_port(options.listen) as listen:
        crew = _Crew(dataclasses.replace(options, listen=listen))
        handlers = {number: signal.signal(number, crew.pass_on) for number in _PASSED_ON}
        try:
            crew.wait_for(crew.start())  # it makes the directory and the tables, and the others find them
            for other in [crew.start() for _ in range(count - 1)]:
                crew.wait_for(other)
            if crew.announced is not None and not crew.ending:
                ready(crew.announced)
            crew.watch()
        finally:
            crew.end()
            for number, handler in handlers.items():
                signal.signal(number, handler)


class _Crew:
    """The workers that there are. ``announced`` is what the first of them has said of itself."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._workers: set[int] = set()
        self._alive, self._held = os.pipe()  # the reading end of it ends when this process does
        self.announced: Ready | None = None
        self.ending = False

    def start(self) -> Connection:
        """Another worker; where it says that it is ready."""
        receive, send = multiprocessing.Pipe(duplex=False)
        worker = os.fork()
        if worker == 0:
            os.close(self._held)
            _work(self._options, send, self._alive)
        send.close()
        self._workers.add(worker)
        return receive

    def wait_for(self, worker: Connection) -> None:
        with worker:
            try:
                self.announced = worker.recv()
            except EOFError:
                if not self.ending:
                    raise HalfsilverError("a worker did not start") from None

    def watch(self) -> None:
        """Until all have ended that were told to. One that is ready and dies has a successor."""
        while self._workers:
            worker, status = os.waitpid(-1, 0)
            self._workers.discard(worker)
            if not self.ending:
                _LOG.error("worker %d ended with status %d; another one takes its place", worker, status)
                self.wait_for(self.start())

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        self.ending = self.ending or number != signal.SIGHUP
        for worker in self._workers:
            os.kill(worker, number)

    def end(self) -> None:
        """End those that are left."""
        self.ending = True
        self.pass_on(signal.SIGTERM, None)
        while self._workers:
            self._workers.discard(os.waitpid(-1, 0)[0])
        os.close(self._alive)
        os.close(self._held)


def _work(options: Options, send: Connection, alive: int) -> None:
    """A worker's life, in the process that was just made for it."""
    code = 1
    try:
        for number in _PASSED_ON:
            signal.signal(number, signal.SIG_DFL)
        threading.Thread(target=_outlive_nobody, args=(alive,), daemon=True).start()
        serving.run(options, send.send)
        code = EXIT_OK
    except HalfsilverError as error:
        _LOG.error("%s", error)
        code = error.exit_code
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _outlive_nobody(alive: int) -> None:
    """Stop, as by a signal, when the process that started this one has gone."""
    os.read(alive, 1)
    os.kill(os.getpid(), signal.SIGTERM)
