"""Words on their way into the tables: their CRC and count, the commits that need it, and what is refused."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.register_map import WORD_BITS
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import TABLE_PLACE
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Pump
from halfsilver.sim.traffic.flow import IPV4
from halfsilver.sim.traffic.live import LiveNic
from halfsilver.sim.traffic.sweeps.octets import (
    ALL_OF_THE_HASH,
    any_flow,
    back_to_back,
    of_interface,
    packet,
    some_frames,
    transparent,
)

__all__ = ["check_tables"]

_CRC, _COUNT, _REFUSED = (REGISTERS.address(name) for name in ("TABLE_CRC", "TABLE_COUNT", "REFUSED_WRITES"))
_COMMIT = REGISTERS.address("COMMIT"), REGISTERS.pack("COMMIT", go=1)
_INDICES = 1 << REGISTERS["TABLE_ADDRESS"].field("index").width
JUDGED = 2000
"""Clock cycles after which a few frames surely have their verdicts."""

REFUSED = 40
"""Words refused in a row, at most."""

WORDS = 300
"""Without a commit or another TABLE_CHECK."""

_RUN = 10_000
"""Of those that are written at once."""

Write = tuple[int, int]
"""Byte address and value."""


class _Card:
    """A card, and what its registers must say of the words that were written."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self.words: list[bytes] = []
        self.refused = self.generation = 0

    def write(self, writes: Iterable[Write]) -> None:
        """All at once, so that the next one comes as soon as the bus lets it."""
        self._pump.write(list(writes))

    def note(self, table: int, index: int, words: Iterable[int]) -> list[Write]:
        """The writes for a run of words that will reach the shadow bank."""
        place = {"table": table, "bank": (self.generation + 1) % 2}
        writes = [(REGISTERS.address("TABLE_ADDRESS"), REGISTERS.pack("TABLE_ADDRESS", table=table, index=index))]
        for word in words:
            self.words.append(struct.pack("<II", TABLE_PLACE.pack(index=index, **place), word))
            writes.append((REGISTERS.address("TABLE_DATA"), word))
            index = (index + 1) % _INDICES
        return writes

    @property
    def crc(self) -> int:
        return zlib.crc32(b"".join(self.words))

    def compare(self, when: str) -> None:
        found = self._pump.read([_CRC, _COUNT, _REFUSED, REGISTERS.address("STATUS")])
        bank = self.generation % 2
        status = REGISTERS.pack("STATUS", generation=self.generation, active_bank=bank)
        due = [self.crc, len(self.words), self.refused, status]
        if found != due:
            shown = ", ".join(f"{one:#x} not {other:#x}" for one, other in zip(found, due, strict=True) if one != other)
            raise HalfsilverError(f"{when}: CRC, count, refused writes, status: {shown}")


def check_tables(
    parameters: NicParameters, seed: int, library: Path | None = None, refused: int = REFUSED, words: int = WORDS
) -> None:
    """HalfsilverError says what is not as the register map and ``docs/tables.md`` have it."""
    rng = random.Random(f"tables {seed}")
    pump = Pump(library or build_nic(parameters), seed=seed)
    try:
        card = _Card(pump)
        for _ in range(4):
            _sum(rng, card)
            _require(rng, card)
        _count(rng, card, words)
    finally:
        pump.close()
    _refuse(rng, parameters, seed, library, refused)


def _sum(rng: random.Random, card: _Card) -> None:
    """Runs of words, with all ones, nothing and anything, at the ends of tables too; begun anew in between."""
    card.write([(REGISTERS.address("TABLE_CHECK"), 0)])
    card.words.clear()
    for _ in range(rng.randrange(4, 12)):
        index = rng.choice((0, 1, rng.randrange(_INDICES), _INDICES - 1, 1 << rng.randrange(24)))
        words = [rng.choice((0, (1 << WORD_BITS) - 1, rng.getrandbits(32))) for _ in range(rng.randrange(1, 5))]
        card.write(card.note(rng.randrange(4), index, words))
        card.compare("right after words")
        if rng.randrange(4) == 0:
            card.write([(REGISTERS.address("TABLE_CHECK"), rng.getrandbits(32) & ~1)])
            card.words.clear()
            card.compare("after TABLE_CHECK was written")


def _count(rng: random.Random, card: _Card, words: int) -> None:
    """Many words, of one table again and again."""
    card.write([(REGISTERS.address("TABLE_CHECK"), 0)])
    card.words.clear()
    table = rng.randrange(4)
    for start in range(0, words, _RUN):
        card.write(card.note(table, 0, [rng.getrandbits(32)] * min(_RUN, words - start)))
        card.compare("after many words")


def _require(rng: random.Random, card: _Card) -> None:
    """A commit of another CRC, a bit off, is refused; of this one made, once; without the check always made."""
    check, expected = REGISTERS.address("TABLE_CHECK"), REGISTERS.address("EXPECTED_CRC")
    card.words.clear()
    card.write([(check, 1), *card.note(rng.randrange(4), 0, [rng.getrandbits(32)])])
    for bit in rng.sample(range(WORD_BITS), 12):
        card.write([(expected, card.crc ^ 1 << bit), _COMMIT])
        card.refused += 1
        card.compare(f"after a commit with bit {bit} of the CRC wrong")
    card.write([(expected, card.crc), (_COMMIT[0], rng.getrandbits(32) & ~1)])
    card.compare("after a commit without go")
    card.write([_COMMIT])
    card.words.clear()
    card.generation += 1
    card.compare("after a commit with the right CRC")
    card.write([(expected, 0), _COMMIT])
    card.refused += 1
    card.compare("after a second commit without another TABLE_CHECK")
    card.write([(check, 1), _COMMIT])
    card.generation += 1
    card.compare("after a commit of no words, whose CRC is 0")
    card.write([(check, 0), (expected, 1), *card.note(rng.randrange(4), 9, [rng.getrandbits(32)]), _COMMIT])
    card.words.clear()
    card.generation += 1
    card.compare("after a commit that need not be checked")
    card.write([_COMMIT])
    card.generation += 1
    card.compare("after another one")


def _refuse(rng: random.Random, parameters: NicParameters, seed: int, library: Path | None, most: int) -> None:
    """While a copy of the bank that was left waits at an output that takes nothing, words and commits are refused."""
    nic = LiveNic(parameters, seed=seed, library=library)
    try:
        rule_set = transparent(rng, parameters), ALL_OF_THE_HASH
        for _ in range(2):
            nic.stage(rng, rule_set, [], back_to_back())
            nic.commit(rng, 1, [], back_to_back())
        for _ in range(3):
            frames = some_frames(rng, rule_set[0], rng.randint(1, 3), rng.randrange(2))
            waits = of_interface(rng, rule_set[0], Direction.INGRESS, packet(any_flow(rng, IPV4), b"waits"), IPV4)
            frames.append(Frame(waits, Direction.INGRESS))
            nic.besiege(rng, rng.randint(1, most), rng.randint(1, 3), frames, back_to_back(), JUDGED)
            nic.process(some_frames(rng, rule_set[0], 2, 2), back_to_back())
    finally:
        nic.close()
