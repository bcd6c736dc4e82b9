"""Clients of a soak: those that write and read, and remember what was answered; those that only take up room.

Some sign by the true time, some by the server's clock, which may be wrong, one with a session token that ends by it.
"""

from __future__ import annotations

import random
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tests.control.kits.serve_kit import Served
from tests.control.soak.skew import Skew, skewed_client

PAGE = 200
HELD = 40
"""Connections that ask for nothing."""
TRUE_WRITERS, TRUE_READERS = 1, 1
"""Clients that sign by the true time, of those that write and read."""
SESSION = 900
"""Seconds that a session token is good for: the fewest that STS takes."""
NEAR = timedelta(seconds=2)
"""So near its end a session token may be good or not: it ends between request and answer, and by whole seconds."""
UNAVAILABLE = "ServiceUnavailable"
BUSY = (UNAVAILABLE, "RequestLimitExceeded")
EXPIRED = "RequestExpired"
"""EC2's code for a date that is too far off, and for a session token that has ended."""


@dataclass
class World:
    """What the clients know. A name is a filter's description, and never used twice.

    there    ids by name: answered, and nobody has asked to delete them
    gone     ids whose deletion was answered
    unknown  names whose request has no answer yet, or never had one: they may be there or not
    wrong    what must not be, in a sentence each
    full     whether the disk takes nothing at the moment
    """

    there: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    full: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def answered(self) -> int:
        """Requests, done or refused."""
        with self.lock:
            return self.counts.total() - self.counts["cut off"]


class Hands:
    """What makes the clients of one server."""

    def __init__(self, served: Served, skew: Skew) -> None:
        self.url = served.url
        self.skew = skew
        self.credentials: Credentials = served.session("default").get_credentials()
        self.true = served.client

    def skewed(self, service: str = "ec2", credentials: Credentials | None = None) -> Any:
        """A client that signs by the server's clock."""
        return skewed_client(service, self.url, credentials or self.credentials, self.skew.now)


class Crowd:
    """All clients of one server, in threads; ``close`` ends them.

    ``unsure``: what the server says it has not done it may have done: what it cannot record in an audit file, and what
    it was committing when its database was restarted.
    """

    def __init__(self, hands: Hands, seed: int, writers: int = 4, readers: int = 2) -> None:
        self.world = World()
        self.hands = hands
        self.unsure = False
        self._stop = threading.Event()
        self._token: tuple[Any, datetime] | None = None
        parts = urlsplit(hands.url)
        self._address = (str(parts.hostname), int(parts.port or 80))
        work = [(self._write, number < TRUE_WRITERS) for number in range(writers)]
        work += [(self._read, number < TRUE_READERS) for number in range(readers)]
        work += [(self._visit, False)]
        self._threads = [
            threading.Thread(
                target=self._run,
                args=(each, true, hands.true() if true else hands.skewed(), random.Random(seed + number)),
                daemon=True,
            )
            for number, (each, true) in enumerate(work)
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

    def _run(self, work: Callable[[Any, random.Random], None], true: bool, client: Any, chance: random.Random) -> None:
        skew = self.hands.skew
        while not self._stop.is_set():
            jumps, refused = skew.jumps, true and skew.refuses_true()
            try:
                work(client, chance)
                if refused and _stood_still(skew, jumps):
                    self.world.wrong.append(f"a date was taken that is {abs(skew.ahead):,.0f} s off")
            except (BotoCoreError, ResponseParserError):  # of a server that dies
                self.world.note("cut off")
                self._stop.wait(0.1)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                self.world.note(code)
                expired = code == EXPIRED and (refused or not _stood_still(skew, jumps))
                if not expired and code not in BUSY:
                    self.world.wrong.append(f"refused: {error}")
                self._stop.wait(0.1)
            except Exception as error:
                self.world.wrong.append(f"a client cannot go on: {error!r}")
                return

    def _write(self, client: Any, chance: random.Random) -> None:
        """Make a filter, or delete one of those that are there."""
        world = self.world
        full = world.full
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
        except ClientError as error:
            if self.unsure and error.response["Error"]["Code"] == UNAVAILABLE:
                raise
            with world.lock:  # refused, so nothing has changed; what a commit that was cut off has done is not known
                if identifier:
                    world.there[name] = identifier
                world.unknown.discard(name)
            raise
        with world.lock:
            if full and world.full:  # asked and answered meanwhile
                world.wrong.append("a change was answered as done on a full disk")
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

    def _visit(self, client: Any, chance: random.Random) -> None:
        """Read with a session token; it is good until its end by the server's clock, and not behind it."""
        skew = self.hands.skew
        if self._token is None:
            given = self.hands.skewed("sts").get_session_token(DurationSeconds=SESSION)["Credentials"]
            keys = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
            self._token = self.hands.skewed(credentials=keys), given["Expiration"]
        visitor, end = self._token
        jumps, began, code = skew.jumps, skew.now(), ""
        try:
            visitor.describe_traffic_mirror_filters(MaxResults=5)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code != EXPIRED:
                raise
        if _stood_still(skew, jumps):
            if code and skew.now() < end - NEAR:
                self.world.wrong.append(f"a session token ended before its time: at {began}, not {end}")
            if not code and began > end + NEAR:
                self.world.wrong.append(f"a session token was good at {began}, and its end was {end}")
        if code:
            self._token = None
        self.world.note("token over" if code else "read")

    def walk(self, client: Any, meanwhile: Callable[[], None]) -> None:
        """Look at all pages, and do something when the first one is there."""
        with self.world.lock:
            there, gone = dict(self.world.there), set(self.world.gone)
        self.check(client, there, gone, 10, meanwhile)

    def check(
        self,
        client: Any,
        there: dict[str, str],
        gone: set[str],
        size: int = PAGE,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """What is listed has all that was there before, but what was deleted since, and nothing that was gone."""
        pages = client.get_paginator("describe_traffic_mirror_filters").paginate(PaginationConfig={"PageSize": size})
        listed = set()
        for page in pages:
            listed |= {each["TrafficMirrorFilterId"] for each in page["TrafficMirrorFilters"]}
            if meanwhile is not None:
                meanwhile()
                meanwhile = None
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


def _stood_still(skew: Skew, jumps: int) -> bool:
    """Whether the clock has not jumped since there were so many jumps, nor is at it."""
    return skew.jumps == jumps and jumps % 2 == 0


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
