"""The mirror NIC, put together. Read top to bottom: the pipeline is in the order of the text.

    i_net  --> intake (parser + mirror queue) --\\                        /--> counters
                                                 > matcher --> verdict --+--> o_verdict
    i_host --> intake (parser + mirror queue) --/                        \\--> both intakes

    both intakes --> copy arbiter --> encapsulator --> o_mirror

A frame streams into its direction's intake, which parses it and keeps a speculative copy. When it has ended, the
matcher judges it by the active rule-set bank. The verdict is counted, reported, and sent back to the queue, which
commits the copy or lets it go. Committed copies get their outer headers and leave.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.banks import RuleSetBanks, of_bank
from halfsilver.hdl.bus.register_file import RegisterBus, RegisterFile
from halfsilver.hdl.copy_arbiter import CopyArbiter
from halfsilver.hdl.counters import Counters
from halfsilver.hdl.encapsulator.encapsulator import Encapsulator
from halfsilver.hdl.intake import Intake
from halfsilver.hdl.layout.tables import session_index
from halfsilver.hdl.match.matcher import FrameSummary, Matcher
from halfsilver.hdl.mirror_queue import Decision, MirrorQueue
from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.pipeline import registered
from halfsilver.hdl.records import DirectionCode, VerdictRecord
from halfsilver.hdl.structs import side_by_side
from halfsilver.hdl.table_port import TablePort

__all__ = ["MirrorNic"]

_TABLE_WRITE_CLOCKS = 1
"""From the registers to the table write port."""


class MirrorNic(wiring.Component):
    """The mirror path of both directions.

    Parameters: ``parameters`` (NicParameters).

    Ports
    -----
    i_net      frames from the network (ingress)
    i_host     frames from the host (egress)
    o_mirror   the VXLAN copies
    o_verdict  one VerdictRecord per frame, as it is judged
    bus        the register map of `halfsilver.hdl.layout.registers`

    Throughput: one beat per clock on both inputs at once, frames back to back; one verdict every ``lookup_clocks``
    clocks, both directions together. The inputs are held where frames come faster than verdicts, or headers faster
    than they are read (`Intake`), and after reset, while the counters are cleared.
    Latency: a verdict comes Matcher.latency + 2 clocks after the frame's turn.
    Bad input: a frame that is flagged bad, too short or too long is ``malformed``. A copy for which the queue has no
    room is dropped whole and counted as ``congested``.
    Source: ``docs/mirroring.md`` sections 1 and 8 to 11.
    """

    def __init__(self, parameters):
        self.parameters = parameters
        packets = packet_signature(parameters.width)
        super().__init__(
            {
                "i_net": In(packets),
                "i_host": In(packets),
                "o_mirror": Out(packets),
                "o_verdict": Out(stream.Signature(VerdictRecord, always_ready=True)),
                "bus": In(RegisterBus()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        parameters = self.parameters
        m.submodules.registers = registers = RegisterFile()
        table_clocks = max(Matcher.WRITE_CLOCKS, Encapsulator.WRITE_CLOCKS)
        m.submodules.banks = banks = RuleSetBanks(settle_clocks=_TABLE_WRITE_CLOCKS + table_clocks)
        m.submodules.net_intake = net_intake = Intake(parameters, DirectionCode.INGRESS)
        m.submodules.host_intake = host_intake = Intake(parameters, DirectionCode.EGRESS)
        m.submodules.matcher = matcher = Matcher(parameters)
        assert matcher.latency >= MirrorQueue.DECIDE_CLOCKS, "a verdict would come before the queue knows its frame"
        m.submodules.counters = counters = Counters(parameters)
        m.submodules.copy_arbiter = copy_arbiter = CopyArbiter(parameters)
        m.submodules.encapsulator = encapsulator = Encapsulator(parameters)
        intakes = (net_intake, host_intake)

        # Frames come in.
        wiring.connect(m, wiring.flipped(self.i_net), net_intake.i)
        wiring.connect(m, wiring.flipped(self.i_host), host_intake.i)
        m.d.comb += [intake.enable.eq(counters.o_ready) for intake in intakes]

        # They are judged, in turn, by the active bank.
        self._take_turns(m, intakes, matcher)
        m.d.comb += [matcher.i_bank.eq(banks.active), banks.entered.eq(matcher.i_valid)]

        # The verdict is completed, counted, reported, and told to the queue.
        self._deliver(m, matcher, banks, counters, intakes)

        # Committed copies get their outer headers and leave.
        wiring.connect(m, net_intake.o_copy, copy_arbiter.i_copy_0)
        wiring.connect(m, net_intake.o_copy_data, copy_arbiter.i_data_0)
        wiring.connect(m, host_intake.o_copy, copy_arbiter.i_copy_1)
        wiring.connect(m, host_intake.o_copy_data, copy_arbiter.i_data_1)
        wiring.connect(m, copy_arbiter.o_copy, encapsulator.i_copy)
        wiring.connect(m, copy_arbiter.o_data, encapsulator.i)
        wiring.connect(m, encapsulator.o, wiring.flipped(self.o_mirror))
        m.d.comb += [banks.sent.eq(encapsulator.done), banks.sent_bank.eq(encapsulator.done_bank)]

        # The host reads and writes.
        wiring.connect(m, wiring.flipped(self.bus), registers.bus)
        self._identify(m, registers, banks)
        self._write_tables(m, registers, banks, matcher, encapsulator)
        self._read_counters(m, registers, counters, banks)
        return m

    def _take_turns(self, m, intakes, matcher):
        """One summary at a time into the matcher, alternating while both wait; every ``lookup_clocks`` clocks.

        The summary is registered: choice and multiplexer have a clock of their own before the lookup begins.
        """
        clocks = self.parameters.lookup_clocks
        favoured = Signal()
        waiting = Cat(intake.o.valid for intake in intakes)
        # 0 is net, 1 is host: the favoured one if it waits, else the other.
        chosen = Mux(favoured, waiting[1], ~waiting[0])
        pause = Signal(range(clocks))
        take = waiting.any() & (pause == 0)
        summary, taken = Signal(FrameSummary), Signal()
        m.d.sync += [
            summary.eq(Mux(chosen, intakes[1].o.payload.as_value(), intakes[0].o.payload.as_value())),
            taken.eq(take),
        ]
        with m.If(take):
            m.d.sync += [favoured.eq(~chosen), pause.eq(clocks - 1)]
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        m.d.comb += [
            intakes[0].o.ready.eq((pause == 0) & ~chosen),
            intakes[1].o.ready.eq((pause == 0) & chosen),
            matcher.i_valid.eq(taken),
            matcher.i.eq(summary),
        ]

    def _deliver(self, m, matcher, banks, counters, intakes):
        """Judgement -> VerdictRecord, Decision, counters."""
        judgement = matcher.o
        template = side_by_side(session_index(self.parameters.eni_bits), session=judgement.session, eni=judgement.eni)

        record, valid = Signal(VerdictRecord), Signal()
        octets = Signal(16)  # the bytes that counters count
        sequences = Array(Signal(32, name=f"sequence_{direction}") for direction in range(2))
        sequence = sequences[judgement.direction]
        with m.If(matcher.o_valid):
            m.d.sync += sequence.eq(sequence + 1)
        m.d.sync += [
            valid.eq(matcher.o_valid),
            octets.eq(judgement.octets),
            record.sequence.eq(sequence),
            record.length.eq(judgement.length),
            record.copied.eq(Mux(judgement.mirrored, judgement.octets, 0)),
            record.verdict.eq(judgement.verdict),
            record.service.eq(judgement.service),
            record.direction.eq(judgement.direction),
            record.eni.eq(judgement.eni),
            record.session.eq(judgement.session),
            record.rule.eq(judgement.rule),
            record.generation.eq(of_bank(judgement.bank, banks.generations)),
        ]
        m.d.comb += [
            self.o_verdict.valid.eq(valid),
            self.o_verdict.payload.eq(record),
            counters.i.valid.eq(valid),
            counters.i.p.record.eq(record),
            counters.i.p.octets.eq(octets),
        ]

        decision = Signal(Decision)
        m.d.sync += [
            decision.mirror.eq(judgement.mirrored),
            decision.length.eq(judgement.octets),
            decision.slot.eq(Cat(template, judgement.bank)),
            decision.source_port.eq(matcher.o_source_port),
            decision.outer_ipv6.eq(judgement.outer_ipv6),
        ]
        for direction, intake in enumerate(intakes):
            m.d.comb += [intake.i_decided.eq(valid & (record.direction == direction)), intake.i_decision.eq(decision)]
        m.d.comb += [
            banks.let_go.eq(valid & ~decision.mirror),
            banks.let_go_bank.eq(registered(m, judgement.bank, "let_go_bank")),
        ]

    def _identify(self, m, registers, banks):
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
            registers.r_queue.depth.eq(parameters.queue_depth),
            registers.r_status.shadow_busy.eq(banks.shadow_busy),
            registers.r_status.active_bank.eq(banks.active),
            registers.r_status.generation.eq(of_bank(banks.active, banks.generations)),
        ]

    def _write_tables(self, m, registers, banks, matcher, encapsulator):
        """Table words go to the shadow bank, or are refused and counted while that is still in use."""
        address = registers.w_table_address
        strobe = registers.w_table_data_strobe
        m.d.comb += [
            registers.h_table_address.eq(address),
            registers.h_table_address.index.eq(address.index + 1),
            registers.h_table_address_strobe.eq(strobe),
            banks.commit.eq(registers.w_commit_strobe & registers.w_commit.go),
        ]
        refused = Signal(16)
        m.d.comb += registers.r_refused_writes.count.eq(refused)
        with m.If((strobe | banks.commit) & banks.shadow_busy):
            m.d.sync += refused.eq(refused + 1)

        write = TablePort().create()
        m.d.sync += [
            write.enable.eq(strobe & ~banks.shadow_busy),
            write.bank.eq(~banks.active),
            write.table.eq(address.table),
            write.index.eq(address.index),
            write.data.eq(registers.w_table_data.value),
        ]
        wiring.connect(m, write, matcher.write, encapsulator.write)

    def _read_counters(self, m, registers, counters, banks):
        """A write of COUNTER_ADDRESS takes a snapshot of that counter, for the host to read in four words."""
        address = registers.w_counter_address
        m.d.comb += [
            counters.read.eq(registers.w_counter_address_strobe),
            counters.read_group.eq(address.group),
            counters.read_index.eq(address.index),
            # Reads wait for what the host has just asked for: a snapshot, or a commit.
            registers.hold.eq(registers.w_counter_address_strobe | counters.read_busy | banks.committing),
            registers.r_counter_frames_low.value.eq(counters.frames[:32]),
            registers.r_counter_frames_high.value.eq(counters.frames[32:]),
            registers.r_counter_bytes_low.value.eq(counters.octets[:32]),
            registers.r_counter_bytes_high.value.eq(counters.octets[32:]),
        ]
