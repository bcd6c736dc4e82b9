"""Which stations of a survey to mirror: few of them, that between them send or get nearly every frame."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from halfsilver.harness.propose.survey import Station, Survey, is_group

__all__ = ["MOST_SOURCES", "Source", "Sources", "choose_sources"]

MOST_SOURCES = 10
"""Sources that one network-interface target takes (guide, quotas)."""
HOSTS_FOR_A_ROUTER = 2
"""A router is chosen where it stands for more hosts than these, else they are."""
WORTH_PERCENT = 1
"""A further interface is worth mirroring from this share of the frames on."""
TAP_PERCENT = 5
"""From this share of frames of others on, tap mode is advised."""


@dataclass(frozen=True, slots=True)
class Source:
    """An interface to mirror; ``gained`` are the frames it has that those before it do not have."""

    station: Station
    gained: int


@dataclass(frozen=True, slots=True)
class Sources:
    """``chosen`` in the order of what they add; ``unicast`` frames in all, ``missed`` of them are of none chosen.

    The first gets all multicast and broadcast ingress (``docs/mirroring.md`` section 2).
    """

    chosen: tuple[Source, ...]
    unicast: int
    missed: int

    @property
    def tap(self) -> bool:
        """Tap mode is needed for copies worth speaking of."""
        return self.missed * 100 > self.unicast * TAP_PERCENT


def choose_sources(survey: Survey, most: int = MOST_SOURCES) -> Sources:
    """At most ``most`` stations, each time the one that most of the frames not had yet are of.

    Where there is no unicast, the station that sends most. None where no frame has a MAC an interface can have.
    """
    remaining = Counter({pair: count for pair, count in survey.pairs.items() if not is_group(pair[0])})
    unicast = remaining.total()
    chosen: list[Source] = []
    while len(chosen) < most:
        gains = _gains(survey, remaining)
        if not gains:
            break
        station = max((survey.stations[mac] for mac in gains), key=lambda each: _worth(each, gains[each.mac]))
        if chosen and gains[station.mac] * 100 < unicast * WORTH_PERCENT:
            break
        chosen.append(Source(station, gains[station.mac]))
        remaining = Counter({pair: count for pair, count in remaining.items() if station.mac not in pair})
    if not chosen and survey.stations:
        station = max(survey.stations.values(), key=lambda each: (each.sent, each.received))
        chosen.append(Source(station, 0))
    return Sources(tuple(chosen), unicast, remaining.total())


def _gains(survey: Survey, remaining: Counter[tuple[bytes, bytes]]) -> Counter[bytes]:
    """Frames that each station would add."""
    gains: Counter[bytes] = Counter()
    for pair, count in remaining.items():
        for mac in dict.fromkeys(pair):
            if mac in survey.stations:
                gains[mac] += count
    return gains


def _worth(station: Station, gain: int) -> tuple[int, int, bool, int]:
    """What the next station is chosen by: what it adds, then whether it is on this side of capture and Internet."""
    return (gain if station.is_router else gain * HOSTS_FOR_A_ROUTER, station.local, station.is_private, station.sent)
