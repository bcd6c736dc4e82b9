"""What answers beside the API, by the path of a request: the console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from halfsilver.harness.control.http.exchange import Peer
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["Answerer", "ByPath"]


class Answerer(Protocol):
    """What answers requests (``exchange.Exchange``). Safe in several threads; never raises."""

    def answer(self, request: Request, peer: Peer) -> Response:
        """The answer to a whole request."""

    def refuse(self, request: Request, error: ApiError) -> Response:
        """An error that was found before the request was whole."""

    def turn_away(self, request: Request) -> Response:
        """The refusal of a request that is one too many."""


class ByPath:
    """One answerer for each path of ``beside`` (one word, ``/console``) and all below it, ``api`` for the others."""

    def __init__(self, api: Answerer, beside: Mapping[str, Answerer]) -> None:
        self._api = api
        self._beside = dict(beside)

    def answer(self, request: Request, peer: Peer) -> Response:
        return self._of(request).answer(request, peer)

    def refuse(self, request: Request, error: ApiError) -> Response:
        return self._of(request).refuse(request, error)

    def turn_away(self, request: Request) -> Response:
        return self._of(request).turn_away(request)

    def _of(self, request: Request) -> Answerer:
        return self._beside.get("/" + request.path[1:].partition("/")[0], self._api)
