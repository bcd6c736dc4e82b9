"""Many connections: those that only wait never keep a client out, and a request under way is never cut."""

from __future__ import annotations

import resource
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

from halfsilver.harness.control.http.accepting import HANDSHAKES
from halfsilver.harness.control.http.bodies import BODIES
from halfsilver.harness.control.http.connections import CONNECTIONS
from tests.control.kits.wire_server_kit import BODY, Running, closed, exchange, head, make_certificate, running

MANY = 1000
CLIENTS = 20
ADDRESSES = [f"127.0.0.{number}" for number in range(2, 12)]
"""Where a crowd comes from: no more than its share from each."""
HALF_A_BODY = head() + BODY[:5]


@pytest.fixture(scope="module", autouse=True)
def descriptors() -> None:
    """As many as the system lets us have: a crowd has more than the usual limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))


@pytest.fixture(scope="module")
def patient() -> Iterator[Running]:
    """A server with the numbers of a real one, that gives each a little more time."""
    with running(body_seconds=20) as server:
        yield server


@contextmanager
def crowd(
    server: Running, says: bytes = b"", count: int = MANY, sources: Sequence[str] = ADDRESSES
) -> Iterator[list[socket.socket]]:
    """That many open connections, each of which has said the same."""
    with ExitStack() as stack:
        connections = []
        for number in range(count):
            connections.append(stack.enter_context(server.connect(sources[number % len(sources)])))
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


@pytest.mark.parametrize("says", [b"", b"POST / HTTP/1.1\r\nHost: "], ids=["nothing", "half a head"])
def test_clients_are_answered_beside_a_thousand_connections_that_wait(patient: Running, says: bytes) -> None:
    with crowd(patient, says) as silent:
        assert answered(patient) == CLIENTS
        kept = still_open(silent)
        assert not any(kept[: MANY - CONNECTIONS.most]), "those that wait longest go"
        assert all(kept[MANY - CONNECTIONS.most + 2 * CLIENTS :]), "and no more than it takes"


def test_clients_are_answered_beside_a_thousand_bodies_that_do_not_come(patient: Running) -> None:
    with crowd(patient, HALF_A_BODY) as slow:
        assert answered(patient) == CLIENTS
        said = closed(slow[MANY - CONNECTIONS.most])
        assert said.startswith(b"HTTP/1.1 503 ") and b"<Code>RequestLimitExceeded</Code>" in said
        assert all(still_open(slow[MANY - BODIES.most + CLIENTS :]))


def test_one_address_has_its_share_and_no_more(patient: Running) -> None:
    with patient.connect("127.0.0.50") as first, crowd(patient, b"", 2 * CONNECTIONS.each, ADDRESSES[:1]) as greedy:
        with patient.connect() as last:
            exchange(last)  # behind the crowd
        assert exchange(first), "older than the crowd, and from elsewhere"
        kept = still_open(greedy)
        assert not any(kept[: CONNECTIONS.each]) and all(kept[CONNECTIONS.each :])
    with patient.connect("127.0.0.50") as first, crowd(patient, HALF_A_BODY, 2 * BODIES.each, ADDRESSES[:1]) as greedy:
        first.sendall(HALF_A_BODY)
        assert b"RequestLimitExceeded" in closed(greedy[0])
        assert b" 200 " in exchange(first, BODY[5:])


def test_a_new_connection_has_less_time_than_one_that_has_asked_before() -> None:
    with running(first_head_seconds=1, head_seconds=20) as server, server.connect() as known:
        exchange(known)
        known.sendall(b"POST / HTTP/1.1\r\n")
        with server.connect() as silent, server.connect() as slow:
            slow.sendall(b"POST / HTTP/1.1\r\n")
            started = time.monotonic()
            assert closed(silent) == closed(slow) == b""
            assert 0.5 < time.monotonic() - started < 10
        assert still_open([known]) == [True]


def test_heads_a_drop_at_a_time_keep_nobody_out(patient: Running) -> None:
    with crowd(patient, b"POST / HTTP/1.1\r\nX: ", 400) as slow:
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.1):
                for connection in slow:
                    with suppress(OSError):
                        connection.send(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert answered(patient) == CLIENTS
        finally:
            stop.set()
            dripping.join()


def test_many_connections_that_stay_open_between_requests(patient: Running) -> None:
    with ExitStack() as stack:
        connections = [
            stack.enter_context(patient.connect(ADDRESSES[number % len(ADDRESSES)]))
            for number in range(CONNECTIONS.most)
        ]
        for connection in connections:
            exchange(connection)
        exchange(connections[0])  # the first one has asked again: now the second has waited longest
        assert answered(patient) == CLIENTS
        kept = still_open(connections)
        assert kept[0] and not any(kept[1 : CLIENTS // 2])
        assert sum(kept) >= CONNECTIONS.most - 2 * CLIENTS


def test_the_same_over_tls_before_and_after_the_handshake(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "lab")
    context = ssl.create_default_context(cafile=certificate)
    settings = {"certificate": str(certificate), "key": str(key), "handshake_seconds": 4}
    with running(**settings) as server, crowd(server) as strangers:
        assert answered(server, verify=str(certificate)) == CLIENTS
        kept = still_open(strangers)
        assert not any(kept[: MANY - HANDSHAKES.most]) and sum(kept) > HANDSHAKES.most - 2 * CLIENTS
        for each in strangers[MANY - HANDSHAKES.most :]:
            each.setblocking(True)
            each.settimeout(20)
            assert closed(each) == b"", "who does not shake hands in time is cut off"
        greeted = [
            context.wrap_socket(server.connect(ADDRESSES[number % 10]), server_hostname="127.0.0.1")
            for number in range(CONNECTIONS.most)
        ]
        assert answered(server, verify=str(certificate)) == CLIENTS
        for each in greeted:
            each.close()


def test_a_request_under_way_is_not_cut(patient: Running) -> None:
    with patient.connect() as sending, patient.connect() as asking:
        sending.sendall(HALF_A_BODY)
        asking.sendall(head(len(BODY) + 13) + BODY + b"&MaxResults=6")
        assert patient.line() == "working"
        with crowd(patient, b"", 400):
            assert b" 200 " in exchange(asking, b"")  # it has waited for a second, with the crowd beside it
            assert b" 200 " in exchange(sending, BODY[5:])


def test_one_too_many_is_told_so_in_words_that_boto3_understands_and_tries_again() -> None:
    with running(requests=(2, 2)) as server, server.connect() as first, server.connect() as second:
        for busy in (first, second):
            busy.sendall(head(len(BODY) + 13) + BODY + b"&MaxResults=6")
            assert server.line() == "working"
        with pytest.raises(ClientError) as refused:
            server.client().describe_tags()
        error = refused.value.response
        assert error["Error"]["Code"] == "RequestLimitExceeded"
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert server.client(attempts=8).describe_tags()["NextToken"]


def test_answers_that_nobody_reads_keep_nobody_out_and_are_not_kept_for_ever() -> None:
    asked = BODY + b"&NextToken=" + b"x" * 500_000  # the answer is as long
    with running(head_seconds=3, requests=(1, 1)) as server, server.connect() as greedy:
        greedy.settimeout(0.5)
        with suppress(TimeoutError):
            for _ in range(100):  # until the server does not take more, as nobody reads its answers
                greedy.sendall(head(len(asked)) + asked)
            pytest.fail("the server has taken 50 MB")
        assert server.client().describe_tags()["NextToken"]
        time.sleep(4)
        greedy.settimeout(5)
        with pytest.raises(ConnectionError):
            while greedy.recv(1 << 20):
                pass
            raise ConnectionResetError


def test_two_ways_to_tell_the_length_of_a_body_are_refused_and_nothing_is_read_behind_them(patient: Running) -> None:
    smuggled = b"0\r\n\r\n" + head() + BODY
    with patient.connect() as connection:
        connection.sendall(head(len(smuggled), b"Transfer-Encoding: chunked\r\n") + smuggled)
        said = closed(connection)
        assert said.startswith(b"HTTP/1.1 400 ") and b"<Code>InvalidHttpRequest</Code>" in said
        assert said.count(b"HTTP/1.1") == 1 and b"connection: close" in said
