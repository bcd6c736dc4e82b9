"""The NIC, put together: the mirror, the counters of its verdicts, and the registers of both.

i_net, i_host --> mirror --> o_mirror
                    \\--> verdicts --> counters, o_verdict
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.bus.register_file import RegisterBus, RegisterFile
from halfsilver.hdl.bus.table_check import TableCheck
from halfsilver.hdl.counters import Counters
from halfsilver.hdl.mirror import Mirror
from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.records import VerdictRecord
from halfsilver.hdl.table_port import TablePort

__all__ = ["Nic"]


class Nic(wiring.Component):
    """Mirror, counters and registers.

    Parameters: ``parameters`` (NicParameters).

    Ports
    -----
    i_net      frames from the network (ingress)
    i_host     frames from the host (egress)
    o_mirror   the VXLAN copies
    o_verdict  one VerdictRecord per frame, as it is judged, for each matcher (`Mirror`)
    bus        the register map of `halfsilver.hdl.layout.registers`

    Throughput, latency and bad input are the mirror's; after reset the inputs are held while the counters are
    cleared. Source: ``docs/mirroring.md`` sections 8 to 11.
    """

    def __init__(self, parameters):
        self.parameters = parameters
        packets = packet_signature(parameters.width)
        super().__init__(
            {
                "i_net": In(packets),
                "i_host": In(packets),
                "o_mirror": Out(packets),
                "o_verdict": Out(stream.Signature(VerdictRecord, always_ready=True)).array(self.parameters.matchers),
                "bus": In(RegisterBus()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers = registers = RegisterFile()
        m.submodules.mirror = mirror = Mirror(self.parameters)
        counters = [Counters(self.parameters) for _ in range(self.parameters.matchers)]
        m.submodules.check = check = TableCheck()

        # Frames come in, and copies leave.
        m.d.comb += mirror.enable.eq(counters[0].o_ready)
        wiring.connect(m, wiring.flipped(self.i_net), mirror.i_net)
        wiring.connect(m, wiring.flipped(self.i_host), mirror.i_host)
        wiring.connect(m, mirror.o_copies, wiring.flipped(self.o_mirror))

        # Verdicts are counted and reported.
        for number, lane in enumerate(counters):
            m.submodules[f"counters_{number}"] = lane
            verdict = mirror.o_verdict[number]
            wiring.connect(m, verdict, wiring.flipped(self.o_verdict[number]))
            m.d.comb += [
                lane.i.valid.eq(verdict.valid),
                lane.i.p.record.eq(verdict.payload),
                lane.i.p.octets.eq(mirror.o_octets[number]),
            ]

        # The host reads and writes.
        wiring.connect(m, wiring.flipped(self.bus), registers.bus)
        self._identify(m, registers, mirror)
        self._write_tables(m, registers, check, mirror)
        self._read_counters(m, registers, counters)
        # Reads wait for what the host has just asked for: a snapshot, the check of its words, or a commit.
        snapshot = registers.w_counter_address_strobe | counters[0].read_busy
        m.d.comb += registers.hold.eq(snapshot | check.settling | mirror.committing)
        return m

    def _identify(self, m, registers, mirror):
        """What the card says of itself: its build, and which rule set is in force.

        Registers: ``r_`` is what the host reads, ``w_`` what it wrote, ``h_`` what the hardware writes.
        """
        parameters = self.parameters
        m.d.comb += [
            registers.r_shape.width.eq(parameters.width),
            registers.r_shape.enis.eq(parameters.enis),
            registers.r_shape.sessions.eq(parameters.sessions),
            registers.r_rules.rules.eq(parameters.rules),
            registers.r_rules.extension_headers.eq(parameters.extension_headers),
            registers.r_rules.chunk_bits.eq(parameters.chunk_bits),
            registers.r_rules.lookup_clocks.eq(parameters.lookup_clocks),
            registers.r_rules.matchers.eq(parameters.matchers),
            registers.r_queue.depth.eq(parameters.queue_depth),
            registers.r_status.shadow_busy.eq(mirror.shadow_busy),
            registers.r_status.active_bank.eq(mirror.active),
            registers.r_status.generation.eq(mirror.generation),
        ]

    def _write_tables(self, m, registers, check, mirror):
        """Table words go to the shadow bank, or are refused and counted while that is still in use.

        So do commits, which also depend on the check of the words before them.
        """
        address = registers.w_table_address
        strobe = registers.w_table_data_strobe
        closed = mirror.shadow_busy | check.pending
        m.d.comb += [
            registers.h_table_address.eq(address),
            registers.h_table_address.index.eq(address.index + 1),
            registers.h_table_address_strobe.eq(strobe),
        ]
        refused = Signal(16)
        m.d.comb += registers.r_refused_writes.count.eq(refused)
        with m.If((strobe & closed) | check.refused):
            m.d.sync += refused.eq(refused + 1)

        assert Mirror.WRITE_CLOCKS == TableCheck.ALLOWED_CLOCKS == 1, "a word is written the clock after it was allowed"
        write = TablePort().create()
        m.d.sync += [
            write.enable.eq(strobe & ~closed),
            write.bank.eq(~mirror.active),
            write.table.eq(address.table),
            write.index.eq(address.index),
            write.data.eq(registers.w_table_data.value),
        ]
        wiring.connect(m, write, mirror.write, check.write)
        m.d.comb += [
            check.restart.eq(registers.w_table_check_strobe),
            check.request.eq(registers.w_commit_strobe & registers.w_commit.go),
            check.expected.eq(registers.w_expected_crc.value),
            check.required.eq(registers.w_table_check.required),
            check.busy.eq(mirror.shadow_busy),
            mirror.commit.eq(check.commit),
            registers.r_table_crc.value.eq(check.crc),
            registers.r_table_count.count.eq(check.count),
        ]

    def _read_counters(self, m, registers, counters):
        """A write of COUNTER_ADDRESS takes a snapshot of that counter, for the host to read in four words."""
        address = registers.w_counter_address
        for lane in counters:
            m.d.comb += [
                lane.read.eq(registers.w_counter_address_strobe),
                lane.read_group.eq(address.group),
                lane.read_index.eq(address.index),
            ]
        frames, octets = sum(lane.frames for lane in counters), sum(lane.octets for lane in counters)
        m.d.comb += [
            registers.r_counter_frames_low.value.eq(frames[:32]),
            registers.r_counter_frames_high.value.eq(frames[32:]),
            registers.r_counter_bytes_low.value.eq(octets[:32]),
            registers.r_counter_bytes_high.value.eq(octets[32:]),
        ]
