"""Many connections: those that only wait never keep a client out, and a request under way is never cut."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from halfsilver.harness.control.http.connections import MAX_CONNECTIONS
from tests.control.kits.wire_server_kit import BODY, Running, closed, exchange, head, make_certificate, running

MANY = 400
CLIENTS = 20


@contextmanager
def crowd(server: Running, says: bytes = b"", count: int = MANY) -> Iterator[list[socket.socket]]:
    """That many open connections, each of which has said the same."""
    with ExitStack() as stack:
        connections = []
        for _ in range(count):
            connections.append(stack.enter_context(server.connect()))
            with suppress(ConnectionError):
                connections[-1].sendall(says)
        yield connections


def answered(server: Running, **settings: Any) -> int:
    """How many of CLIENTS new boto3 clients, all at once, get an answer to their only request."""
    clients = [server.client(**settings) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(bool(answer["NextToken"]) for answer in pool.map(lambda client: client.describe_tags(), clients))


def still_open(connections: Sequence[socket.socket]) -> list[bool]:
    """Of each connection whether the server has it."""
    found = []
    for connection in connections:
        connection.setblocking(False)
        try:
            found.append(connection.recv(1) != b"")
        except BlockingIOError:
            found.append(True)
        except ConnectionError:
            found.append(False)
    return found


@pytest.mark.parametrize("says", [b"", b"P", b"POST / HTTP/1.1\r\nHost: "], ids=["nothing", "a letter", "half a head"])
def test_clients_are_answered_beside_many_connections_that_wait(says: bytes) -> None:
    with running() as server, crowd(server, says) as silent:
        assert answered(server) == CLIENTS
        kept = still_open(silent)
        assert not any(kept[: MANY - MAX_CONNECTIONS]), "those that wait longest go"
        assert all(kept[MANY - MAX_CONNECTIONS + CLIENTS :]), "and no more than it takes"


def test_heads_a_drop_at_a_time_keep_nobody_out() -> None:
    with running() as server, crowd(server, b"POST / HTTP/1.1\r\nX: ") as slow:
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.1):
                for connection in slow:
                    with suppress(OSError):
                        connection.send(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert answered(server) == CLIENTS
        finally:
            stop.set()
            dripping.join()


def test_many_connections_that_stay_open_between_requests() -> None:
    with running() as server, ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(MAX_CONNECTIONS)]
        for connection in connections:
            exchange(connection)
        exchange(connections[0])  # the first one has asked again: now the second has waited longest
        assert answered(server) == CLIENTS
        kept = still_open(connections)
        assert kept[0] and not any(kept[1 : CLIENTS // 2])
        assert sum(kept) >= MAX_CONNECTIONS - CLIENTS


def test_the_same_over_tls_before_and_after_the_handshake(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "lab")
    context = ssl.create_default_context(cafile=certificate)
    with running(certificate=str(certificate), key=str(key)) as server, crowd(server) as strangers:
        greeted = []
        for each in strangers[MANY // 4 :]:
            with suppress(OSError):
                greeted.append(context.wrap_socket(each, server_hostname="127.0.0.1"))
        assert len(greeted) > MAX_CONNECTIONS
        assert answered(server, verify=str(certificate)) == CLIENTS
        for each in greeted:
            each.close()


def test_a_request_under_way_is_not_cut() -> None:
    with running(body_seconds=20) as server, server.connect() as sending, server.connect() as asking:
        sending.sendall(head() + BODY[:5])
        asking.sendall(head(len(BODY) + 13) + BODY + b"&MaxResults=6")
        assert server.line() == "working"
        with crowd(server):
            assert b" 200 " in exchange(asking, b"")  # it has waited for a second, with the crowd beside it
            assert b" 200 " in exchange(sending, BODY[5:])


def test_one_too_many_is_told_so_in_words_that_boto3_understands_and_tries_again() -> None:
    with running(body_seconds=20, requests=2) as server, crowd(server, head() + BODY[:5], 2) as busy:
        with pytest.raises(ClientError) as refused:
            server.client().describe_tags()
        error = refused.value.response
        assert error["Error"]["Code"] == "RequestLimitExceeded"
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 503
        later = threading.Timer(0.5, lambda: [exchange(connection, BODY[5:]) for connection in busy])
        later.start()
        assert server.client(attempts=8).describe_tags()["NextToken"]
        later.join()


def test_one_too_many_with_a_slow_body_is_not_waited_for() -> None:
    with running(body_seconds=20, requests=1) as server, crowd(server, head() + BODY[:5], 2) as (first, second):
        started = time.monotonic()
        assert b"RequestLimitExceeded" in closed(second)
        assert time.monotonic() - started < 10
        assert b" 200 " in exchange(first, BODY[5:])


def test_a_client_that_does_not_read_keeps_nobody_out() -> None:
    asked = BODY + b"&NextToken=" + b"x" * 500_000  # the answer is as long
    with running(head_seconds=5, requests=1) as server, server.connect() as greedy:
        client = server.client()
        greedy.settimeout(0.5)
        with suppress(TimeoutError):
            for _ in range(100):  # until the server does not take more, as nobody reads its answers
                greedy.sendall(head(len(asked)) + asked)
            pytest.fail("the server has taken 50 MB")
        with pytest.raises(ClientError, match="RequestLimitExceeded"):
            client.describe_tags()
        time.sleep(6)
        assert client.describe_tags()["NextToken"]
