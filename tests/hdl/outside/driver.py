"""A driver of the exported core as somebody else would write it: from docs/tables.md and `halfsilver regs` alone.

Nothing of Halfsilver is imported here, and nothing was looked up in its code: what the pages do not say is not known.
Registers are read and written by ``read(address)`` and ``write(address, word)``, both coroutines.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil

ID, VERSION, SHAPE, RULES, STATUS, COMMIT, REFUSED = 0x00, 0x04, 0x08, 0x0C, 0x14, 0x18, 0x1C
TABLE_ADDRESS, TABLE_DATA, COUNTER_ADDRESS, COUNTERS = 0x20, 0x24, 0x30, (0x34, 0x38, 0x3C, 0x40)
SNAPSHOT, SNAPSHOT_STATUS = 0x100, 0x104
LOOKUP, SESSIONS, OUTER, GENERAL = range(4)

Ports = tuple[int, int]


@dataclass(frozen=True)
class OwnRule:
    """One rule; ``protocol`` and ports may be absent."""

    accept: bool
    source: str
    destination: str
    protocol: int | None = None
    source_ports: Ports | None = None
    destination_ports: Ports | None = None


@dataclass(frozen=True)
class OwnSession:
    """One session over IPv4 of ENI 0; ``rules`` by direction, 0 ingress and 1 egress."""

    rules: tuple[list[OwnRule], list[OwnRule]]
    limit: int
    vni: int
    source_mac: bytes
    destination_mac: bytes
    source: bytes
    destination: bytes


def _lowest_first(octets: bytes) -> int:
    return int.from_bytes(octets, "little")


class OwnDriver:
    """Loads one ENI with its sessions, and reads counters. RuntimeError says what the card answered."""

    def __init__(self, read: Callable[[int], Awaitable[int]], write: Callable[[int, int], Awaitable[None]]) -> None:
        self._read, self._write = read, write

    async def identify(self) -> dict[str, int]:
        """What was built; steps 1 of the page."""
        if await self._read(ID) != int.from_bytes(b"HSM1", "big"):
            raise RuntimeError("this is no Halfsilver core")
        version, shape, rules = await self._read(VERSION), await self._read(SHAPE), await self._read(RULES)
        self.built = {
            "major": version >> 16 & 0xFF,
            "width": shape & 0x7FF,
            "enis": shape >> 16 & 0x1F,
            "sessions": shape >> 24 & 3,
            "rules": rules & 0xFF,
            "chunk_bits": rules >> 16 & 0xF,
            "lookup_clocks": rules >> 24 & 0xF,
            "matchers": rules >> 28 & 3,
        }
        return self.built

    async def load(self, mac: bytes, sessions: list[OwnSession], source_port: tuple[int, int]) -> int:
        """Steps 2 to 5 of the page; returns the new generation."""
        while (status := await self._read(STATUS)) & 1:
            pass
        refused = await self._read(REFUSED)
        base, mask = source_port
        await self._put(GENERAL, 0, [0, base | mask << 16])
        await self._put(GENERAL, 16, [_lowest_first(mac[:4]), _lowest_first(mac[4:]) | 1 << 16, 0])
        for place, session in enumerate(sessions):
            await self._put(SESSIONS, place, [session.limit | session.limit << 14 | 1 << 28 | 1 << 29])
            await self._put(OUTER, place * 16, self._template(session))
        for direction in range(2):
            await self._put_rules(direction, [session.rules[direction] for session in sessions])
        if await self._read(REFUSED) != refused:
            raise RuntimeError("table writes were refused")
        await self._write(COMMIT, 1)
        generation = (await self._read(STATUS)) >> 16
        if generation != (status >> 16) + 1:
            raise RuntimeError(f"generation {generation} after {status >> 16}")
        return generation

    async def snapshot(self) -> None:
        """Freeze all counters."""
        await self._write(SNAPSHOT, 1)
        while await self._read(SNAPSHOT_STATUS) & 1:
            pass

    async def counter(self, group: int, index: int) -> tuple[int, int]:
        """Frames and bytes, of the last snapshot."""
        await self._write(COUNTER_ADDRESS, index | group << 28)
        words = [await self._read(address) for address in COUNTERS]
        return words[0] | words[1] << 32, words[2] | words[3] << 32

    async def _put(self, table: int, index: int, words: list[int]) -> None:
        await self._write(TABLE_ADDRESS, index | table << 28)
        for word in words:
            await self._write(TABLE_DATA, word)

    @staticmethod
    def _template(session: OwnSession) -> list[int]:
        bits = (
            _lowest_first(session.destination_mac)
            | _lowest_first(session.source_mac) << 48
            | session.vni << 96
            | _lowest_first(session.source) << 128
            | _lowest_first(session.destination) << 256
        )
        addresses = session.source + session.destination
        seed = 0x4500 + 0xFF11 + sum(int.from_bytes(addresses[at : at + 2], "big") for at in range(0, 8, 2))
        while seed >> 16:
            seed = (seed & 0xFFFF) + (seed >> 16)
        return [bits >> 32 * word & 0xFFFFFFFF for word in range(12)] + [seed]

    async def _put_rules(self, direction: int, rules: list[list[OwnRule]]) -> None:
        """The whole of one context: every word of every lane."""
        chunk, clocks = self.built["chunk_bits"], self.built["lookup_clocks"]
        enis = 1 << (self.built["enis"] - 1).bit_length()
        matchers = self.built["matchers"]
        context = direction * enis if matchers == 1 else 0
        bank_words = 2 * enis // matchers * clocks << chunk
        ternary_lanes = ceil(ceil(267 / chunk) / clocks)
        digits = ceil(16 / chunk)
        bound_lanes = ceil(digits / clocks)
        lanes = ternary_lanes + 8 * bound_lanes
        first_lane = direction * (lanes + 1) if matchers == 2 else 0
        placed = {
            session * self.built["rules"] + place: rule
            for session, its in enumerate(rules)
            for place, rule in enumerate(its)
        }
        slots = self.built["sessions"] * self.built["rules"]
        every = (1 << slots) - 1
        values = range(1 << chunk)
        per_word = 1  # parts that a word is written in
        while per_word * 32 < slots:
            per_word *= 2

        async def put_words(first: int, words: list[int]) -> None:
            split = [word >> 32 * part & 0xFFFFFFFF for word in words for part in range(per_word)]
            await self._put(LOOKUP, first * per_word, split)

        async def put(lane: int, slot: int, words: list[int]) -> None:
            await put_words((first_lane + lane) * bank_words + (context * clocks + slot << chunk), words)

        for lane in range(ternary_lanes):
            for slot in range(clocks):
                low = (slot * ternary_lanes + lane) * chunk
                words = [every for _ in values]
                if low < 267:
                    words = [
                        sum(1 << bit for bit, rule in placed.items() if _agrees(rule, low, chunk, value))
                        for value in values
                    ]
                await put(lane, slot, words)
        for bound in range(4):
            for position in range(bound_lanes):
                for slot in range(clocks):
                    digit = slot * bound_lanes + position
                    decided, equal = [0 for _ in values], [every for _ in values]
                    if digit < digits:
                        low = (digits - 1 - digit) * chunk
                        parts = {bit: _bound(rule, bound) >> low & len(values) - 1 for bit, rule in placed.items()}
                        for value in values:
                            beats = [
                                bit for bit, part in parts.items() if (value < part if bound % 2 else value > part)
                            ]
                            decided[value] = sum(1 << bit for bit in beats)
                            equal[value] = sum(1 << bit for bit, part in parts.items() if value == part)
                    lane = ternary_lanes + 2 * (bound * bound_lanes + position)
                    await put(lane, slot, decided)
                    await put(lane + 1, slot, equal)
        accepts = sum(1 << bit for bit, rule in placed.items() if rule.accept)
        await put_words((first_lane + lanes) * bank_words + context, [accepts])


def _key(rule: OwnRule) -> tuple[int, int]:
    """Value and mask over the ternary key, IPv4."""
    value = mask = 0
    for place, text in enumerate((rule.source, rule.destination)):
        network = ipaddress.IPv4Network(text)
        value |= _lowest_first(network.network_address.packed) << 128 * place
        mask |= _lowest_first(network.netmask.packed) << 128 * place
    mask |= 1 << 264
    if rule.protocol is not None:
        value |= rule.protocol << 256 | 4 << 264
        mask |= 0xFF << 256 | 4 << 264
    if rule.source_ports or rule.destination_ports:
        value |= 2 << 264
        mask |= 2 << 264
    return value, mask


def _agrees(rule: OwnRule, low: int, width: int, value: int) -> bool:
    wanted, mask = (part >> low & (1 << width) - 1 for part in _key(rule))
    return not (wanted ^ value) & mask


def _bound(rule: OwnRule, bound: int) -> int:
    ports = (rule.source_ports, rule.destination_ports)[bound // 2] or (0, 65535)
    return ports[bound % 2]
