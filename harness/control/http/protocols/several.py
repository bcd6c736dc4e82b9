"""A service that is spoken to in several protocols: each request is answered in its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from halfsilver.harness.control.http.protocols.service import Operation, Response, Service
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["Several"]


class Several(Service):
    """``spoken`` are the same operations in each protocol; a request that fits none is taken for the last one's."""

    def __init__(self, spoken: Sequence[Service]) -> None:
        super().__init__(spoken[-1].name, spoken[-1].protocol)
        self._spoken = tuple(spoken)

    def claims(self, request: Request) -> bool:
        return any(each.claims(request) for each in self._spoken)

    def speaking(self, request: Request) -> Service:
        return next((each for each in self._spoken if each.claims(request)), self._spoken[-1])

    def identify(self, request: Request) -> tuple[Operation, Any]:
        return self.speaking(request).identify(request)

    def refuse(self, error: ApiError, request_id: str) -> Response:
        return self._spoken[-1].refuse(error, request_id)
