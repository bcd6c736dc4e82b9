"""Encapsulator: outer packets against the golden model's, under pauses on every side."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Any

import cocotb

from halfsilver.harness.golden.encapsulate import encapsulate, internet_checksum
from halfsilver.harness.nic.image import table_words
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.encapsulator.descriptor import CopyDescriptor
from halfsilver.hdl.layout.tables import Table
from halfsilver.sim.benches import parameters_of_build
from halfsilver.sim.benches.drivers.pace import Pace, always, bursts, now_and_then
from halfsilver.sim.benches.drivers.packet import PacketSink, PacketSource
from halfsilver.sim.benches.drivers.testbench import Signals, Testbench
from halfsilver.sim.benches.policies import everything

PARAMETERS = parameters_of_build()
WIDTH = PARAMETERS.width
SLOTS = PARAMETERS.session_slots


@dataclass(slots=True)
class Job:
    """One copy: descriptor bits, bytes, and the outer packet that must come out."""

    descriptor: int
    bank: int
    data: bytes
    expected: bytes


class DescriptorSource:
    """Offers descriptors; one that was offered stays until it is taken."""

    def __init__(self, dut: Any) -> None:
        self._signals = Signals(dut, payload="i_copy__payload", valid="i_copy__valid", ready="i_copy__ready")
        self._offers = False
        self.queue: deque[int] = deque()
        self.pace: Pace = always

    def drive(self) -> None:
        self._offers = bool(self.queue) and (self._offers or self.pace())
        self._signals.put("valid", self._offers)
        if self._offers:
            self._signals.put("payload", self.queue[0])

    def sample(self) -> None:
        if self._offers and self._signals.get("ready"):
            self._offers = False
            self.queue.popleft()

    def reset(self) -> None:
        self._signals.put("valid", 0)


class TemplatePort:
    """Writes template words, one per clock, and counts the copies that are done, by bank."""

    def __init__(self, dut: Any) -> None:
        port = {name: f"write__{name}" for name in ("enable", "table", "bank", "index", "data")}
        self._signals = Signals(dut, **port, done="done", done_bank="done_bank")
        self.writes: deque[tuple[int, int, int]] = deque()
        self.done = [0, 0]

    def drive(self) -> None:
        self._signals.put("enable", bool(self.writes))
        self._signals.put("table", Table.OUTER.value)
        if self.writes:
            for name, value in zip(("bank", "index", "data"), self.writes.popleft(), strict=True):
                self._signals.put(name, value)

    def sample(self) -> None:
        if self._signals.get("done"):
            self.done[self._signals.get("done_bank")] += 1

    def reset(self) -> None:
        self._signals.put("enable", 0)


def _template(policy: Policy, bank: int) -> list[tuple[int, int, int]]:
    """Writes of a policy's outer headers into one bank: bank, index, word."""
    return [
        (bank, start + place, word)
        for table, start, words in table_words(policy, Flags(), PARAMETERS)
        if table == Table.OUTER.value
        for place, word in enumerate(words)
    ]


def _job(policies: tuple[Policy, ...], length: int) -> Job:
    bank, eni = random.randrange(2), random.randrange(PARAMETERS.enis)
    session = policies[bank].interfaces[eni].sessions[0]
    assert session.outer is not None
    data, port = random.randbytes(length), random.getrandbits(16)
    outer6 = session.outer.source.version == 6
    fields = {
        "slot": bank * SLOTS + eni * 4,
        "length": length,
        "source_port": port,
        "outer6": int(outer6),
        "payload_sum": internet_checksum(data) ^ 0xFFFF if outer6 else random.getrandbits(16),
    }
    layout = CopyDescriptor.as_shape()
    bits = sum(value << layout[name].offset for name, value in fields.items())
    return Job(bits, bank, data, encapsulate(session.outer, session.vni, port, data))


@cocotb.test()
async def copies(dut: Any) -> None:
    """Every length from 14 bytes in turn and at random, both banks and families, each pattern of pauses."""
    descriptors, templates = DescriptorSource(dut), TemplatePort(dut)
    source, sink = PacketSource(dut, "i", WIDTH), PacketSink(dut, "o", WIDTH)
    received: list[bytes] = []
    sink.received = received.append
    testbench = Testbench(dut, templates, descriptors, source, sink)
    await testbench.reset()
    policies = (everything(PARAMETERS.enis), everything(PARAMETERS.enis, ipv6_outer=True))
    for bank, policy in enumerate(policies):
        templates.writes.extend(_template(policy, bank))
    await testbench.until(lambda: not templates.writes, "the templates")
    await testbench.step(2)

    patterns = (
        (always, always, always),
        (now_and_then(0.3), always, now_and_then(0.5)),
        (always, bursts(20), bursts(20)),
    )
    for descriptors.pace, source.pace, sink.pace in patterns:
        lengths = [*range(14, 200), 512, 1500, 9216]
        random.shuffle(lengths)
        jobs = [_job(policies, length) for length in lengths]
        before = list(templates.done)
        descriptors.queue.extend(job.descriptor for job in jobs)
        source.send(*(Frame(job.data, Direction.INGRESS) for job in jobs))
        await testbench.until(lambda: len(received) == len(jobs), "outer packets", 100_000)  # noqa: B023
        await testbench.step(3)
        for data, job in zip(received, jobs, strict=True):
            assert data == job.expected, f"copy of {len(job.data)} bytes: {data.hex()}, not {job.expected.hex()}"
        for bank in range(2):
            done = sum(job.bank == bank for job in jobs)
            assert templates.done[bank] - before[bank] == done, f"bank {bank}: done does not count {done} copies"
        received.clear()
