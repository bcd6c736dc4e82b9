"""One request becomes one answer: whose it is, who sent it, what they want, what came of it.

Safe in several threads; ``app`` has the HTTP and the limits around it. On the event loop what is short is done at once,
since handing it to a thread and back takes longer than itself; what may wait or take long goes to a thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from halfsilver.harness.control.http.protocols import Operation, Response, Services, signed_with
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.call import Call, Caller, Parameters, SignIn
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["SHORT_BODY", "Audit", "Authenticate", "Exchange", "Executor", "Peer", "Route", "Soon", "log_internal"]

Note = Callable[[str, str, str, float], None]
"""Takes service, action, code and seconds of a request."""
UNKNOWN, LOCAL, BEYOND, DONE = "unknown", "halfsilver", "upstream", "OK"
"""Service and action of what is not served; services of the paths beside the API, and of what another server answers;
code of what was done."""

Authenticate = Callable[[Request, str, str], Caller]
"""Who signed a request for a service and a region (empty: the server's own); ApiError when that cannot be said."""

Soon = Callable[[Call], dict[str, Any] | asyncio.Future[dict[str, Any]] | None]
"""Executes a call without keeping the thread: its result if that is at hand, a future of it where it comes later, None
where a thread is to execute it. ApiError as of ``Executor.execute``."""

SHORT_BODY = 8192
"""Bytes of a body that are read in well below a millisecond."""

_Away = Callable[[Callable[[], Response]], Awaitable[Response]]
"""Has something answered in a thread."""

_LOG = logging.getLogger(__name__)

_SECRET = re.compile(r"(?i)((?:signature|security-token|credential|authorization)[\"']?\s*[=:]\s*)[^\s,&;]+")
_CODES = r"<Code>([\w.]{1,128})</Code>", r'"(?:__type|code)"\s*:\s*"(?:[^"#]{0,128}#)?([\w.]{1,128})"'
_MESSAGES = r"<Message>([^<]{1,1024})</Message>", r'"[Mm]essage"\s*:\s*"([^"]{1,1024})"'
"""Of a refusal in XML and in JSON."""
_LONGEST = 300
"""Characters of an exception's message that are logged."""


class Executor(Protocol):
    """What does the work (``control.Control``)."""

    def execute(self, call: Call) -> Mapping[str, Any]:
        """The result of an operation, ApiError when it is refused."""


class Audit(Protocol):
    """What keeps a record of requests (``trail.recorder``)."""

    def ready(self) -> None:
        """Nothing if a request can be recorded; ApiError."""

    def note(
        self,
        call: Call,
        *,
        user_agent: str | None,
        key: str | None,
        result: Mapping[str, Any] | None = None,
        error: ApiError | None = None,
        changes: bool | None = None,
    ) -> None:
        """Record a request that was done, or refused with ``error``. ApiError if it is not recorded yet.

        ``changes``: whether it changes something; None: as the operation of that name does.
        """

    def note_sign_in(self, attempt: SignIn) -> None:
        """Record who has signed in to the console, or tried to. ApiError if it is not recorded yet."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of the connection: its IP address, and whether the connection is TLS."""

    address: str
    secure: bool


@dataclass(frozen=True, slots=True)
class Route:
    """Another path than the API's: what it is called, the methods it takes, and what answers.

    ``answer`` gets the request as it came and, as a call without parameters, who sent it from where. ``given`` are the
    parameters for who keeps records, and ``changes`` is whether it changes something.
    """

    name: str
    methods: tuple[str, ...]
    answer: Callable[[Request, Call], Response]
    given: Mapping[str, str] = field(default_factory=dict)
    changes: bool = False


class Exchange:
    """The API, and the other paths beside it.

    services      the protocols, with the operations that are served
    authenticate  called for every request, other paths included, before any parameter is believed
    control       called for a request that is whole and right in itself
    routes        other paths by their names
    clock         what requests are told the time by
    beyond        what answers a request that another server is to answer, None for one of ours; it gets the name of
                  the service, and ApiError is its refusal
    soon          executes what needs no thread; None: everything is executed by ``control``
    note          called after each answer with service, action, code of the error ("OK" where there is none, the
                  status where ``beyond`` says no more), seconds; what names no operation that is served is "unknown"
    audit         keeps a record of each request for an operation by somebody who is known, done or refused
    region        which other region a request is for; empty: the server's own
    """

    def __init__(
        self,
        services: Services,
        authenticate: Authenticate,
        control: Executor,
        routes: Mapping[str, Route] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        beyond: Callable[[str, Request], Route | None] | None = None,
        note: Note | None = None,
        soon: Soon | None = None,
        audit: Audit | None = None,
        region: Callable[[Request], str] = lambda request: "",
    ) -> None:
        self._clock = clock
        self._audit = audit
        self._region = region
        self._soon = soon
        self._note = note
        self._services = services
        self._authenticate = authenticate
        self._control = control
        self._routes = dict(routes or {})
        self._beyond = beyond

    def answer(self, request: Request, peer: Peer) -> Response:
        """The answer to a request, in this thread; never raises."""
        coroutine = self._noted(request, peer, None)
        try:
            coroutine.send(None)
        except StopIteration as done:
            response: Response = done.value
            return response
        raise RuntimeError("without a way to a thread, nothing is waited for")

    async def reply(self, request: Request, peer: Peer, threads: Threads) -> Response:
        """The same on the event loop, which nothing holds up: what is long, or waits, is done in one of the threads."""
        loop = asyncio.get_running_loop()
        if self._audit is not None or len(request.body) > SHORT_BODY:
            return await loop.run_in_executor(threads, self.answer, request, peer)
        return await self._noted(request, peer, partial(loop.run_in_executor, threads))

    async def _noted(self, request: Request, peer: Peer, away: _Away | None) -> Response:
        began = time.perf_counter()
        response, service, action, code = await self._answer(request, peer, away)
        if self._note is not None:
            self._note(service, action, code, time.perf_counter() - began)
        return response

    async def _answer(self, request: Request, peer: Peer, away: _Away | None) -> tuple[Response, str, str, str]:
        """The answer; and by what it is counted: service, action, code. ``away`` is None in a thread."""
        request_id = _new_id()
        service = self._services.of(request)
        counted = (UNKNOWN, UNKNOWN)
        try:
            route = self._routes.get(request.path)
            if route is not None:
                counted = (LOCAL, route.name)
                _check_route(route, service.name, request)
            elif self._beyond is not None:
                route = self._beyond(service.name, request)
                counted = (BEYOND, UNKNOWN) if route is not None else counted
            if route is not None:
                region = self._region(request)
                caller = self._authenticate(request, service.name, region)
                there = region if counted[0] == BEYOND else ""
                call = self._call(service.name, route.name, {}, caller, request_id, peer, there)
                work = partial(route.answer, request, call)
                if self._audit is not None and counted[0] == BEYOND:
                    work = partial(self._passed_on, self._audit, route, request, call)
                response = work() if away is None else await away(work)
                return response, *counted, DONE if response.status < 400 else str(response.status)
            operation, found = service.identify(request)
            counted = (service.name, operation.name)
            region = self._region(request)
            caller = self._authenticate(request, service.name, region)
            given = {} if self._audit is not None else operation.read(found)
            call = self._call(service.name, operation.name, given, caller, request_id, peer, region)
            if self._audit is not None:
                result = self._recorded(self._audit, request, call, lambda: operation.read(found))
                return operation.write(result, request_id), *counted, DONE
            return await self._execute(call, operation, away), *counted, DONE
        except ApiError as error:
            return service.refuse(error, request_id), *counted, error.code
        except Exception as error:
            log_internal(error, request, request_id)
            internal = _internal()
            return service.refuse(internal, request_id), *counted, internal.code

    async def _execute(self, call: Call, operation: Operation, away: _Away | None) -> Response:
        def work() -> Response:
            return operation.write(self._control.execute(call), call.request_id)

        if away is None:
            return work()
        result = self._soon(call) if self._soon is not None else None
        if isinstance(result, asyncio.Future):
            result = await result
        return await away(work) if result is None else operation.write(result, call.request_id)

    def ask(self, request: Request, caller: Caller, peer: Peer, region: str) -> Mapping[str, Any]:
        """What an operation gives to somebody whom other proof than a signature has identified. ApiError: refused.

        region  as a call has it
        """
        call, began, code = self.read(request, caller, peer, region), time.perf_counter(), DONE
        try:
            if self._audit is not None:
                return self._recorded(self._audit, request, call, lambda: call.parameters)
            return self._control.execute(call)
        except ApiError as error:
            code = error.code
            raise
        finally:
            if self._note is not None:
                self._note(call.service, call.operation, code, time.perf_counter() - began)

    def read(self, request: Request, caller: Caller, peer: Peer, region: str) -> Call:
        """The call that such a request is; ApiError where the API would refuse to read it."""
        service = self._services.of(request)
        operation, found = service.identify(request)
        return self._call(service.name, operation.name, operation.read(found), caller, _new_id(), peer, region)

    def _recorded(
        self, audit: Audit, request: Request, call: Call, read: Callable[[], Parameters]
    ) -> Mapping[str, Any]:
        """The result of a call with these parameters, recorded before anybody is told of it; waits for the disk."""
        audit.ready()
        note = partial(audit.note, user_agent=request.header("user-agent"), key=signed_with(request))
        try:
            call = replace(call, parameters=read())
            result = self._control.execute(call)
        except Exception as error:
            note(call, error=error if isinstance(error, ApiError) else _internal())
            raise
        note(call, result=result)
        return result

    def _passed_on(self, audit: Audit, route: Route, request: Request, call: Call) -> Response:
        """What another server answers, recorded before anybody is told of it."""
        audit.ready()
        note = partial(
            audit.note, user_agent=request.header("user-agent"), key=signed_with(request), changes=route.changes
        )
        recorded = replace(call, parameters=route.given)
        try:
            response = route.answer(request, call)
        except Exception as error:
            note(recorded, error=error if isinstance(error, ApiError) else _internal())
            raise
        note(recorded, error=_refusal(response) if response.status >= 400 else None)
        return response

    def signed_in(self, request: Request, peer: Peer, path: str, key: str, caller: Caller | None, done: bool) -> None:
        """Record that somebody has signed in to the console at ``path``, or tried to. ApiError: it cannot be recorded.

        key     the id of the access key; ``caller`` is whose it is, None where there is no such key
        """
        if self._audit is not None:
            self._audit.ready()
            url = f"http{'s' if peer.secure else ''}://{request.header('host') or ''}{path}"
            agent = request.header("user-agent")
            known = None if caller is None else key
            self._audit.note_sign_in(SignIn(caller, known, done, peer.address, agent, self._clock(), url))

    def _call(
        self,
        service: str,
        name: str,
        parameters: Parameters,
        caller: Caller,
        request_id: str,
        peer: Peer,
        region: str = "",
    ) -> Call:
        return Call(
            service,
            name,
            parameters,
            caller,
            request_id,
            peer.address,
            self._clock(),
            region=region,
            secure=peer.secure,
        )

    def refuse(self, request: Request, error: ApiError) -> Response:
        """An error that was found before the request was whole, in the protocol of its service."""
        return self._services.of(request).refuse(error, _new_id())

    def turn_away(self, request: Request) -> Response:
        """The refusal of a request that is one too many, which AWS's clients try again a little later."""
        service = self._services.of(request)
        if service.name == "ec2":
            error = ApiError("RequestLimitExceeded", "Request limit exceeded.", 503)
        else:
            error = ApiError("ServiceUnavailable", "Too many requests are under way.", 503)
        return service.refuse(error, _new_id())


def _refusal(response: Response) -> ApiError:
    """What another server's answer says in one of AWS's forms; its status where it says nothing that is understood."""
    text = response.body.decode("utf-8", "replace")
    code, message = (
        next((found for name in names if (found := re.search(name, text)) is not None), None)
        for names in (_CODES, _MESSAGES)
    )
    return ApiError(code[1] if code else str(response.status), message[1] if message else "", response.status)


def _new_id() -> str:
    """A random UUID (RFC 9562, version 4) as text, in a fraction of the time that the library takes to make one."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _internal() -> ApiError:
    return ApiError("InternalError", "An internal error has occurred", 500)


def _check_route(route: Route, service: str, request: Request) -> None:
    if service != "ec2":
        raise ApiError("InvalidAction", f"Requests for {request.path} are signed for the service ec2.")
    if request.method not in route.methods:
        message = f"The HTTP request is invalid. Reason: use {' or '.join(route.methods)}."
        raise ApiError("InvalidHttpRequest", message, 405)


def log_internal(error: Exception, request: Request, request_id: str) -> None:
    """Where it happened and what it was, without what the client sent or what proves who it is."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    message = str(error)
    for name in ("authorization", "x-amz-security-token"):
        secret = request.header(name)
        if secret:
            message = message.replace(secret, "...")
    message = _SECRET.sub(r"\1...", message)[:_LONGEST]
    _LOG.error(
        "internal error, request %s, %s %s\n%s%s: %s",
        request_id,
        request.method,
        request.path[:100],
        frames,
        type(error).__name__,
        message,
    )
