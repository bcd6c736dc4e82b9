"""Who talks in captures: every station by its MAC address, with its addresses, VLANs and frames.

A frame counts here if rules may look at it (``docs/mirroring.md`` section 4): IP, well formed, and of no service that
is never mirrored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.golden.eligibility import service_of
from halfsilver.harness.golden.parse import Headers, Kind, parse
from halfsilver.harness.policy.types import Address
from halfsilver.harness.propose.stand_ins import is_stand_in
from halfsilver.harness.verdict import Service

__all__ = ["IP_KINDS", "Station", "Survey", "is_group"]

IP_KINDS = (Kind.IPV4, Kind.IPV6)
MOST_HOST_ADDRESSES = {4: 2, 6: 4}
"""Addresses a host sends from, by IP version; who sends from more is taken for a router."""

_ARP_BYTES = 28
_IPV4_OVER_ETHERNET = bytes.fromhex("0001 0800 06 04")


@dataclass(slots=True)
class Station:
    """A MAC address: frames it sent and that were for it alone, and the addresses seen with it.

    ``owned`` are those it sent from, ``addressed`` those of frames to it, ``claimed`` those it called its own in ARP.
    ``local`` counts frames of which the capture says that they left or came in on this side, which is this station's.
    """

    mac: bytes
    sent: int = 0
    local: int = 0
    received: int = 0
    owned: Counter[tuple[int, int]] = field(default_factory=Counter)
    addressed: Counter[tuple[int, int]] = field(default_factory=Counter)
    claimed: Counter[tuple[int, int]] = field(default_factory=Counter)
    vlans: set[tuple[int, ...]] = field(default_factory=set)

    def take(self, other: Station) -> None:
        """What was taken for another is this one too."""
        self.sent += other.sent
        self.received += other.received
        self.local += other.local
        for own, more in ((self.owned, other.owned), (self.addressed, other.addressed), (self.claimed, other.claimed)):
            own.update(more)
        self.vlans |= other.vlans

    @property
    def is_router(self) -> bool:
        """It sends for others: from more addresses than a host has."""
        return any(sum(of == version for of, _ in self.owned) > most for version, most in MOST_HOST_ADDRESSES.items())

    def address(self, version: int) -> Address | None:
        """The address most likely its own: what it said in ARP, else, of a host, the one it used most."""
        for seen in (self.claimed,) if self.is_router else (self.claimed, self.owned, self.addressed):
            found = [address for address in _addresses(seen, version) if _usable(address)]
            if found:
                return next((each for each in found if not each.is_link_local and not each.is_loopback), found[0])
        return None

    @property
    def is_private(self) -> bool:
        """It has an address that is not of the public Internet."""
        addresses = (self.address(4), self.address(6))
        return any(address is not None and address.is_private for address in addresses)


def _addresses(seen: Counter[tuple[int, int]], version: int) -> Iterator[Address]:
    """Those of a version, the most frequent first."""
    for (of, number), _ in seen.most_common():
        if of == version:
            yield IPv4Address(number) if version == 4 else IPv6Address(number)


def _usable(address: Address) -> bool:
    """Whether an interface can have it."""
    return not address.is_multicast and not address.is_unspecified and address != IPv4Address("255.255.255.255")


def is_group(mac: bytes) -> bool:
    """Whether it is a multicast or the broadcast address."""
    return bool(mac[0] & 1)


class Survey:
    """Everything ``add`` was given, summed up.

    ``pairs`` counts frames that rules may look at by destination and source MAC; ``kinds`` all frames by kind,
    ``services`` those of each service.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.kinds: Counter[Kind] = Counter()
        self.services: Counter[Service] = Counter()
        self.pairs: Counter[tuple[bytes, bytes]] = Counter()
        self.stations: dict[bytes, Station] = {}

    @property
    def eligible(self) -> int:
        """Frames that rules may look at."""
        return self.pairs.total()

    def add(self, frames: Iterable[CapturedFrame]) -> None:
        for captured in frames:
            self._add(captured.data, captured.outbound)

    def _add(self, frame: bytes, outbound: bool | None) -> None:
        headers = parse(frame)
        self.frames += 1
        self.kinds[headers.kind] += 1
        if headers.kind is Kind.ARP:
            self._add_arp(frame, headers)
        service = service_of(headers, None)
        self.services[service] += 1
        if headers.kind not in IP_KINDS or service not in (Service.NONE, Service.AMAZON_DNS):
            return
        destination, source = frame[0:6], frame[6:12]
        self.pairs[destination, source] += 1
        version = 4 if headers.kind is Kind.IPV4 else 6
        sender = self._station(source, headers)
        if sender is not None:
            sender.sent += 1
            sender.owned[version, headers.source] += 1
            sender.local += outbound is True
        receiver = self._station(destination, headers)
        if receiver is not None:
            receiver.received += 1
            receiver.addressed[version, headers.destination] += 1
            receiver.local += outbound is False

    def _add_arp(self, frame: bytes, headers: Headers) -> None:
        """What a station says of itself in ARP (RFC 826)."""
        start = 14 + 4 * len(headers.vlan)
        packet = frame[start : start + _ARP_BYTES]
        if len(packet) == _ARP_BYTES and packet.startswith(_IPV4_OVER_ETHERNET) and packet[8:14] == frame[6:12]:
            sender = self._station(frame[6:12], headers)
            if sender is not None:
                sender.claimed[4, int.from_bytes(packet[14:18])] += 1

    def settle(self) -> None:
        """When all frames are there: a stand-in whose address one host sends from is this host.

        So are frames to a host of whose own frames alone the capture has the MAC address (LINUX_SLL).
        """
        owners: dict[tuple[int, int], set[bytes]] = {}
        for mac, station in self.stations.items():
            for address in () if is_stand_in(mac) or station.is_router else station.owned:
                owners.setdefault(address, set()).add(mac)
        names: dict[bytes, bytes] = {}
        for mac, station in list(self.stations.items()):
            found = {owner for address in station.owned + station.addressed for owner in owners.get(address, ())}
            if is_stand_in(mac) and len(found) == 1:
                names[mac] = found.pop()
                self.stations[names[mac]].take(self.stations.pop(mac))
        pairs = Counter[tuple[bytes, bytes]]()
        for (destination, source), count in self.pairs.items():
            pairs[names.get(destination, destination), names.get(source, source)] += count
        self.pairs = pairs

    def _station(self, mac: bytes, headers: Headers) -> Station | None:
        """The station of a MAC that an interface can have; None for a group's and for zeros."""
        if is_group(mac) or not any(mac):
            return None
        station = self.stations.setdefault(mac, Station(mac))
        station.vlans.add(headers.vlan)
        return station
