"""The pages that monitoring reads, unsigned, on a port of their own: /metrics, /healthz, /readyz."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from prometheus_client import CollectorRegistry, make_asgi_app
from prometheus_client.registry import Collector

__all__ = ["MonitorApp"]

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class MonitorApp:
    """The ASGI application.

    families  what /metrics shows, as OpenMetrics or in Prometheus' own text as the scraper asks
    unready   why the server cannot do its work at the moment, in one line; None when it can
    """

    def __init__(self, families: Collector, unready: Callable[[], str | None]) -> None:
        registry = CollectorRegistry()
        registry.register(families)
        self._metrics = make_asgi_app(registry)
        self._unready = unready

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await _say(send, 405, "use GET")
        elif scope["path"] == "/metrics":
            await self._metrics(scope, receive, send)
        elif scope["path"] == "/healthz":
            await _say(send, 200, "ok")
        elif scope["path"] == "/readyz":
            reason = await asyncio.to_thread(self._unready)
            await _say(send, 200 if reason is None else 503, reason or "ok")
        else:
            await _say(send, 404, "there are /metrics, /healthz and /readyz")


async def _say(send: Send, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
