"""What Prometheus is told of the data plane: totals of the book, the state of engine and sessions.

Sessions and rules are shown as long as the engine has them; totals begin at zero with the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from halfsilver.harness.control.metrics.book import Book, Totals
from halfsilver.harness.control.metrics.requests import Requests
from halfsilver.harness.records import Port, Tally
from halfsilver.harness.verdict import Direction, Service, Verdict

__all__ = ["Families"]

Status = Callable[[], Mapping[str, Any]]
"""What ``plane.status.describe_engine`` says."""

_SESSION = ("direction", "interface", "session")
_STATES = ("active", "stopped", "down")


class Families(Collector):
    """The library asks it at every scrape."""

    def __init__(self, book: Book, status: Status, requests: Requests) -> None:
        self._book = book
        self._status = status
        self._requests = requests

    def describe(self) -> list[Metric]:
        """Nothing is asked of the server before the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        totals, status = self._book.totals(), self._status()
        yield from _frames(totals)
        yield from _ports(totals)
        yield from _copies(totals, status)
        yield from _engine(totals, status)
        yield from self._requests.collect()


def _counter(name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family


def _frames(totals: Totals) -> Iterator[Metric]:
    verdicts = _from_zero(totals.verdicts, Verdict)
    labels = ("direction", "verdict")
    frames = {key: tally.frames for key, tally in verdicts.items()}
    yield _counter("halfsilver_frames", "Frames judged, by verdict.", labels, frames)
    octets = {key: tally.octets for key, tally in verdicts.items()}
    text = "Bytes of frames judged; of mirrored ones, of the copy without outer headers."
    yield _counter("halfsilver_frame_bytes", text, labels, octets)
    services = _from_zero(totals.services, [each for each in Service if each is not Service.NONE])
    reasons = {key: tally.frames for key, tally in services.items()}
    text = (
        "Frames that the server sent and no rule sees, by the service that is never mirrored, or is Amazon DNS: a card "
        "does not count them apart."
    )
    yield _counter("halfsilver_service_frames", text, ("direction", "service"), reasons)


def _ports(totals: Totals) -> Iterator[Metric]:
    """Production, and copies, as they pass."""
    tallies: dict[tuple[str, ...], Tally] = {
        (str(port), mark): totals.ports.get((str(port), mark), Tally()) for port in Port for mark in ("good", "bad")
    }
    labels = ("port", "mark")
    frames = {key: tally.frames for key, tally in tallies.items()}
    yield _counter("halfsilver_port_frames", "Frames by port, and by whether a MAC marked them bad.", labels, frames)
    octets = {key: tally.octets for key, tally in tallies.items()}
    yield _counter("halfsilver_port_bytes", "Bytes by port; of copies with outer headers.", labels, octets)


def _from_zero(table: Mapping[tuple[str, str], Tally], kinds: Iterable[object]) -> dict[tuple[str, ...], Tally]:
    """With those that have not been met: a rate begins with the first frame."""
    keys = [(str(direction), str(kind)) for direction in Direction for kind in kinds]
    return {key: table.get(key, Tally()) for key in keys}


def _copies(totals: Totals, status: Mapping[str, Any]) -> Iterator[Metric]:
    carried = [(each["id"], session["id"]) for each in status["interfaces"] for session in each["sessions"]]
    keys = [(str(direction), *key) for direction in Direction for key in carried]
    for name, table, what in (
        ("halfsilver_copies", totals.sessions, "Copies sent"),
        ("halfsilver_skipped_copies", totals.skipped, "Copies left out for want of room"),
    ):
        tallies: dict[tuple[str, ...], Tally] = {key: table.get(key, Tally()) for key in keys}
        yield _counter(name, f"{what}.", _SESSION, {key: each.frames for key, each in tallies.items()})
        octets = {key: each.octets for key, each in tallies.items()}
        yield _counter(f"{name.removesuffix('ies')}y_bytes", f"{what}, bytes without outer headers.", _SESSION, octets)
    rules: dict[tuple[str, ...], int] = {
        key: tally.frames for key, tally in totals.rules.items() if key[1:3] in carried
    }
    yield _counter("halfsilver_rule_frames", "Frames whose verdict a rule decided.", (*_SESSION, "rule"), rules)
    states = GaugeMetricFamily(
        "halfsilver_session_state", "1 for the state that a session has.", labels=("interface", "session", "state")
    )
    for interface in status["interfaces"]:
        for session in interface["sessions"]:
            for state in _STATES:
                states.add_metric([interface["id"], session["id"], state], float(session["state"] == state))
    yield states


def _engine(totals: Totals, status: Mapping[str, Any]) -> Iterator[Metric]:
    engine = status["engine"]
    words = {"name": engine["name"] or "none", "detail": engine["detail"] or ""}
    yield InfoMetricFamily("halfsilver_engine", "What mirrors.", value=words)
    up = float(engine["state"] == "running")
    yield GaugeMetricFamily("halfsilver_engine_up", "1 while the engine does what is stored.", value=up)
    yield from _readings(engine)
    text = "Engines opened: above 1, one was opened again after a fault or another inventory."
    yield CounterMetricFamily("halfsilver_engine_openings", text, value=totals.engines)
    text = "Generation of the store whose policy the engine runs."
    yield GaugeMetricFamily("halfsilver_engine_generation", text, value=status["generation"])
    text = "Generation of the store, as last seen."
    yield GaugeMetricFamily("halfsilver_store_generation", text, value=status["stored_generation"])


def _readings(engine: Mapping[str, Any]) -> Iterator[Metric]:
    readable = engine["state"] != "down" and engine["counters_trouble"] is None
    text = "1 while the engine's counters can be read, which all totals of frames are made of."
    yield GaugeMetricFamily("halfsilver_counters_up", text, value=float(readable))
    if engine["counters_read"] is not None:
        text = "When a card's counters were read last, in seconds since 1970."
        at = datetime.fromisoformat(engine["counters_read"]).timestamp()
        yield GaugeMetricFamily("halfsilver_counters_read_timestamp_seconds", text, value=at)
