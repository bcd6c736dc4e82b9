"""The mirror: sees every frame of both directions, judges it, and makes the copies. It carries nothing.

    i_net  --> intake (parser + mirror queue) --\\
                                                 > matcher --> verdict --+--> o_verdict
    i_host --> intake (parser + mirror queue) --/                        \\--> both intakes

    both intakes --> copy arbiter --> encapsulator --> o_copies

A frame streams into its direction's intake, which parses it and keeps a speculative copy. When it has ended, the
matcher, or that of its direction where one does not keep up with both (`NicShape.matchers`), judges it by the active
rule-set bank. The verdict is reported, and sent back to the queue, which commits the copy or lets it go. Committed
copies get their outer headers and leave.
"""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.banks import RuleSetBanks, of_bank
from halfsilver.hdl.copy_arbiter import CopyArbiter
from halfsilver.hdl.encapsulator.descriptor import spreading
from halfsilver.hdl.encapsulator.encapsulator import Encapsulator
from halfsilver.hdl.intake import Intake
from halfsilver.hdl.layout.tables import session_index
from halfsilver.hdl.match.matcher import FrameSummary, Matcher
from halfsilver.hdl.mirror_queue import Decision, MirrorQueue
from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.pipeline import registered
from halfsilver.hdl.records import DirectionCode, VerdictRecord
from halfsilver.hdl.stream.fifo import Fifo
from halfsilver.hdl.structs import side_by_side
from halfsilver.hdl.table_port import TablePort

__all__ = ["Mirror"]


class Mirror(wiring.Component):
    """The mirror path of both directions.

    Parameters: ``parameters`` (NicParameters).

    Ports
    -----
    i_net                 frames from the network (ingress)
    i_host                frames from the host (egress)
    o_copies              the VXLAN copies
    o_verdict, o_octets   one VerdictRecord per frame, as it is judged, and the bytes that its counters count; for each
                          matcher. Of two, the first has ingress and comes first in a clock
    o_stop                in a build with ``security_groups``: of each ingress frame, with its verdict, whether it goes
                          no further
    write                 table words; ``enable`` in the clock after one in which ``shadow_busy`` was low, and
                          ``bank`` is the one that was not ``active`` then
    commit                swap the banks; ignored while ``shadow_busy``
    active, generation    bank that judges the frames that enter now, and its generation
    shadow_busy           the other bank is still in use (`RuleSetBanks`)
    committing            a commit is under way

    Throughput: one beat per clock on both inputs at once, frames back to back; each matcher gives one verdict every
    ``lookup_clocks`` clocks. The inputs are held where frames come faster than verdicts (`NicShape.shortest_frame`).
    What becomes of the copies never holds them.
    Latency: a verdict comes Matcher.latency + 2 clocks after the frame's turn.
    Bad input: a frame that is flagged bad, too short or too long is ``malformed``. A copy for which the queue has no
    room is dropped whole and ``congested``.
    Source: ``docs/mirroring.md`` sections 1, 8, 10 and 11.
    """

    FIRST_VERDICT = 16
    """Clocks after reset in which no verdict comes."""

    WRITE_CLOCKS = 1
    """From ``shadow_busy`` to the ``write`` that it allows."""

    def __init__(self, parameters):
        self._parameters = parameters
        packets = packet_signature(parameters.width)
        super().__init__(
            {
                "i_net": In(packets),
                "i_host": In(packets),
                "o_copies": Out(packets),
                "o_verdict": Out(stream.Signature(VerdictRecord, always_ready=True)).array(parameters.matchers),
                "o_octets": Out(16).array(parameters.matchers),
                **({"o_stop": Out(stream.Signature(1, always_ready=True))} if parameters.security_groups else {}),
                "write": In(TablePort()),
                "commit": In(1),
                "active": Out(1),
                "generation": Out(16),
                "shadow_busy": Out(1),
                "committing": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        parameters = self._parameters
        table_clocks = max(Matcher.WRITE_CLOCKS, Encapsulator.WRITE_CLOCKS)
        settle_clocks = self.WRITE_CLOCKS + table_clocks
        m.submodules.banks = banks = RuleSetBanks(settle_clocks=settle_clocks, matchers=parameters.matchers)
        m.submodules.net_intake = net_intake = Intake(parameters, DirectionCode.INGRESS)
        m.submodules.host_intake = host_intake = Intake(parameters, DirectionCode.EGRESS)
        m.submodules.copy_arbiter = copy_arbiter = CopyArbiter(parameters)
        m.submodules.encapsulator = encapsulator = Encapsulator(parameters)
        intakes = (net_intake, host_intake)

        # Frames come in.
        wiring.connect(m, wiring.flipped(self.i_net), net_intake.i)
        wiring.connect(m, wiring.flipped(self.i_host), host_intake.i)

        # They are judged by the active bank, in turn or each direction by a matcher of its own; the verdict is
        # completed, reported, and told to the queue.
        matchers = []
        for number in range(parameters.matchers):
            matcher = Matcher(parameters, number)
            assert matcher.latency >= MirrorQueue.DECIDE_CLOCKS, "a verdict would come before the queue knows its frame"
            assert Fifo.LATENCY + matcher.latency >= self.FIRST_VERDICT, "a frame's ending takes too short a way"
            m.submodules["matcher" if parameters.matchers == 1 else f"matcher_{number}"] = matcher
            matchers.append(matcher)
            served = intakes if parameters.matchers == 1 else intakes[number : number + 1]
            self._take_turns(m, served, matcher)
            m.d.comb += [matcher.i_bank.eq(banks.active), banks.entered[number].eq(matcher.i_valid)]
            self._deliver(m, number, matcher, banks, served)

        # Committed copies get their outer headers and leave.
        wiring.connect(m, net_intake.o_copy, copy_arbiter.i_copy_0)
        wiring.connect(m, net_intake.o_copy_data, copy_arbiter.i_data_0)
        wiring.connect(m, host_intake.o_copy, copy_arbiter.i_copy_1)
        wiring.connect(m, host_intake.o_copy_data, copy_arbiter.i_data_1)
        wiring.connect(m, copy_arbiter.o_copy, encapsulator.i_copy)
        wiring.connect(m, copy_arbiter.o_data, encapsulator.i)
        wiring.connect(m, encapsulator.o, wiring.flipped(self.o_copies))
        m.d.comb += [banks.sent.eq(encapsulator.done), banks.sent_bank.eq(encapsulator.done_bank)]

        # The rule set is written and changed.
        wiring.connect(m, wiring.flipped(self.write), *(matcher.write for matcher in matchers), encapsulator.write)
        m.d.comb += [
            banks.commit.eq(self.commit),
            self.active.eq(banks.active),
            self.generation.eq(of_bank(banks.active, banks.generations)),
            self.shadow_busy.eq(banks.shadow_busy),
            self.committing.eq(banks.committing),
        ]
        return m

    def _take_turns(self, m, intakes, matcher):
        """One summary at a time into the matcher, every ``lookup_clocks`` clocks; two intakes that wait take turns.

        The summary is registered: choice and multiplexer have a clock of their own before the lookup begins.
        """
        clocks = self._parameters.lookup_clocks
        favoured = Signal()
        waiting = Cat(intake.o.valid for intake in intakes)
        # 0 is net, 1 is host: the favoured one if it waits, else the other.
        chosen = Mux(favoured, waiting[1], ~waiting[0]) if len(intakes) > 1 else Const(0, 1)
        pause = Signal(range(clocks))
        take = waiting.any() & (pause == 0)
        offered = [intake.o.payload.as_value() for intake in intakes]
        summary, taken = Signal(FrameSummary), Signal()
        m.d.sync += [summary.eq(Mux(chosen, offered[-1], offered[0])), taken.eq(take)]
        with m.If(take):
            m.d.sync += [favoured.eq(~chosen), pause.eq(clocks - 1)]
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        for place, intake in enumerate(intakes):
            m.d.comb += intake.o.ready.eq((pause == 0) & (chosen == place))
        m.d.comb += [matcher.i_valid.eq(taken), matcher.i.eq(summary)]

    def _deliver(self, m, number, matcher, banks, intakes):
        """Judgement -> VerdictRecord, and Decision for the queues that the matcher serves."""
        judgement = matcher.o
        template = side_by_side(session_index(self._parameters.eni_bits), session=judgement.session, eni=judgement.eni)

        record, valid = Signal(VerdictRecord), Signal()
        octets = Signal(16)  # the bytes that counters count
        sequences = [Signal(32, name=f"sequence_{intake.direction.name.lower()}") for intake in intakes]
        sequence = Array(sequences)[judgement.direction] if len(intakes) > 1 else sequences[0]
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
            self.o_verdict[number].valid.eq(valid),
            self.o_verdict[number].payload.eq(record),
            self.o_octets[number].eq(octets),
        ]

        if number == 0 and self._parameters.security_groups:
            m.d.comb += [
                self.o_stop.valid.eq(valid & (record.direction == DirectionCode.INGRESS)),
                self.o_stop.payload.eq(registered(m, matcher.o_stop, "stop")),
            ]

        decision = Signal(spreading(Decision, self._parameters.receiver_bits))
        m.d.sync += [
            decision.mirror.eq(judgement.mirrored),
            decision.length.eq(judgement.octets),
            decision.slot.eq(Cat(template, judgement.bank)),
            decision.source_port.eq(matcher.o_source_port),
            decision.outer_ipv6.eq(judgement.outer_ipv6),
        ]
        decided = decision if self._parameters.receivers == 1 else self._directed(m, decision, len(template), matcher)
        for intake in intakes:
            m.d.comb += [
                intake.i_decided.eq(valid & (record.direction == intake.direction)),
                intake.i_decision.eq(decided),
            ]
        m.d.comb += [
            banks.let_go[number].eq(valid & ~decision.mirror),
            banks.let_go_bank[number].eq(registered(m, judgement.bank, "let_go_bank")),
        ]

    def _directed(self, m, decision, session_bits, matcher):
        """The decision with the receiver in its slot, between session and bank."""
        assert Matcher.RECEIVER_LAG == 1, "the receiver is that of another frame's decision"
        directed = Signal(decision.shape())
        session, bank = decision.slot[:session_bits], decision.slot[session_bits]
        m.d.comb += [directed.eq(decision), directed.slot.eq(Cat(session, matcher.o_receiver, bank))]
        return directed
