"""The way to a look-alike: what goes there, and what becomes of one that does not answer as it should."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler

import pytest

from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.upstream.connection import (
    CONNECTIONS,
    MAX_ANSWER,
    Connection,
    Scope,
    UpstreamBusy,
    UpstreamError,
)
from halfsilver.harness.control.upstream.reading import UpstreamReader
from tests.control.kits.upstream_kit import look_alike, nobody

SCOPE = Scope("111122223333", "us-east-1", "ec2")


def answer(handler: BaseHTTPRequestHandler, body: bytes, **headers: str) -> None:
    handler.send_response(200)
    for name, value in {"content-length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def test_what_goes_there_and_what_comes_back() -> None:
    """Nothing of the client's signature; the account, in the key's id and in moto's header."""
    seen: dict[str, str] = {}

    def note(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        seen.update({"path": handler.path, "body": body.decode(), **{k.lower(): v for k, v in handler.headers.items()}})
        answer(handler, b"<ok/>", content_type="text/xml", set_cookie="a=b", access_control_allow_origin="*")

    headers = (
        ("host", "localhost:4510"),
        ("authorization", "AWS4-HMAC-SHA256 Credential=AKIAREAL/20261122/us-east-1/ec2/aws4_request, Signature=f00"),
        ("x-amz-security-token", "token"),
        ("x-moto-account-id", "999999999999"),
        ("x-amz-date", "20200101T000000Z"),
        ("content-type", "application/x-www-form-urlencoded"),
    )
    with look_alike(note) as url:
        sent = Request("POST", "/", "a=1&X-Amz-Signature=f00&X-Amz-Credential=AKIAREAL", headers, b"Action=X")
        found = Connection(url).send(sent, SCOPE)
        assert (found.status, found.body) == (200, b"<ok/>")
        assert {name for name, _ in found.headers} == {"content-type"}
    assert (seen["path"], seen["body"], seen["content-type"]) == ("/?a=1", "Action=X", headers[-1][1])
    assert seen["host"] == url.removeprefix("http://")
    assert "Credential=111122223333/" in seen["authorization"] and "x-amz-security-token" not in seen
    assert seen["x-moto-account-id"] == "111122223333" and not seen["x-amz-date"].startswith("2020")
    assert not any("AKIAREAL" in value or "f00" in value for value in seen.values() if "Signature=" not in value)


def test_nobody_there() -> None:
    with pytest.raises(UpstreamError, match="does not answer"):
        Connection(nobody()).send(Request("POST"), SCOPE)


def test_an_answer_that_breaks_off() -> None:
    def cut(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")

    with look_alike(cut) as url, pytest.raises(UpstreamError, match="does not answer"):
        Connection(url).send(Request("POST"), SCOPE)


def test_an_answer_that_is_too_long() -> None:
    much, line = bytes(MAX_ANSWER + 1), f"more than {MAX_ANSWER} bytes"
    with look_alike(lambda handler, body: answer(handler, much)) as url, pytest.raises(UpstreamError, match=line):
        Connection(url).send(Request("POST"), SCOPE)


def test_a_page_is_no_empty_list() -> None:
    """A proxy's page with status 200 may be well-formed XML: nobody's interfaces, and sessions, have gone by it."""
    page, words = b"<html><body>Back soon</body></html>", "DescribeAvailabilityZones of .* it has no AvailabilityZones"
    with look_alike(lambda handler, body: answer(handler, page)) as url, pytest.raises(UpstreamError, match=words):
        UpstreamReader(Connection(url), "us-east-1", [SCOPE.account]).read()


def test_a_reading_has_an_end() -> None:
    """Whoever has just written waits for it, and would write again after a minute."""
    reader = UpstreamReader(Connection("http://127.0.0.1:9"), "us-east-1", [SCOPE.account])
    with pytest.raises(UpstreamError, match="takes too long to say what it has"):
        reader.read(time.monotonic() - 1)


def test_an_answer_that_drips() -> None:
    def drip(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "1000")
        handler.end_headers()
        for _ in range(30):
            try:
                handler.wfile.write(b"x")
            except OSError:
                return
            time.sleep(0.02)

    with look_alike(drip) as url, pytest.raises(UpstreamError, match=r"0\.2 seconds|does not answer"):
        Connection(url, seconds=0.2).send(Request("POST"), SCOPE)


def test_no_more_than_some_at_once() -> None:
    """Who is one too many is told so at once; reading back waits for its turn."""
    go, there = threading.Event(), threading.Semaphore(0)

    def wait(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        there.release()
        go.wait(10)
        answer(handler, b"")

    with look_alike(wait) as url:
        way = Connection(url)
        busy = [threading.Thread(target=way.send, args=(Request("POST"), SCOPE)) for _ in range(CONNECTIONS)]
        for each in busy:
            each.start()
        for _ in busy:
            assert there.acquire(timeout=10)
        with pytest.raises(UpstreamBusy):
            way.send(Request("POST"), SCOPE)
        threading.Timer(0.05, go.set).start()
        assert way.send(Request("POST"), SCOPE, wait=True).status == 200
        for each in busy:
            each.join()
