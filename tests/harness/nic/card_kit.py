"""A card in memory: registers as the map describes them, tables in dictionaries, and ways to be broken."""

import struct
import zlib
from collections.abc import Callable, Sequence

from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.policy.policy import Policy
from halfsilver.hdl.layout.card_registers import CARD_REGISTERS
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.registers import REGISTERS

NAMES = {register.address: register.name for registers in (REGISTERS, CARD_REGISTERS) for register in registers}
CARD_NAMES = {register.name for register in CARD_REGISTERS}


class CardInMemory:
    """Implements the driver's transport.

    ``busy_polls`` reads of STATUS show a busy shadow; ``refuse_after`` writes, the tables are closed; ``deaf`` to
    commits; ``registers`` overrides what a register reads; those of a board's card are 0 without. ``written`` is every
    write, ``counters`` by group and index. They are seen as they were when the last snapshot was taken, which takes
    ``snapshot_polls`` reads of its status. ``verdicts`` are the records in the ring, of 16 bytes, oldest first; what
    `keep` is given beyond ``ring`` of them is ``lost``.
    ``line`` is what becomes of the writes on their way.
    """

    def __init__(self, shape: NicShape, **registers: int) -> None:
        self.shape = shape
        self.busy_polls = 0
        self.refuse_after: int | None = None
        self.deaf = False
        self.refused = 0
        self.generation = 0
        self.active = 0
        self.banks: list[dict[tuple[int, int], int]] = [{}, {}]
        self.counters: dict[tuple[int, int], tuple[int, int]] = {}
        self.snapshot_polls = 0
        self.verdicts: list[bytes] = []
        self.ring, self.lost = 512, 0
        self.written: list[tuple[str, int]] = []
        self.line: Callable[[list[tuple[int, int]]], list[tuple[int, int]]] = list
        self._arrived: list[tuple[int, int, int, int]] = []
        self._expected, self._required, self._begun = 0, 0, False
        self._table_address = {"table": 0, "index": 0}
        self._counter = (0, 0)
        self._snapshot: dict[tuple[int, int], tuple[int, int]] = {}
        self._polls = 0
        self._registers = {
            "ID": REGISTERS["ID"].pack(),
            "VERSION": REGISTERS["VERSION"].pack(),
            "SHAPE": REGISTERS.pack("SHAPE", width=shape.width, enis=shape.enis, sessions=shape.sessions),
            "RULES": REGISTERS.pack(
                "RULES",
                rules=shape.rules,
                extension_headers=shape.extension_headers,
                chunk_bits=shape.chunk_bits,
                lookup_clocks=shape.lookup_clocks,
                matchers=shape.matchers,
            ),
            "QUEUE": shape.queue_depth,
            "COPIES": REGISTERS.pack("COPIES", cut=shape.cut_copies),
            "GUARDS": REGISTERS.pack("GUARDS", security_groups=shape.security_groups),
            "RECEIVERS": REGISTERS.pack("RECEIVERS", receivers=shape.receivers if shape.receivers > 1 else 0),
            **registers,
        }

    def read(self, addresses: Sequence[int]) -> list[int]:
        return [self._read(NAMES[address]) for address in addresses]

    def write(self, pairs: Sequence[tuple[int, int]]) -> None:
        for address, value in self.line(list(pairs)):
            self._write(NAMES[address], value)

    def _crc(self) -> int:
        packed = [
            struct.pack("<II", bank << 26 | table << 24 | index, word) for bank, table, index, word in self._arrived
        ]
        return zlib.crc32(b"".join(packed))

    def keep(self, record: bytes) -> None:
        """A verdict, into the ring."""
        if len(self.verdicts) < self.ring:
            self.verdicts.append(record)
        else:
            self.lost += 1

    def active_words(self) -> dict[tuple[int, int], int]:
        """The tables that judge frames, without words that are 0."""
        return {place: word for place, word in self.banks[self.active].items() if word}

    def _read(self, name: str) -> int:
        if name == "STATUS":
            busy, self.busy_polls = self.busy_polls > 0, max(0, self.busy_polls - 1)
            return REGISTERS.pack(name, shadow_busy=busy, active_bank=self.active, generation=self.generation)
        if name == "REFUSED_WRITES":
            return self.refused
        if name in ("TABLE_CRC", "TABLE_COUNT"):
            return self._crc() if name == "TABLE_CRC" else len(self._arrived)
        if name.startswith("COUNTER_") and name != "COUNTER_ADDRESS":
            frames, octets = self._snapshot.get(self._counter, (0, 0))
            value = frames if "FRAMES" in name else octets
            return value >> 32 if name.endswith("HIGH") else value & 0xFFFFFFFF
        if name == "SNAPSHOT_STATUS":
            busy, self._polls = self._polls > 0, max(0, self._polls - 1)
            return REGISTERS.pack(name, busy=busy)
        if name == "RING_STATUS":
            return REGISTERS.pack(name, held=len(self.verdicts), depth=self.ring)
        if name == "RING_LOST":
            return self._registers.get(name, self.lost)
        if name.startswith("RING_DATA_"):
            word = int(name[-1])
            record = self.verdicts.pop(0) if word == 3 and self.verdicts else (self.verdicts or [bytes(16)])[0]
            return int.from_bytes(record[4 * word : 4 * word + 4], "little")
        if name in CARD_NAMES:
            return self._registers.get(name, 0)
        return self._registers[name]

    def _write(self, name: str, value: int) -> None:
        self.written.append((name, value))
        if name == "TABLE_ADDRESS":
            self._table_address = REGISTERS.unpack(name, value)
        elif name == "TABLE_DATA":
            place = (self._table_address["table"], self._table_address["index"])
            self._table_address["index"] += 1
            if self.refuse_after is not None and self.refuse_after <= 0:
                self.refused = self.refused + 1 & 0xFFFF
                return
            if self.refuse_after is not None:
                self.refuse_after -= 1
            self.banks[1 - self.active][place] = value
            self._arrived.append((1 - self.active, *place, value))
        elif name == "EXPECTED_CRC":
            self._expected = value
        elif name == "TABLE_CHECK":
            self._required, self._begun = value, True
            self._arrived.clear()
        elif name == "COMMIT" and not self.deaf:
            if self._required and not (self._begun and self._crc() == self._expected):
                self.refused = self.refused + 1 & 0xFFFF
                return
            self._begun = False
            self._arrived.clear()
            self.active = 1 - self.active
            self.generation = self.generation + 1 & 0xFFFF
        elif name == "RING_SELECT":
            self.verdicts.clear()
            self.lost = 0
        elif name == "SNAPSHOT":
            self._snapshot, self._polls = dict(self.counters), self.snapshot_polls
        elif name == "COUNTER_ADDRESS":
            fields = REGISTERS.unpack(name, value)
            self._counter = (fields["group"], fields["index"])


def loaded_words(shape: NicShape, *policies: Policy) -> dict[tuple[int, int], int]:
    """What judges frames after these loads, by one driver and with nothing on the way."""
    card = CardInMemory(shape)
    driver = Driver(card)
    for each in policies:
        driver.load(each)
    return card.active_words()
