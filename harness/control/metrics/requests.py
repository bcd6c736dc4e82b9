"""How many requests there were and how long they took, by service, action and what became of them."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric

__all__ = ["Requests"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Bounds of the buckets: most take a few milliseconds, a large change of the engine some seconds."""


class Requests:
    """Counts since the server began. Threads may share it."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._count = Counter(
            "halfsilver_api_requests",
            "Requests answered, by the code of the error (an upstream's: the status); OK for those that were done.",
            ("service", "action", "code"),
            registry=registry,
        )
        self._seconds = Histogram(
            "halfsilver_api_request_duration_seconds",
            "Time from the whole request to its answer.",
            ("service", "action"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._registry = registry
        self._known: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        """What counts each kind of answer: finding it takes the library longer than counting."""

    def note(self, service: str, action: str, code: str, seconds: float) -> None:
        """One request more; ``action`` is an operation that is served, or "unknown"."""
        known = self._known.get((service, action, code))
        if known is None:
            known = self._count.labels(service, action, code), self._seconds.labels(service, action)
            self._known[service, action, code] = known
        known[0].inc()
        known[1].observe(seconds)

    def collect(self) -> Iterable[Metric]:
        """As the library wants it."""
        return self._registry.collect()
