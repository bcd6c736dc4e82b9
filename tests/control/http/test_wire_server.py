"""The server process, from outside: addresses, TLS, signals, clients that are slow or talk nonsense."""

from __future__ import annotations

import gc
import random
import select
import signal
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from halfsilver.harness.control.http.app import App
from halfsilver.harness.control.http.server import Listen, serve
from halfsilver.harness.errors import UsageError
from tests.control.kits.wire_kit import FakeControl
from tests.control.kits.wire_kit import exchange as exchange_of
from tests.control.kits.wire_server_kit import (
    BODY,
    PATIENCE,
    Running,
    closed,
    exchange,
    head,
    make_certificate,
    running,
)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(head_seconds=1) as found:
        yield found


def failure(**options: Any) -> str:
    """The one line that says why a server does not start."""
    with pytest.raises(UsageError) as info:
        serve(App(exchange_of(FakeControl())), Listen(**options), listening=print, reload=print)
    assert "\n" not in str(info.value)
    return str(info.value)


def test_port_0_is_a_free_port_and_a_client_finds_the_server(server: Running) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}" and server.port > 0
    assert server.client().describe_tags()["NextToken"] == "127.0.0.1 False"


def test_what_is_there_when_it_starts_is_not_looked_through_for_garbage() -> None:
    kept = []

    def listening(url: str) -> None:
        kept.append(gc.get_freeze_count())
        signal.raise_signal(signal.SIGTERM)

    serve(App(exchange_of(FakeControl())), Listen(), listening=listening, reload=print)
    assert kept[0] > 10_000 and gc.get_freeze_count() == 0


def test_the_address_of_a_client_is_that_of_its_connection(server: Running) -> None:
    forged = head(more=b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.1\r\n")
    with server.connect() as connection:
        assert b"<nextToken>127.0.0.1 False</nextToken>" in exchange(connection, forged + BODY)


def test_answers_on_one_connection_come_at_once(server: Running) -> None:
    taken = []
    with server.connect() as connection:
        for _ in range(40):
            started = time.monotonic()
            exchange(connection)
            taken.append(time.monotonic() - started)
    # With Nagle's algorithm against delayed acknowledgements it is 40 ms for each, once the connection is warm.
    assert min(taken[-10:]) < 0.03


def test_clients_that_dawdle_keep_nobody_waiting_and_are_sent_away() -> None:
    with running(head_seconds=3, body_seconds=3) as found:
        dawdlers = silent, head_only, in_the_head, in_the_body = [found.connect() for _ in range(4)]
        head_only.sendall(head(100))
        in_the_head.sendall(b"POST / HTTP/1.1\r\nHost: ")
        in_the_body.sendall(head(100) + b"Action=")
        with found.connect() as connection:
            assert exchange(connection).startswith(b"HTTP/1.1 200 ")
        assert select.select(dawdlers, [], [], 0) == ([], [], [])  # they still have all their time
        for _ in range(8):  # a drop at a time does not buy more of it
            time.sleep(0.5)
            with suppress(OSError):
                in_the_head.sendall(b"x")
        for connection, last_words in (
            (silent, b""),
            (in_the_head, b""),
            (head_only, b"RequestTimeout"),
            (in_the_body, b"RequestTimeout"),
        ):
            with connection:
                said = closed(connection)
                assert last_words in said and bool(said) == bool(last_words)


@pytest.mark.parametrize("begun", [b"", b"POST / HTTP/1.1\r\nHo"])
def test_a_connection_without_another_request_is_closed(server: Running, begun: bytes) -> None:
    with server.connect() as connection:
        exchange(connection)
        connection.sendall(begun)
        started = time.monotonic()
        assert closed(connection) == b""
        assert time.monotonic() - started > 0.5


def test_a_body_that_is_too_long_is_refused_and_the_client_can_read_why(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(head(2 << 20) + b"x" * (2 << 20))
        assert b"RequestEntityTooLarge" in closed(connection)


def test_a_head_that_is_too_long_is_refused(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)
        assert closed(connection).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("seed", range(3))
def test_the_server_survives_nonsense(server: Running, seed: int) -> None:
    randomness = random.Random(seed)
    starts = (
        b"",
        b"GET ",
        b"POST / HTTP/1.1\r\n",
        head(),
        head(more=b"Transfer-Encoding: chunked\r\n"),
        b"\x16\x03\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%ff%00 HTTP/1.1\r\n",
    )
    for _ in range(40):
        with server.connect() as connection:
            connection.sendall(randomness.choice(starts) + randomness.randbytes(randomness.randrange(200)))
            connection.shutdown(socket.SHUT_WR)
            said = closed(connection)
            assert said == b"" or said.startswith(b"HTTP/1.1 4"), said
    with server.connect() as connection:
        assert exchange(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_finishes_what_is_under_way(number: signal.Signals) -> None:
    with running() as found:
        answers: list[bytes] = []

        def ask_slowly() -> None:
            with found.connect() as connection:
                answers.append(exchange(connection, head(len(BODY) + 13) + BODY + b"&MaxResults=6"))

        slow = threading.Thread(target=ask_slowly)
        slow.start()
        assert found.line() == "working"
        found.process.send_signal(number)
        slow.join(PATIENCE)
        assert answers[0].startswith(b"HTTP/1.1 200 ")
        assert found.line() == "stopped"
        assert found.process.wait(PATIENCE) == 0
        with pytest.raises(ConnectionRefusedError):
            found.connect()


def test_hangup_reloads_and_the_server_goes_on() -> None:
    with running() as found:
        for _ in range(2):
            found.process.send_signal(signal.SIGHUP)
            assert found.line() == "reload"
        with found.connect() as connection:
            exchange(connection)


def test_tls_and_a_new_certificate_at_hangup(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "first")
    with running(host="0.0.0.0", certificate=str(certificate), key=str(key)) as found:
        assert found.url == f"https://0.0.0.0:{found.port}"
        found.url = f"https://127.0.0.1:{found.port}"
        assert found.client(verify=str(certificate)).describe_tags()["NextToken"] == "127.0.0.1 True"
        with found.connect() as connection:  # plain HTTP
            connection.sendall(head() + BODY)
            assert b"HTTP" not in closed(connection)
        for new in make_certificate(tmp_path, "second"):
            new.replace(certificate if new.suffix == ".pem" else key)
        found.process.send_signal(signal.SIGHUP)
        assert found.line() == "reload"
        deadline = time.monotonic() + PATIENCE
        while "second" not in shown_name(found.port, certificate) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert found.client(verify=str(certificate)).describe_tags()["NextToken"]


def shown_name(port: int, certificate: Path) -> str:
    """The name in the certificate that the server shows; "" if it is not the one in the file."""
    context = ssl.create_default_context(cafile=certificate)
    try:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            return str(connection.getpeercert())
    except ssl.SSLError:
        return ""


def test_where_and_how_it_does_not_serve(tmp_path: Path) -> None:
    assert "without signatures only loopback is served" in failure(host="0.0.0.0", insecure=True)
    assert "it is served over TLS only" in failure(host="0.0.0.0")
    assert "it is served over TLS only" in failure(host="::")
    assert "TLS needs both, --tls-certificate PEM --tls-key PEM" in failure(certificate=Path("a.pem"))
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    assert "give two PEM files that belong together" in failure(certificate=nonsense, key=nonsense)
    assert "No such file" in failure(certificate=tmp_path / "none.pem", key=nonsense)
    assert "give an address of this machine" in failure(host="no-such-host.invalid")


def test_a_port_that_is_taken(server: Running) -> None:
    assert "Address already in use" in failure(port=server.port)


def test_a_web_browser_gets_an_answer(server: Running) -> None:
    with pytest.raises(urllib.error.HTTPError) as info:
        urllib.request.urlopen(server.url, timeout=PATIENCE)
    assert info.value.code == 400 and b"MissingAction" in info.value.read()
