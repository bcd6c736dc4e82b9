"""Every address of the register bus, read and written, against the register map (``halfsilver regs``)."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.register_map import ADDRESS_BITS, WORD_BYTES, Access
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import TABLE_PLACE
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Pacing, Pump, reset_at

__all__ = ["check_registers"]

_ADDRESSES = range(0, 1 << ADDRESS_BITS, WORD_BYTES)
_ONES = (1 << 32) - 1
_SNAPSHOT = ("COUNTER_FRAMES_LOW", "COUNTER_FRAMES_HIGH", "COUNTER_BYTES_LOW", "COUNTER_BYTES_HIGH")


def check_registers(parameters: NicParameters, seed: int, library: Path | None = None) -> None:
    """HalfsilverError says which register is not as the map has it."""
    rng = random.Random(f"registers {seed}")
    pump = Pump(library or build_nic(parameters), seed=seed)
    try:
        words = _at_reset(parameters)
        _compare(pump, words, "after a reset")
        _write_what_cannot_be_written(rng, pump, words)
        _write_what_can(rng, pump, words)
        _count_up(rng, pump, words)
        _commit(rng, pump, words)
        _snapshot(rng, pump, words)
        _ring(rng, pump, words, parameters.verdict_ring)
        pump.run([], Pacing(), schedule=[reset_at(rng.randrange(5))])
        _compare(pump, _at_reset(parameters), "after another reset")
    finally:
        pump.close()


def _at_reset(parameters: NicParameters) -> dict[str, int]:
    built = {
        "SHAPE": {name: getattr(parameters, name) for name in ("width", "enis", "sessions")},
        "RULES": {
            name: getattr(parameters, name)
            for name in ("rules", "extension_headers", "chunk_bits", "lookup_clocks", "matchers")
        },
        "QUEUE": {"depth": parameters.queue_depth},
        "RING_STATUS": {"depth": parameters.verdict_ring},
        "COPIES": {"cut": parameters.cut_copies, "own": parameters.copies_leave == "own"},
    }
    return {
        each.name: REGISTERS.pack(each.name, **built[each.name]) if each.reset is None else each.reset
        for each in REGISTERS
    }


def _compare(pump: Pump, words: dict[str, int], when: str) -> None:
    """Read every address: what the registers have, and 0 at all others. The two lowest address bits do not count."""
    wanted = {REGISTERS.address(name): word for name, word in words.items()}
    for address, word in zip(_ADDRESSES, pump.read(_ADDRESSES), strict=True):
        if word != wanted.get(address, 0):
            raise HalfsilverError(f"{when}: 0x{address:03x} reads 0x{word:08x}, not 0x{wanted.get(address, 0):08x}")
    between = [address + low for address in wanted for low in range(1, WORD_BYTES)]
    for address, word in zip(between, pump.read(between), strict=True):
        if word != wanted[address & -WORD_BYTES]:
            raise HalfsilverError(f"{when}: 0x{address:03x} reads 0x{word:08x}, not as 0x{address & -WORD_BYTES:03x}")


def _write_what_cannot_be_written(rng: random.Random, pump: Pump, words: dict[str, int]) -> None:
    """Read-only registers, every address that is not listed, and a commit that does not say go."""
    writable = {REGISTERS.address(each.name) for each in REGISTERS if each.access is not Access.RO}
    others = [address for address in _ADDRESSES if address not in writable]
    rng.shuffle(others)
    for word in (_ONES, 0, 1):
        pump.write([(address, word or rng.getrandbits(32)) for address in others])
        _compare(pump, words, "after writes to what cannot be written")
    go = REGISTERS.pack("COMMIT", go=1)
    pump.write([(REGISTERS.address("COMMIT"), _ONES & ~go), (REGISTERS.address("COMMIT"), 0)])
    _compare(pump, words, "after a commit without go")


def _write_what_can(rng: random.Random, pump: Pump, words: dict[str, int]) -> None:
    """Registers read back what was written to their fields, and no other notices."""
    for each in REGISTERS:
        if each.access is not Access.RW:
            continue
        for word in (_ONES, rng.getrandbits(32), 0, *(1 << bit for bit in range(32)), rng.getrandbits(32) | 0xFF00):
            pump.write([(each.address + rng.randrange(WORD_BYTES), word)])
            words[each.name] = word & each.mask
            if each.name == "COUNTER_ADDRESS":
                words.update(dict.fromkeys(_SNAPSHOT, 0))
            (found,) = pump.read([each.address])
            if found != word & each.mask:
                raise HalfsilverError(f"{each.name} reads 0x{found:08x} after 0x{word:08x} was written")
        _compare(pump, words, f"after writes to {each.name}")


def _count_up(rng: random.Random, pump: Pump, words: dict[str, int]) -> None:
    """Each word that is written to a table adds 1 to the index, whatever it has to carry."""
    bits = REGISTERS["TABLE_ADDRESS"].field("index").width
    for bit in range(bits + 1):
        table, index = rng.randrange(4), (1 << bit) - 1
        place = REGISTERS.pack("TABLE_ADDRESS", table=table, index=index)
        pump.write([(REGISTERS.address("TABLE_ADDRESS"), place), (REGISTERS.address("TABLE_DATA"), 0)])
        words["TABLE_ADDRESS"] = REGISTERS.pack("TABLE_ADDRESS", table=table, index=(index + 1) % (1 << bits))
        octets = struct.pack("<II", TABLE_PLACE.pack(index=index, table=table, bank=1), 0)
        words["TABLE_CRC"], words["TABLE_COUNT"] = zlib.crc32(octets, words["TABLE_CRC"]), bit + 1
        (found,) = pump.read([REGISTERS.address("TABLE_ADDRESS")])
        if found != words["TABLE_ADDRESS"]:
            raise HalfsilverError(f"TABLE_ADDRESS is 0x{found:08x} after a word at index 0x{index:x}")
    _compare(pump, words, "after writes to tables")


def _commit(rng: random.Random, pump: Pump, words: dict[str, int]) -> None:
    """The other bank, and one more, each time."""
    words["TABLE_CHECK"] = words["TABLE_CRC"] = words["TABLE_COUNT"] = 0
    pump.write([(REGISTERS.address("TABLE_CHECK"), 0)])
    for generation in range(1, 6):
        go = REGISTERS.pack("COMMIT", go=1) | rng.getrandbits(32) & ~REGISTERS["COMMIT"].mask
        pump.write([(REGISTERS.address("COMMIT"), go)])
        words["STATUS"] = REGISTERS.pack("STATUS", generation=generation, active_bank=generation % 2)
        _compare(pump, words, f"after commit {generation}")


def _ring(rng: random.Random, pump: Pump, words: dict[str, int], depth: int) -> None:
    """All verdicts, until the ring is full; they are read in order, each taken by its last word."""
    select = REGISTERS.address("RING_SELECT")
    for beyond in (-1, 2):
        pump.write([(select, REGISTERS.pack("RING_SELECT", every=1))])
        frames = [Frame(bytes(rng.randint(1, 4)), rng.choice(tuple(Direction))) for _ in range(depth + beyond)]
        verdicts = pump.run(frames, Pacing()).verdicts[:depth]
        full = {"RING_STATUS": REGISTERS.pack("RING_STATUS", depth=depth, held=len(verdicts))}
        full["RING_LOST"] = max(0, beyond)
        for name, word in full.items():
            if pump.read([REGISTERS.address(name)]) != [word]:
                raise HalfsilverError(f"after {len(frames)} verdicts {name} is not 0x{word:08x}")
        for number, verdict in enumerate(verdicts):
            found = pump.read([REGISTERS.address(f"RING_DATA_{word}") for word in range(4)])
            if struct.pack("<4I", *found) != verdict:
                raise HalfsilverError(f"verdict {number} of the ring is {found}, not {verdict.hex()}")
    pump.write([(select, 0)])
    words["RING_SELECT"] = 0
    _compare(pump, words, "after the ring was emptied")


def _snapshot(rng: random.Random, pump: Pump, words: dict[str, int]) -> None:
    """Counters show the moment of the last snapshot, when their address is written."""
    address = REGISTERS.address("COUNTER_ADDRESS")
    elsewhere = [address | 1 << bit for bit in range(address.bit_length(), ADDRESS_BITS)]
    counted = {direction: [0, 0] for direction in Direction}
    words["RING_SELECT"] = 0
    pump.write([(REGISTERS.address("RING_SELECT"), 0)])
    take, taken = REGISTERS["SNAPSHOT"].mask, 0
    for number in range(4):
        direction = tuple(Direction)[number % 2]
        index = REGISTERS.pack("COUNTER_ADDRESS", index=direction * 16 + Verdict.MALFORMED)
        for _ in range(2):
            frames = [Frame(bytes(rng.randint(1, 8)), direction) for _ in range(1 + 2 * rng.randrange(5))]
            pump.run(frames, Pacing())
            counted[direction][0] += len(frames)
            counted[direction][1] += sum(len(frame.data) for frame in frames)
            pump.write([(place, index) for place in elsewhere])
            _compare(pump, words, "after more frames")
            pump.write([(address, words["COUNTER_ADDRESS"])])
            _compare(pump, words, "without another snapshot")
            pump.write([(REGISTERS.address("SNAPSHOT"), take | rng.getrandbits(32) & ~take)])
            taken += 1
            status = REGISTERS.pack("SNAPSHOT_STATUS", taken=taken)
            if not any(pump.read([REGISTERS.address("SNAPSHOT_STATUS")])[0] == status for _ in range(1000)):
                raise HalfsilverError(f"snapshot {taken} does not become whole")
            words["SNAPSHOT_STATUS"] = status
            pump.write([(address, index)])
            words["COUNTER_ADDRESS"] = index
            words["COUNTER_FRAMES_LOW"], words["COUNTER_BYTES_LOW"] = counted[direction]
            _compare(pump, words, "after the address of a counter was written")
