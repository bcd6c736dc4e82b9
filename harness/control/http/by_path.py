"""What answers beside the API, by the path of a request: the console."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor as Threads
from typing import Protocol

from halfsilver.harness.control.http.exchange import Peer
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["Answerer", "Beside", "ByPath"]


class Beside(Protocol):
    """What answers requests in threads (``console.Console``). Safe in several; never raises."""

    def answer(self, request: Request, peer: Peer) -> Response:
        """The answer to a whole request."""

    def refuse(self, request: Request, error: ApiError) -> Response:
        """An error that was found before the request was whole."""

    def turn_away(self, request: Request) -> Response:
        """The refusal of a request that is one too many."""


class Answerer(Beside, Protocol):
    """What answers requests on an event loop (``exchange.Exchange``)."""

    async def reply(self, request: Request, peer: Peer, threads: Threads) -> Response:
        """The answer to a whole request; what is long, or waits, is done in one of the threads."""


class ByPath:
    """One answerer for each path of ``beside`` (one word, ``/console``) and all below it, ``api`` for the others."""

    def __init__(self, api: Answerer, beside: Mapping[str, Beside]) -> None:
        self._api = api
        self._beside = dict(beside)

    def answer(self, request: Request, peer: Peer) -> Response:
        return self._of(request).answer(request, peer)

    async def reply(self, request: Request, peer: Peer, threads: Threads) -> Response:
        found = self._of(request)
        if found is self._api:
            return await self._api.reply(request, peer, threads)
        return await asyncio.get_running_loop().run_in_executor(threads, found.answer, request, peer)

    def refuse(self, request: Request, error: ApiError) -> Response:
        return self._of(request).refuse(request, error)

    def turn_away(self, request: Request) -> Response:
        return self._of(request).turn_away(request)

    def _of(self, request: Request) -> Beside:
        return self._beside.get("/" + request.path[1:].partition("/")[0], self._api)
