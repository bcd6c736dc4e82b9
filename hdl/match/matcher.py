"""Match pipeline: FrameSummary -> Judgement, one frame per clock (or per ``lookup_clocks``), never stalling.

    owner lookup --> classifier --+--> session choice --> Judgement
    eligibility  ----------------/ \\-> guard --/
    flow hash    -------------------------------------> source port, receiver

Both directions share it, or each has its own (`NicShape.matchers`). Every frame is judged wholly by the table bank
that was active when it entered.
"""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.banks import of_bank
from halfsilver.hdl.layout.frames import MAX_FRAME, MIN_FRAME
from halfsilver.hdl.layout.tables import SLOT_AT, SLOTS
from halfsilver.hdl.match.classifier import Classifier, Key
from halfsilver.hdl.match.eligibility import Eligibility
from halfsilver.hdl.match.flow_hash import FlowHash
from halfsilver.hdl.match.general_table import GeneralTable
from halfsilver.hdl.match.guard import Guard
from halfsilver.hdl.match.owner import OwnerLookup
from halfsilver.hdl.match.session import FrameFacts, Judgement, SessionChoice
from halfsilver.hdl.match.session_table import SessionTable
from halfsilver.hdl.match.spread_table import SpreadTable
from halfsilver.hdl.parser.headers import Headers, Kind
from halfsilver.hdl.pipeline import delay
from halfsilver.hdl.records import DirectionCode, GuardWord, ServiceCode, VerdictCode
from halfsilver.hdl.structs import side_by_side
from halfsilver.hdl.table_port import TablePort

__all__ = ["FrameSummary", "Matcher"]

_PORT_CLOCKS = 1
"""The source port is put together, base, mask and hash, in one clock."""


class FrameSummary(data.Struct):
    """A frame that has arrived completely: its headers and how it ended."""

    headers: Headers
    direction: DirectionCode
    length: 16  # saturates
    bad: 1  # flagged by the MAC
    drop: 1  # flagged by a security group
    fits: 1  # the whole frame is in the mirror queue


class Matcher(wiring.Component):
    """The match pipeline.

    Parameters: ``parameters`` (NicParameters); ``number``, which of the build's matchers it is.

    Ports
    -----
    i_valid, i       a frame; at most one every ``lookup_clocks`` clocks
    i_bank           the active table bank, sampled with the frame
    write            table write port, tables LOOKUP, SESSIONS and GENERAL
    o_valid, o       the Judgement, ``latency`` clocks later
    o_source_port    outer UDP source port of the frame's flow, with ``o``
    o_receiver       RECEIVER_LAG clocks behind ``o``, in a build that spreads copies: which receiver the copy goes to
    o_stop           with ``o``, where the build has guards and the matcher judges ingress: the frame goes no further

    Latency: ``latency`` clocks, a property; it depends on ``lookup_clocks`` alone.
    Throughput: one frame every ``lookup_clocks`` clocks; it never stalls, and nothing tells a frame that comes sooner.
    Bad input: a frame flagged bad, shorter than MIN_FRAME or longer than MAX_FRAME is judged malformed.
    Source: ``docs/mirroring.md`` sections 1, 2, 4, 5, 7, 14 and 17.
    """

    WRITE_CLOCKS = max(block.WRITE_CLOCKS for block in (Classifier, SessionTable, SpreadTable, GeneralTable))
    RECEIVER_LAG = SpreadTable.READ_CLOCKS - SessionChoice.PLACE_LEAD

    def __init__(self, parameters, number=0):
        self._parameters = parameters
        self._classifier = Classifier(parameters, number)
        self._guarded = parameters.security_groups > 0 and number == self._classifier.layout.matcher_of(
            DirectionCode.INGRESS.value
        )
        super().__init__(
            {
                "i_valid": In(1),
                "i": In(FrameSummary),
                "i_bank": In(1),
                "write": In(TablePort()),
                "o_valid": Out(1),
                "o": Out(Judgement),
                "o_source_port": Out(16),
                **({"o_receiver": Out(parameters.receiver_bits)} if parameters.receivers > 1 else {}),
                **({"o_stop": Out(1)} if self._guarded else {}),
            }
        )

    @property
    def latency(self):
        """Clocks from ``i`` to ``o``."""
        return self._hits_at + SessionChoice.LATENCY

    @property
    def _hits_at(self):
        """Clocks from ``i`` to what the rules say."""
        return OwnerLookup.LATENCY + self._classifier.latency

    def elaborate(self, platform):
        m = Module()
        parameters = self._parameters
        m.submodules.general = general = GeneralTable(parameters)
        m.submodules.owner = owner = OwnerLookup(parameters)
        m.submodules.eligibility = eligibility = Eligibility(OwnerLookup.LATENCY)
        m.submodules.classifier = classifier = self._classifier
        m.submodules.sessions = sessions = SessionTable(parameters)
        m.submodules.choice = choice = SessionChoice(parameters, guarded=self._guarded)
        wiring.connect(m, wiring.flipped(self.write), general.write, classifier.write, sessions.write)

        eni = self._find_owner(m, owner, general)
        bank = delay(m, self.i_bank, OwnerLookup.LATENCY, "bank")
        self._check_service(m, eligibility, general, eni, bank)
        self._look_up_rules(m, classifier, eni, bank)
        self._choose_session(m, choice, classifier, sessions, eni, bank)
        bank_late = delay(m, bank, self._hits_at - OwnerLookup.LATENCY, "bank_late")
        facts = self._facts(m, owner, eligibility, bank, self._hits_at)
        if self._guarded:
            self._guard(m, owner, general, classifier, choice, facts, eni, bank)
        m.d.comb += [
            choice.i_facts.eq(facts),
            choice.i_terminal_reject.eq(of_bank(bank_late, general.flags).terminal_reject),
            self.o.eq(choice.o),
            self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid_out")),
        ]
        spread = self._choose_source_port(m, general, bank_late)
        if parameters.receivers > 1:
            self._choose_receiver(m, choice, spread)
        return m

    def _find_owner(self, m, owner, general):
        """Whose frame? Returns the number of its ENI, at OwnerLookup.LATENCY, in the bits that this build needs."""
        headers = self.i.headers
        m.d.comb += [owner.i_mac.eq(headers.mac), owner.i_group.eq(headers.group), owner.i_bank.eq(self.i_bank)]
        for bank in range(2):
            m.d.comb += owner.flags[bank].eq(general.flags[bank])
            for number in range(self._parameters.enis):
                m.d.comb += owner.enis[bank][number].eq(general.enis[bank][number])
        return owner.o_eni

    def _check_service(self, m, eligibility, general, eni, bank):
        """Is it one that rules may see? The ENI's own resolver is known with the owner."""
        entries = [Array(general.enis[b])[eni] for b in range(2)]
        m.d.comb += [
            eligibility.i.eq(self.i.headers),
            eligibility.i_has_resolver.eq(of_bank(bank, [entry.has_resolver for entry in entries])),
            eligibility.i_resolver.eq(of_bank(bank, [entry.resolver for entry in entries])),
        ]

    def _look_up_rules(self, m, classifier, eni, bank):
        """Which rules hit? A lookup begins when the owner is known."""
        headers = self.i.headers
        owner_at = OwnerLookup.LATENCY
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
        m.d.comb += [
            classifier.i_valid.eq(delay(m, self.i_valid, owner_at, "valid")),
            classifier.i_bank.eq(bank),
            classifier.i_context.eq(side_by_side(classifier.layout.context, eni=eni, direction=direction)),
            classifier.i_key.eq(delay(m, key, owner_at, "key")),
        ]

    def _choose_session(self, m, choice, classifier, sessions, eni, bank):
        """Which session takes it? The session words are read late, beside the last stages of the classifier."""
        wait = self._hits_at - SessionTable.READ_CLOCKS - OwnerLookup.LATENCY
        m.d.comb += [
            sessions.i_eni.eq(delay(m, eni, wait, "eni_read")),
            sessions.i_bank.eq(delay(m, bank, wait, "bank_read")),
            choice.i_hits.eq(classifier.o_hits),  # those of the sessions, which are the lowest
            choice.i_accepts.eq(classifier.o_accepts),
            *(choice.i_sessions[number].eq(word) for number, word in enumerate(sessions.o)),
        ]

    def _guard(self, m, owner, general, classifier, choice, facts, eni, bank):
        """Does the ENI's guard let it in? And what is dropped where there is a guard goes no further."""
        first, wait = classifier.layout.guard_bit(0), self._hits_at - OwnerLookup.LATENCY
        m.submodules.guard = guard = Guard(self._parameters.security_groups)
        words = [
            of_bank(bank, [general.guards[b][number] for b in range(2)]) for number in range(self._parameters.enis)
        ]
        word = Signal(GuardWord)
        m.d.comb += word.eq(Array(each.as_value() for each in words)[eni])
        addressed = delay(m, owner.o_addressed, wait, "addressed")
        assert Guard.LATENCY == SessionChoice.REFUSED_AT, "a guard's answer meets another frame"
        m.d.comb += [
            guard.i_hits.eq(classifier.o_hits[first:]),
            guard.i_accepts.eq(classifier.o_accepts[first:]),
            guard.i_word.eq(delay(m, word, wait, "guard_word")),
            guard.i_binds.eq(
                addressed & facts.ip & (facts.direction == DirectionCode.INGRESS) & (facts.service == ServiceCode.NONE)
            ),
            choice.i_refused.eq(guard.o_refused),
        ]
        has_guard = delay(m, guard.i_word.acl | guard.i_word.groups, SessionChoice.LATENCY, "has_guard")
        m.d.comb += self.o_stop.eq(has_guard & (self.o.verdict == VerdictCode.DROPPED))

    def _choose_source_port(self, m, general, bank_late):
        """Where does its copy leave from? Returns the hash, _PORT_CLOCKS ahead of ``o``."""
        m.submodules.flow_hash = flow_hash = FlowHash(self._parameters.hash_key)
        headers = self.i.headers
        hashed = headers.has_ports & ~headers.fragment
        # An echo identifier is the source port alone: as both ports it would cancel under a symmetric key.
        flow = flow_hash.i.p
        m.d.comb += [
            flow_hash.i.valid.eq(self.i_valid),
            flow.src.eq(headers.source),
            flow.dst.eq(headers.destination),
            flow.ipv6.eq(headers.kind == Kind.IPV6),
            flow.sport.eq(Mux(hashed, headers.source_port, headers.echo)),
            flow.dport.eq(Mux(hashed, headers.destination_port, 0)),
            flow.protocol.eq(Mux(headers.has_protocol, headers.protocol, 0)),
        ]
        port_at = self.latency - _PORT_CLOCKS
        spread = delay(m, flow_hash.o.p[:16], port_at - FlowHash.LATENCY, "hash")
        bank_last = delay(m, bank_late, port_at - self._hits_at, "bank_last")
        port = of_bank(bank_last, general.source_port)
        m.d.sync += self.o_source_port.eq(port.base | (spread & port.mask))
        return spread

    def _choose_receiver(self, m, choice, spread):
        """Where does its copy go to, of the receivers of its session?"""
        m.submodules.receivers = receivers = SpreadTable(self._parameters)
        wiring.connect(m, wiring.flipped(self.write), receivers.write)
        assert _PORT_CLOCKS == SessionChoice.PLACE_LEAD, "the hash meets the session of another frame"
        m.d.comb += [
            receivers.i_place.eq(choice.o_place),
            receivers.i_slot.eq(spread[SLOT_AT : SLOT_AT + (SLOTS - 1).bit_length()]),
            self.o_receiver.eq(receivers.o),
        ]

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
            facts.service.eq(delay(m, eligibility.o, at - eligibility.latency, "service")),
        ]
        return facts
