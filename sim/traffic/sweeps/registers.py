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
_TAKE = REGISTERS.address("RING_DATA_3")
_SNAPSHOT = ("COUNTER_FRAMES_LOW", "COUNTER_FRAMES_HIGH", "COUNTER_BYTES_LOW", "COUNTER_BYTES_HIGH")


def check_registers(parameters: NicParameters, seed: int, library: Path | None = None) -> None:
    """HalfsilverError says which register is not as the map has it."""
    rng = random.Random(f"registers {seed}")
    pump = Pump(library or build_nic(parameters), seed=seed)
    try:
        words = _at_reset(parameters)
        _compare(pump, words, "after a reset", every=True)
        _write_what_cannot_be_written(rng, pump, words)
        _write_what_can(rng, pump, words)
        _count_up(rng, pump, words)
        _commit(rng, pump, words)
        _snapshot(rng, pump, words)
        _ring(rng, pump, words, parameters.verdict_ring)
        _refuse(rng, pump, words)
        pump.run([], Pacing(), schedule=[reset_at(rng.randrange(5))])
        _compare(pump, _at_reset(parameters), "after another reset", every=True)
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
        "GUARDS": {"security_groups": parameters.security_groups},
        "RECEIVERS": {"receivers": parameters.receivers if parameters.receivers > 1 else 0},
        "COPIES": {"cut": parameters.cut_copies, "own": parameters.copies_leave == "own"},
    }
    return {
        each.name: REGISTERS.pack(each.name, **built[each.name]) if each.reset is None else each.reset
        for each in REGISTERS
    }


def _compare(pump: Pump, words: dict[str, int], when: str, *, every: bool = False) -> None:
    """Read the registers, or every address: 0 where there is none. The two lowest address bits do not count."""
    wanted = {REGISTERS.address(name): word for name, word in words.items()}
    if words["RING_DATA_3"]:
        del wanted[_TAKE]  # reading it takes what it shows
    low = random.Random(when)
    addresses = [address + low.randrange(WORD_BYTES) for address in (_ADDRESSES if every else wanted)]
    addresses = [address for address in addresses if address & -WORD_BYTES in wanted or address & -WORD_BYTES != _TAKE]
    for address, word in zip(addresses, pump.read(addresses), strict=True):
        due = wanted.get(address & -WORD_BYTES, 0)
        if word != due:
            raise HalfsilverError(f"{when}: 0x{address & -WORD_BYTES:03x} reads 0x{word:08x}, not 0x{due:08x}")


def _write_what_cannot_be_written(rng: random.Random, pump: Pump, words: dict[str, int]) -> None:
    """Read-only registers, every address that is not listed, and a commit that does not say go."""
    for word in (_ONES, 0, 1):
        _write_elsewhere(rng, pump, word)
        _compare(pump, words, "after writes to what cannot be written", every=True)
    go = REGISTERS.pack("COMMIT", go=1)
    pump.write([(REGISTERS.address("COMMIT"), _ONES & ~go), (REGISTERS.address("COMMIT"), 0)])
    _compare(pump, words, "after a commit without go")


def _write_elsewhere(rng: random.Random, pump: Pump, word: int) -> None:
    """To every address that is no register's, or a read-only one's; instead of 0 anything."""
    writable = {REGISTERS.address(each.name) for each in REGISTERS if each.access is not Access.RO}
    others = [address for address in _ADDRESSES if address not in writable]
    rng.shuffle(others)
    pump.write([(address, word or rng.getrandbits(32)) for address in others])


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
    _compare(pump, words, "after writes to all registers", every=True)


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


def _refuse(rng: random.Random, pump: Pump, words: dict[str, int]) -> None:
    """A commit of words whose CRC is another than was expected; then hardly a register is as after a reset."""
    for name in ("TABLE_ADDRESS", "EXPECTED_CRC", "TABLE_CHECK"):
        words[name] = (rng.getrandbits(32) | 1) & REGISTERS[name].mask
        pump.write([(REGISTERS.address(name), words[name])])
    place = TABLE_PLACE.pack(**REGISTERS.unpack("TABLE_ADDRESS", words["TABLE_ADDRESS"]), bank=0)
    word = rng.getrandbits(32)
    pump.write([(REGISTERS.address("TABLE_DATA"), word), (REGISTERS.address("COMMIT"), REGISTERS.pack("COMMIT", go=1))])
    words["TABLE_ADDRESS"] += REGISTERS.pack("TABLE_ADDRESS", index=1)
    words["TABLE_CRC"], words["TABLE_COUNT"] = zlib.crc32(struct.pack("<II", place, word)), 1
    words["REFUSED_WRITES"] = 1
    _compare(pump, words, "after a commit that was refused", every=True)


def _ring(rng: random.Random, pump: Pump, words: dict[str, int], depth: int) -> None:
    """All verdicts, until the ring is full; they are read in order, each taken by its last word, by nothing else."""
    for beyond in (-1, 2):
        words["RING_SELECT"] = REGISTERS.pack("RING_SELECT", every=1)
        pump.write([(REGISTERS.address("RING_SELECT"), words["RING_SELECT"])])
        frames = [Frame(bytes(rng.randint(1, 4)), rng.choice(tuple(Direction))) for _ in range(depth + beyond)]
        verdicts = pump.run(frames, Pacing()).verdicts[:depth]
        words["RING_STATUS"] = REGISTERS.pack("RING_STATUS", depth=depth, held=len(verdicts))
        words["RING_LOST"] = max(0, beyond)
        _show_ring(words, verdicts[0])
        _compare(pump, words, f"after {len(frames)} verdicts", every=True)
        _write_elsewhere(rng, pump, 0)
        _compare(pump, words, f"after {len(frames)} verdicts, and writes to what cannot be written")
        if beyond > 0:
            return  # what is left, the next reset clears
        for number, verdict in enumerate(verdicts):
            found = pump.read([REGISTERS.address(f"RING_DATA_{word}") for word in range(4)])
            if struct.pack("<4I", *found) != verdict:
                raise HalfsilverError(f"verdict {number} of the ring is {found}, not {verdict.hex()}")
        words["RING_STATUS"] = REGISTERS.pack("RING_STATUS", depth=depth)
        _show_ring(words, bytes(16))
        _compare(pump, words, "after the ring was read")


def _show_ring(words: dict[str, int], verdict: bytes) -> None:
    for number, word in enumerate(struct.unpack("<4I", verdict)):
        words[f"RING_DATA_{number}"] = word


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
