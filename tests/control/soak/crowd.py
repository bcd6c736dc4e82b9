"""Clients of a soak: those that write and read, and remember what was answered; those that only take up room."""

from __future__ import annotations

import random
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

PAGE = 200
HELD = 40
"""Connections that ask for nothing."""


@dataclass
class World:
    """What the clients know. A name is a filter's description, and never used twice.

    there    ids by name: answered, and nobody has asked to delete them
    gone     ids whose deletion was answered
    unknown  names whose request has no answer yet, or never had one: they may be there or not
    wrong    what must not be, in a sentence each
    """

    there: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1


class Crowd:
    """All clients of one address, in threads; ``close`` ends them."""

    def __init__(self, client: Callable[[], Any], url: str, seed: int, writers: int = 4, readers: int = 2) -> None:
        self.world = World()
        self._stop = threading.Event()
        parts = urlsplit(url)
        self._address = (str(parts.hostname), int(parts.port or 80))
        work = [self._write] * writers + [self._read] * readers
        self._threads = [
            threading.Thread(target=self._run, args=(each, client(), random.Random(seed + number)), daemon=True)
            for number, each in enumerate(work)
        ]
        self._threads.append(threading.Thread(target=self._idle, daemon=True))
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            if thread.is_alive():
                self.world.wrong.append("a client waits for an answer that does not come")

    def _run(self, work: Callable[[Any, random.Random], None], client: Any, chance: random.Random) -> None:
        while not self._stop.is_set():
            try:
                work(client, chance)
            except (BotoCoreError, ResponseParserError):  # of a server that dies
                self.world.note("cut off")
                self._stop.wait(0.1)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                self.world.note(code)
                if code not in ("ServiceUnavailable", "RequestLimitExceeded"):
                    self.world.wrong.append(f"refused: {error}")
                self._stop.wait(0.1)
            except Exception as error:
                self.world.wrong.append(f"a client cannot go on: {error!r}")
                return

    def _write(self, client: Any, chance: random.Random) -> None:
        """Make a filter, or delete one of those that are there."""
        world = self.world
        with world.lock:
            name = chance.choice(list(world.there)) if len(world.there) > 50 and chance.random() < 0.5 else ""
            identifier = world.there.pop(name, "")
            name = name or str(uuid.uuid4())
            world.unknown.add(name)
        try:
            if identifier:
                client.delete_traffic_mirror_filter(TrafficMirrorFilterId=identifier)
            else:
                made = client.create_traffic_mirror_filter(Description=name)["TrafficMirrorFilter"]
        except ClientError:
            with world.lock:  # refused, so nothing has changed; what a commit that was cut off has done is not known
                if identifier:
                    world.there[name] = identifier
                world.unknown.discard(name)
            raise
        with world.lock:
            if identifier:
                world.gone.add(identifier)
            else:
                world.there[name] = made["TrafficMirrorFilterId"]
            world.unknown.discard(name)
            world.counts["written"] += 1

    def _read(self, client: Any, chance: random.Random) -> None:
        with self.world.lock:
            there, gone = dict(self.world.there), set(self.world.gone)
        if there and chance.random() < 0.9:
            name = chance.choice(list(there))
            found = client.describe_traffic_mirror_filters(Filters=[{"Name": "description", "Values": [name]}])
            with self.world.lock:
                if not found["TrafficMirrorFilters"] and name in self.world.there:
                    self.world.wrong.append(f"{there[name]} was answered and is not there")
        else:
            self.check(client, there, gone)
        self.world.note("read")

    def check(self, client: Any, there: dict[str, str], gone: set[str]) -> None:
        """What is listed has all that was there before, but what was deleted since, and nothing that was gone."""
        pages = client.get_paginator("describe_traffic_mirror_filters").paginate(PaginationConfig={"PageSize": PAGE})
        listed = {each["TrafficMirrorFilterId"] for page in pages for each in page["TrafficMirrorFilters"]}
        with self.world.lock:
            kept = {identifier for name, identifier in there.items() if name in self.world.there}
            self.world.wrong += [f"{each} was answered and is not listed" for each in kept - listed]
            self.world.wrong += [f"{each} was deleted and is listed" for each in gone & listed]

    def _idle(self) -> None:
        """Connections that say nothing, or half a head a drop at a time, and begin again when they are closed."""
        held: list[socket.socket] = []
        while not self._stop.wait(0.2):
            for number, each in enumerate(held):
                if number % 2:
                    with suppress(OSError):
                        each.sendall(b"P")
            held = [each for each in held if _is_open(each)]
            with suppress(OSError):
                while len(held) < HELD:
                    held.append(socket.create_connection(self._address, timeout=5))
        for each in held:
            each.close()


def _is_open(connection: socket.socket) -> bool:
    """False, and closed here too, if the server has closed it."""
    try:
        ended = connection.recv(4096, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return True
    except OSError:
        ended = True
    if ended:
        connection.close()
    return not ended
