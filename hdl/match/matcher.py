"""Match pipeline: FrameSummary -> Judgement, one frame per clock (or per ``lookup_clocks``), never stalling.

    owner lookup --> classifier ----> session choice --> Judgement
    eligibility  ----------------/
    flow hash    ------------------------------------> source port

Both directions share it. Every frame is judged wholly by the table bank that was active when it entered.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.frames import MAX_FRAME, MIN_FRAME
from halfsilver.hdl.layout.tables import session_index
from halfsilver.hdl.match.classifier import Classifier, Key
from halfsilver.hdl.match.eligibility import Eligibility
from halfsilver.hdl.match.flow_hash import FlowHash
from halfsilver.hdl.match.owner import GeneralTable, OwnerLookup
from halfsilver.hdl.match.session import FrameFacts, Judgement, SessionChoice
from halfsilver.hdl.parser.parser import Headers, Kind
from halfsilver.hdl.pipeline import delay, registered
from halfsilver.hdl.records import DirectionCode, SessionWord, Table
from halfsilver.hdl.structs import side_by_side, struct_of

__all__ = ["FrameSummary", "Matcher", "TableWrite"]


class FrameSummary(data.Struct):
    """A frame that has arrived completely: its headers and how it ended."""

    headers: Headers
    direction: DirectionCode
    length: 16  # saturates
    bad: 1  # flagged by the MAC
    drop: 1  # flagged by a security group
    fits: 1  # the whole frame is in the mirror queue


class TableWrite(data.Struct):
    """One word for a table's shadow bank."""

    enable: 1
    bank: 1
    table: Table
    index: 24
    data: 32


class Matcher(wiring.Component):
    """The match pipeline.

    Ports
    -----
    i_valid, i       a frame; at most one every ``lookup_clocks`` clocks
    i_bank           the active table bank, sampled with the frame
    write            TableWrite, tables LOOKUP, SESSIONS and GENERAL
    o_valid, o       the Judgement, ``latency`` clocks later
    o_source_port    outer UDP source port of the frame's flow, with ``o``
    """

    def __init__(self, parameters):
        self._parameters = parameters
        self._classifier = Classifier(parameters)
        super().__init__(
            {
                "i_valid": In(1),
                "i": In(FrameSummary),
                "i_bank": In(1),
                "write": In(TableWrite),
                "o_valid": Out(1),
                "o": Out(Judgement),
                "o_source_port": Out(16),
            }
        )

    @property
    def latency(self):
        """Clocks from ``i`` to ``o``."""
        return OwnerLookup.LATENCY + self._classifier.latency + SessionChoice.LATENCY

    def elaborate(self, platform):
        m = Module()
        parameters = self._parameters
        m.submodules.general = general = GeneralTable(parameters)
        m.submodules.owner = owner = OwnerLookup(parameters)
        m.submodules.eligibility = eligibility = Eligibility()
        m.submodules.classifier = classifier = self._classifier
        m.submodules.choice = choice = SessionChoice(parameters)
        m.submodules.flow_hash = flow_hash = FlowHash(parameters.hash_key)
        headers = self.i.headers
        owner_at = OwnerLookup.LATENCY
        hits_at = owner_at + classifier.latency

        for table, block in ((Table.GENERAL, general), (Table.LOOKUP, classifier)):
            m.d.comb += [
                block.write_enable.eq(self.write.enable & (self.write.table == table)),
                block.write_bank.eq(self.write.bank),
                block.write_index.eq(self.write.index),
                block.write_data.eq(self.write.data),
            ]

        # Whose frame, and is it one that rules may see?
        m.d.comb += [
            owner.i_mac.eq(headers.mac),
            owner.i_group.eq(headers.group),
            owner.i_bank.eq(self.i_bank),
            eligibility.i.eq(headers),
        ]
        for bank in range(2):
            m.d.comb += owner.flags[bank].eq(general.flags[bank])
            for number in range(parameters.enis):
                m.d.comb += owner.enis[bank][number].eq(general.enis[bank][number])
        bank = delay(m, self.i_bank, owner_at, "bank")
        eni = owner.o_eni[: max(1, (parameters.enis - 1).bit_length())]
        entries = [Array(general.enis[b][n] for n in range(parameters.enis)) for b in range(2)]
        entry = [entries[b][eni] for b in range(2)]
        m.d.comb += [
            eligibility.i_has_resolver.eq(Mux(bank, entry[1].has_resolver, entry[0].has_resolver)),
            eligibility.i_resolver.eq(Mux(bank, entry[1].resolver, entry[0].resolver)),
        ]

        # Which rules hit?
        key = Signal(Key)
        m.d.comb += [
            key.ternary.source.eq(headers.source),
            key.ternary.destination.eq(headers.destination),
            key.ternary.protocol.eq(headers.protocol),
            key.ternary.klass.ipv6.eq(headers.kind == Kind.IPV6),
            key.ternary.klass.has_ports.eq(headers.has_ports),
            key.ternary.klass.has_protocol.eq(headers.has_protocol),
            key.source_port.eq(headers.source_port),
            key.destination_port.eq(headers.destination_port),
        ]
        direction = delay(m, self.i.direction, owner_at, "direction")
        eni_bits = parameters.eni_bits
        m.d.comb += [
            classifier.i_valid.eq(delay(m, self.i_valid, owner_at, "valid")),
            classifier.i_bank.eq(bank),
            classifier.i_context.eq(side_by_side(classifier.layout.context, eni=eni, direction=direction)),
            classifier.i_key.eq(delay(m, key, owner_at, "key")),
        ]

        # Which session takes it? The session words are read late, beside the last stages of the classifier.
        read_at = hits_at - 2
        session_address = Cat(
            delay(m, eni[:eni_bits], read_at - owner_at, "eni_read"), delay(m, bank, read_at - owner_at, "bank_read")
        )
        for number in range(parameters.sessions):
            word = self._session_memory(m, number, session_address)
            m.d.comb += choice.i_sessions[number].eq(word)
        bank_late = delay(m, bank, hits_at - owner_at, "bank_late")
        m.d.comb += [
            choice.i_hits.eq(classifier.o_hits),
            choice.i_accepts.eq(classifier.o_accepts),
            choice.i_facts.eq(self._facts(m, owner, eligibility, bank, hits_at)),
            choice.i_terminal_reject.eq(
                Mux(bank_late, general.flags[1].terminal_reject, general.flags[0].terminal_reject)
            ),
            self.o.eq(choice.o),
            self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid_out")),
        ]

        # Where does its copy leave from?
        hashed = headers.has_ports & ~headers.fragment
        flow = flow_hash.i.p
        m.d.comb += [
            flow_hash.i.valid.eq(self.i_valid),
            flow.src.eq(headers.source),
            flow.dst.eq(headers.destination),
            flow.ipv6.eq(headers.kind == Kind.IPV6),
            flow.sport.eq(Mux(hashed, headers.source_port, headers.echo)),
            flow.dport.eq(Mux(hashed, headers.destination_port, headers.echo)),
            flow.protocol.eq(Mux(headers.has_protocol, headers.protocol, 0)),
        ]
        spread = delay(m, flow_hash.o.p[:16], self.latency - FlowHash.LATENCY - 1, "hash")
        bank_last = delay(m, bank_late, SessionChoice.LATENCY - 1, "bank_last")
        ports = [general.source_port[b] for b in range(2)]
        m.d.sync += self.o_source_port.eq(
            Mux(bank_last, ports[1].base | (spread & ports[1].mask), ports[0].base | (spread & ports[0].mask))
        )
        return m

    def _session_memory(self, m, number, address):
        """Session words of one session number, all ENIs and both banks; two clocks to read."""
        parameters = self._parameters
        size = SessionWord.size
        m.submodules[f"sessions_{number}"] = words = memory.Memory(
            shape=unsigned(size), depth=2 << parameters.eni_bits, init=[]
        )
        write_port, read_port = words.write_port(), words.read_port()
        slot = struct_of(session_index(parameters.eni_bits))
        written = data.View(slot, self.write.index[: slot.size])
        m.d.comb += [
            write_port.en.eq(self.write.enable & (self.write.table == Table.SESSIONS) & (written.session == number)),
            write_port.addr.eq(Cat(written.eni, self.write.bank)),
            write_port.data.eq(self.write.data),
            read_port.addr.eq(address),
            read_port.en.eq(1),
        ]
        return registered(m, read_port.data, f"session_word_{number}")

    def _facts(self, m, owner, eligibility, bank, at):
        """FrameFacts ``at`` clocks behind ``i``."""
        headers = self.i.headers
        early = Signal(FrameFacts)
        malformed, kind_ip = Signal(), Signal()
        m.d.comb += kind_ip.eq((headers.kind == Kind.IPV4) | (headers.kind == Kind.IPV6))
        m.d.comb += malformed.eq(
            headers.malformed | self.i.bad | (self.i.length < MIN_FRAME) | (self.i.length > MAX_FRAME)
        )
        m.d.comb += [
            early.length.eq(self.i.length),
            early.direction.eq(self.i.direction),
            early.malformed.eq(malformed),
            early.dropped.eq(self.i.drop & (self.i.direction == DirectionCode.INGRESS)),
            early.fits.eq(self.i.fits),
            early.ip.eq(kind_ip),
            early.ipv6.eq(headers.kind == Kind.IPV6),
        ]
        facts = Signal(FrameFacts)
        m.d.comb += [
            facts.eq(delay(m, early, at, "facts")),
            facts.bank.eq(delay(m, bank, at - OwnerLookup.LATENCY, "facts_bank")),
            facts.owned.eq(delay(m, owner.o_owned, at - OwnerLookup.LATENCY, "owned")),
            facts.eni.eq(delay(m, owner.o_eni, at - OwnerLookup.LATENCY, "eni")),
            facts.service.eq(delay(m, eligibility.o, at - Eligibility.LATENCY, "service")),
        ]
        return facts
