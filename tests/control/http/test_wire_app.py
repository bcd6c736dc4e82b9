"""The application: limits, clients that are slow or go away, errors of our own, paths beside the API."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from halfsilver.harness.control.http.app import App
from halfsilver.harness.control.http.bodies import BODIES, Bodies
from halfsilver.harness.control.http.exchange import SHORT_BODY, Exchange, Route
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.call import Call
from halfsilver.harness.control.operations.errors import ApiError
from tests.control.kits.wire_kit import (
    CALLER,
    PEER,
    FakeControl,
    authorization,
    call,
    exchange,
    form,
    read,
    scope_of,
    served,
)

SESSIONS = form({"Action": "DescribeTrafficMirrorSessions"})


@contextmanager
def application(control: FakeControl, **settings: Any) -> Iterator[App]:
    app = App(exchange(control, authenticate=settings.pop("authenticate", None)), **settings)
    yield app
    app.close()


def ask(app: App, request: Request = SESSIONS, chunks: Any = None, **changes: Any) -> Response | None:
    """The answer to a request in pieces, by default in one."""
    return asyncio.run(call(app, {**scope_of(request), **changes}, [request.body] if chunks is None else chunks))


def refusal(chunks: Any = None, **changes: Any) -> tuple[int, str]:
    control = FakeControl()
    with application(
        control, **{name: changes.pop(name) for name in ("body_seconds", "local_only") if name in changes}
    ) as app:
        response = ask(app, chunks=chunks, **changes)
    assert response is not None and not control.calls
    return read(response, "ec2")[:2]


def test_a_body_in_pieces_is_one_request() -> None:
    control = FakeControl()
    with application(control) as app:
        response = ask(app, chunks=[SESSIONS.body[:7], b"", SESSIONS.body[7:], 0.01, b"&MaxResults=7"])
    assert response is not None and response.status == 200
    assert control.calls[0].parameters == {"MaxResults": 7}


def test_who_and_when_and_how_a_request_came() -> None:
    control = FakeControl()
    with application(control) as app:
        ask(app, client=("192.0.2.7", 4711), scheme="https")
        ask(app, client=None)
    over_tls, plain = control.calls
    assert (over_tls.source_ip, over_tls.secure, plain.source_ip, plain.secure) == ("192.0.2.7", True, "", False)
    assert abs(over_tls.now.timestamp() - time.time()) < 5


def test_a_body_may_have_a_megabyte_and_no_more() -> None:
    control = FakeControl()
    most = SESSIONS.body + b"&NextToken=" + b"x" * ((1 << 20) - len(SESSIONS.body) - 11)
    with application(control) as app:
        response = ask(app, chunks=[most])
        assert response is not None and response.status == 200 and len(control.calls) == 1
    assert refusal([most, b"x"]) == (413, "RequestEntityTooLarge")
    assert refusal([b"x" * (1 << 20)] * 100) == (413, "RequestEntityTooLarge")


def test_an_announced_body_is_refused_before_it_comes() -> None:
    headers = [(b"content-length", b"9" * 4000)]
    assert refusal([0.5, b""], headers=headers) == (413, "RequestEntityTooLarge")


def test_a_refusal_without_the_whole_body_closes_the_connection() -> None:
    with application(FakeControl()) as app:
        refused = ask(app, chunks=[0.0, b""], headers=[(b"content-length", b"99999999")])
        answered = ask(app)
    assert refused is not None and ("connection", "close") in refused.headers
    assert answered is not None and "connection" not in dict(answered.headers)


@pytest.mark.parametrize(
    "change",
    [
        {"headers": [(b"authorization", authorization("ec2").encode()), (b"x", b"y" * 33_000)]},
        {"headers": [(b"x%d" % number, b"y" * 100) for number in range(400)]},
        {"query_string": b"a" * 33_000},
        {"raw_path": b"/" + b"a" * 33_000},
    ],
)
def test_headers_path_and_query_string_are_bounded(change: Any) -> None:
    assert refusal(**change) == (431, "RequestHeaderSectionTooLarge")


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    started = time.monotonic()
    assert refusal([b"Action=", 0.1, b"Desc", 0.1, b"ribe", 60.0, b"Tags"], body_seconds=0.3) == (408, "RequestTimeout")
    assert time.monotonic() - started < 30


class Timed(asyncio.SelectorEventLoop):
    """An event loop that counts what is to be at a time."""

    timers = 0

    def call_at(self, *arguments: Any, **named: Any) -> Any:
        self.timers += 1
        return super().call_at(*arguments, **named)


def test_a_body_that_is_there_takes_no_timer() -> None:
    with application(FakeControl()) as app, closing(Timed()) as loop:
        response = loop.run_until_complete(call(app, scope_of(SESSIONS), [SESSIONS.body[:7], SESSIONS.body[7:]]))
        assert response is not None and response.status == 200 and loop.timers == 0


def test_a_body_that_is_still_to_come_may_be_given_up() -> None:
    """Whoever waits for it is told, and what was begun is closed."""
    closed = []

    async def receive() -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def give_up() -> None:
        task = asyncio.create_task(Bodies(60, BODIES).read(receive, ""))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert closed == [True]


def test_a_client_that_goes_away_gets_nothing_done() -> None:
    control = FakeControl()
    with application(control) as app:
        assert ask(app, chunks=[SESSIONS.body, None]) is None
    assert not control.calls


def test_ten_slow_operations_keep_nobody_waiting() -> None:
    release, order = threading.Event(), []

    class Slow(FakeControl):
        def execute(self, call: Any) -> Any:
            if call.parameters:
                assert release.wait(10)
            return {}

    async def both(app: App) -> None:
        async def one(name: str, request: Request) -> None:
            response = await call(app, scope_of(request), [request.body])
            assert response is not None and response.status == 200
            order.append(name)
            release.set()

        slow = form({"Action": "DescribeTrafficMirrorSessions", "MaxResults": "5"})
        await asyncio.gather(*(one("slow", slow) for _ in range(10)), one("quick", SESSIONS))

    with application(Slow()) as app:
        asyncio.run(both(app))
    assert order == ["quick", *["slow"] * 10]


# Errors of our own.


def failing(
    control: FakeControl,
    caplog: pytest.LogCaptureFixture,
    request: Request = SESSIONS,
    authenticate: Callable[[Request], Any] | None = None,
) -> tuple[str, str]:
    """The answer's text and what was logged, for something that raises."""
    caplog.set_level(logging.DEBUG)
    with application(control, authenticate=authenticate) as app:
        response = ask(app, request)
    assert response is not None
    status, code, message = read(response, "ec2")
    assert (status, code, message) == (500, "InternalError", "An internal error has occurred")
    assert dict(response.headers)["x-amzn-requestid"] in caplog.text
    return response.body.decode(), caplog.text


def test_an_unexpected_exception_is_an_internal_error_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    body, log = failing(FakeControl(ZeroDivisionError("the divisor was Babbage")), caplog)
    assert "Babbage" not in body and "Traceback" not in body
    assert "ZeroDivisionError: the divisor was Babbage" in log and "wire_kit.py" in log


def test_every_answer_has_a_random_uuid_of_its_own() -> None:
    api = exchange(FakeControl())
    named = [dict(api.answer(SESSIONS, PEER).headers)["x-amzn-requestid"] for _ in range(64)]
    read_back = [uuid.UUID(each) for each in named]
    assert [str(each) for each in read_back] == named and len(set(named)) == 64
    assert {(each.version, each.variant) for each in read_back} == {(4, uuid.RFC_4122)}
    assert {each.clock_seq_hi_variant >> 4 for each in read_back} == {0x8, 0x9, 0xA, 0xB}


def test_a_result_that_cannot_be_written_is_an_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    failing(FakeControl({"TrafficMirrorSessions": 5}), caplog)


@pytest.mark.parametrize(
    "show",
    [
        lambda request: dict(request.headers),
        lambda request: request.query_string,
        str,
        lambda request: request.header("x-amz-security-token"),
    ],
)
def test_no_secret_is_logged(show: Callable[[Request], object], caplog: pytest.LogCaptureFixture) -> None:
    secret = "f00dfeed" * 8
    signed = (
        "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261120/us-east-1/ec2/aws4_request, SignedHeaders=host, "
        f"Signature={secret}"
    )
    headers = (("authorization", signed), ("x-amz-security-token", "dGhlIHRva2Vu"))
    request = form(
        {"Action": "DescribeTrafficMirrorSessions", "NextToken": "the body"},
        headers=headers,
        query_string="X-Amz-Security-Token=dGhlIHRva2Vu&X-Amz-Signature=" + secret,
    )

    def broken(request: Request) -> Any:
        raise RuntimeError(f"bad: {show(request)}")

    _, log = failing(FakeControl(), caplog, request, broken)
    assert "RuntimeError: bad: " in log
    for word in (secret, "dGhlIHRva2Vu", "AKIAEXAMPLE", "the body", "the+body"):
        assert word not in log


def test_only_http_is_spoken() -> None:
    async def nothing(*_: Any) -> Any:
        raise AssertionError

    with application(FakeControl()) as app, pytest.raises(ValueError, match="websocket"):
        asyncio.run(app({"type": "websocket"}, nothing, nothing))


# Without signatures.


def local(app: App, *headers: tuple[bytes, bytes]) -> Response:
    response = ask(app, headers=[*scope_of(SESSIONS)["headers"], *headers])
    assert response is not None
    return response


@pytest.mark.parametrize(
    "host", [b"localhost", b"localhost:8080", b"127.0.0.1:8080", b"[::1]:80", b"[::1]", b"EC2.LocalHost:8080"]
)
def test_without_signatures_programs_on_this_machine_are_served(host: bytes) -> None:
    with application(FakeControl(), local_only=True) as app:
        assert local(app, (b"host", host)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"127.0.0.1:8080"), (b"origin", b"https://www.example.com")],
        [(b"host", b"localhost"), (b"origin", b"null")],
        [(b"host", b"localhost"), (b"sec-fetch-site", b"cross-site"), (b"sec-fetch-dest", b"image")],
        [(b"host", b"localhost:80"), (b"sec-fetch-site", b"same-site"), (b"sec-fetch-mode", b"navigate")],
        [(b"host", b"localhost"), (b"referer", b"http://www.example.com/localhost")],
        [(b"host", b"attacker.example:8080")],
        [(b"host", b"localhost.attacker.example")],
        [(b"host", b"notlocalhost")],
        [(b"host", b"192.0.2.1")],
        [],
    ],
)
def test_without_signatures_web_pages_and_other_names_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    control = FakeControl()
    with application(control, local_only=True) as app:
        assert read(local(app, *headers), "ec2")[:2] == (403, "AuthFailure")
    assert not control.calls
    with application(control) as app:
        assert local(app, *headers).status == 200


def test_without_signatures_the_servers_own_pages_are_served() -> None:
    host = (b"host", b"localhost:4510")
    with application(FakeControl(), local_only=True) as app:
        assert local(app, host, (b"origin", b"http://localhost:4510")).status == 200
        assert local(app, host, (b"sec-fetch-site", b"none")).status == 200
        page = (b"referer", b"http://localhost:4510/console/")
        assert local(app, host, page, (b"sec-fetch-site", b"same-origin")).status == 200
        for origin in (b"http://localhost:8000", b"http://localhost", b"http://localhost:4510.example.com"):
            assert local(app, host, (b"origin", origin)).status == 403


# Beside the API.


def status(control: FakeControl, *, signed_for: str = "ec2", method: str = "GET", authenticate: Any = None) -> Response:
    request = Request(method, "/halfsilver/status", headers=(("authorization", authorization(signed_for)),))
    return exchange(control, authenticate=authenticate).answer(request, PEER)


def test_the_status_is_json_of_the_callers_account() -> None:
    response = status(FakeControl())
    assert (response.status, dict(response.headers)["content-type"]) == (200, "application/json")
    assert json.loads(response.body) == {"account": "123456789012", "generation": 7}


def test_the_status_is_for_who_may_describe_sessions() -> None:
    class Refusing(FakeControl):
        def permit(self, call: Call, action: str) -> None:
            raise ApiError("UnauthorizedOperation", action, 403)

    code, message = ("UnauthorizedOperation", "ec2:DescribeTrafficMirrorSessions")
    assert read(status(Refusing()), "ec2") == (403, code, message)


def test_the_status_is_for_known_users_and_its_method_alone() -> None:
    def nobody(request: Request) -> Any:
        raise ApiError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)

    assert read(status(FakeControl(), authenticate=nobody), "ec2")[:2] == (401, "AuthFailure")
    assert read(status(FakeControl(), method="POST"), "ec2")[:2] == (405, "InvalidHttpRequest")
    assert read(status(FakeControl(), signed_for="sts"), "query")[:2] == (400, "InvalidAction")


def test_an_error_of_the_status_is_an_internal_error() -> None:
    class Broken(FakeControl):
        def status(self, account: str) -> Any:
            raise RuntimeError("no engine")

    assert read(status(Broken()), "ec2")[:2] == (500, "InternalError")


class Counted(ThreadPoolExecutor):
    """A thread, and how often it was asked for."""

    asked = 0

    def submit(self, *arguments: Any, **named: Any) -> Any:
        self.asked += 1
        return super().submit(*arguments, **named)


def later(outcome: Any) -> Any:
    """What a call on the event loop gets that has its outcome when the loop comes round."""

    def soon(call: Any) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        loop.call_soon(future.set_exception if isinstance(outcome, Exception) else future.set_result, outcome)
        return future

    return soon


@pytest.mark.parametrize(
    ("soon", "said", "asked"),
    [
        (lambda call: {"NextToken": "at hand"}, b"at hand", 0),
        (later({"NextToken": "later"}), b"later", 0),
        (lambda call: None, b"thread", 1),
    ],
    ids=["at hand", "later", "thread"],
)
def test_what_is_soon_needs_no_thread(soon: Any, said: bytes, asked: int) -> None:
    notes: list[tuple[Any, ...]] = []
    api = Exchange(
        served(),
        lambda *asked: CALLER,
        FakeControl({"NextToken": "thread"}),
        note=lambda *note: notes.append(note),
        soon=soon,
    )
    with Counted(1) as threads:
        answer = asyncio.run(api.reply(SESSIONS, PEER, threads))
        assert said in answer.body and threads.asked == asked
        longer = replace(SESSIONS, body=SESSIONS.body + b"&NextToken=" + b"x" * SHORT_BODY)
        assert b"thread" in asyncio.run(api.reply(longer, PEER, threads)).body and threads.asked == asked + 1
    assert [note[:3] for note in notes] == [("ec2", "DescribeTrafficMirrorSessions", "OK")] * 2


def test_what_is_refused_soon_is_refused_as_in_a_thread() -> None:
    def refuse(call: Any) -> Any:
        raise ApiError("AtOnce", "no", 409)

    for soon, code in ((refuse, "AtOnce"), (later(ApiError("Later", "no", 409)), "Later")):
        api = Exchange(served(), lambda *asked: CALLER, FakeControl(), soon=soon)
        with Counted(1) as threads:
            assert read(asyncio.run(api.reply(SESSIONS, PEER, threads)), "ec2")[:2] == (409, code)
            assert threads.asked == 0


@pytest.mark.parametrize(("status", "code"), [(200, "OK"), (303, "OK"), (400, "400"), (500, "500")])
def test_an_error_of_an_upstream_counts_as_one(status: int, code: str) -> None:
    notes: list[tuple[Any, ...]] = []
    route = Route("CreateBucket", ("PUT",), lambda request, call: Response(status, b"", ()))
    api = Exchange(
        served(),
        lambda *asked: CALLER,
        FakeControl(),
        beyond=lambda service, request: route,
        note=lambda *note: notes.append(note),
    )
    assert api.answer(SESSIONS, PEER).status == status
    assert notes[0][:3] == ("upstream", "unknown", code)
