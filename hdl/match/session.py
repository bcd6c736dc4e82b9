"""Session choice: hit bits -> Verdict. The end of the match pipeline.

Sessions of the ENI are tried in ascending number; inside a session the first matching rule decides. Only an
accept claims the frame; a reject or no match goes on to the next session (``terminal_reject`` ends the search).
Frames of Amazon DNS go to the first session with that network service, whatever the rules say.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.verdict import NONE
from halfsilver.hdl.pipeline import delay
from halfsilver.hdl.records import DirectionCode, ServiceCode, SessionWord, VerdictCode

__all__ = ["FrameFacts", "Judgement", "SessionChoice"]

_UNLIMITED_BITS = 14
"""Bits of a copy's length; limits and 9,216-byte frames fit."""


class FrameFacts(data.Struct):
    """What is known of a frame before its rules are weighed."""

    length: 16
    direction: DirectionCode
    bank: 1  # the table bank that judges it
    malformed: 1  # too short, too long, flagged by the MAC, or a broken IP header
    dropped: 1  # by a security group, ingress only
    fits: 1  # the whole frame is in the mirror queue
    owned: 1
    eni: 4
    service: ServiceCode
    ip: 1
    ipv6: 1


class Judgement(data.Struct):
    """The verdict on a frame, before sequence number and generation are added."""

    verdict: VerdictCode
    service: ServiceCode
    direction: DirectionCode
    bank: 1
    eni: 8
    session: 8
    rule: 8
    length: 16
    octets: 16  # copied, or would have been (congested), or the frame's length
    mirrored: 1
    outer_ipv6: 1


class SessionChoice(wiring.Component):
    """One frame per clock, fixed latency.

    Ports: ``i_hits``, ``i_accepts`` from the classifier, ``i_sessions`` (the ENI's session words), ``i_facts``
    and ``i_terminal_reject``, all of the same frame; ``o`` the Judgement LATENCY clocks later.
    """

    LATENCY = 5

    def __init__(self, parameters):
        self._sessions, self._rules = parameters.sessions, parameters.rules
        slots = parameters.rule_slots
        super().__init__(
            {
                "i_hits": In(slots),
                "i_accepts": In(slots),
                "i_sessions": In(SessionWord).array(self._sessions),
                "i_facts": In(FrameFacts),
                "i_terminal_reject": In(1),
                "o": Out(Judgement),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sessions = range(self._sessions)
        rules = self._rules

        # Clocks 1 and 2: the first matching rule of each session, its number and its action.
        accepts, rejects, numbers = [], [], []
        for s in sessions:
            hits = self.i_hits[s * rules : (s + 1) * rules]
            first = Signal(rules, name=f"first_{s}")
            m.d.sync += first.eq(hits & ~(hits - 1)[:rules])
            actions = delay(m, self.i_accepts[s * rules : (s + 1) * rules], 1, f"actions_{s}")
            accept, reject = Signal(name=f"accept_{s}"), Signal(name=f"reject_{s}")
            number = Signal(range(max(2, rules)), name=f"rule_{s}")
            m.d.sync += [
                accept.eq((first & actions).any()),
                reject.eq((first & ~actions).any()),
                number.eq(reduce(or_, (Mux(first[r], r, 0) for r in range(rules)))),
            ]
            accepts.append(accept)
            rejects.append(reject)
            numbers.append(number)
        words = [delay(m, self.i_sessions[s], 2, f"word_{s}") for s in sessions]
        facts = delay(m, self.i_facts, 2, "facts")
        terminal = delay(m, self.i_terminal_reject, 2, "terminal")

        # Clock 3: the session that claims the frame; failing that, the first that rejected it.
        is_dns = facts.service == ServiceCode.AMAZON_DNS
        claim = Signal(self._sessions)
        refuse = Signal(self._sessions)
        stopped = 0
        for s in sessions:
            by_rule = accepts[s] & ~is_dns & ~stopped
            m.d.comb += [
                claim[s].eq(words[s].valid & ((is_dns & words[s].amazon_dns) | by_rule)),
                refuse[s].eq(words[s].valid & ~is_dns & rejects[s]),
            ]
            stopped = stopped | (terminal & refuse[s])
        claimed, refused, any_session = Signal(), Signal(), Signal()
        named = Signal(self._sessions)
        m.d.sync += [
            claimed.eq(claim.any()),
            refused.eq(refuse.any()),
            any_session.eq(reduce(or_, (word.valid for word in words))),
            named.eq(Mux(claim.any(), claim & ~(claim - 1)[: len(claim)], refuse & ~(refuse - 1)[: len(refuse)])),
        ]

        # Clock 4: what the named session says of this frame, and the verdict.
        words = [delay(m, words[s], 1, f"word_{s}_late") for s in sessions]
        numbers = [delay(m, numbers[s], 1, f"rule_{s}_late") for s in sessions]
        facts = delay(m, facts, 1, "facts_late")
        is_dns = delay(m, is_dns, 1, "is_dns")

        def of_named(values):
            return reduce(or_, (Mux(named[s], value, 0) for s, value in zip(sessions, values, strict=True)))

        limit = Signal(_UNLIMITED_BITS)
        up, outer_ipv6 = Signal(), Signal()
        session, rule = Signal(2), Signal(4)
        m.d.sync += [
            limit.eq(of_named([Mux(facts.ipv6, word.limit_ipv6, word.limit_ipv4) for word in words])),
            outer_ipv6.eq(of_named([word.outer_ipv6 for word in words])),
            session.eq(of_named(sessions)),
            rule.eq(of_named(numbers)),
        ]
        m.d.comb += up.eq(of_named([word.up for word in words]))
        verdict = Signal(VerdictCode)
        names_eni, names_service, names_session = Signal(), Signal(), Signal()
        m.d.sync += [names_eni.eq(1), names_service.eq(0), names_session.eq(0)]
        with m.If(facts.malformed):
            m.d.sync += [verdict.eq(VerdictCode.MALFORMED), names_eni.eq(0)]
        with m.Elif(~facts.owned):
            m.d.sync += [verdict.eq(VerdictCode.NO_ENI), names_eni.eq(0)]
        with m.Elif(facts.dropped):
            m.d.sync += verdict.eq(VerdictCode.DROPPED)
        with m.Elif((facts.service != ServiceCode.NONE) & ~(is_dns & claimed)):
            m.d.sync += [verdict.eq(VerdictCode.NOT_ELIGIBLE), names_service.eq(1)]
        with m.Elif(~any_session):
            m.d.sync += verdict.eq(VerdictCode.NO_SESSION)
        with m.Elif(~facts.ip):
            m.d.sync += verdict.eq(VerdictCode.NOT_IP)
        with m.Elif(claimed):
            m.d.sync += [
                verdict.eq(
                    Mux(~up, VerdictCode.TARGET_DOWN, Mux(facts.fits, VerdictCode.MIRRORED, VerdictCode.CONGESTED))
                ),
                names_service.eq(is_dns),
                names_session.eq(1),
            ]
        with m.Elif(refused):
            m.d.sync += [verdict.eq(VerdictCode.REJECTED), names_session.eq(1)]
        with m.Else():
            m.d.sync += verdict.eq(VerdictCode.NO_MATCH)

        # Clock 5: the length of the copy, and everything in its place.
        facts = delay(m, facts, 1, "facts_last")
        is_dns = delay(m, is_dns, 1, "is_dns_last")
        copies = (verdict == VerdictCode.MIRRORED) | (verdict == VerdictCode.CONGESTED)
        m.d.sync += [
            self.o.verdict.eq(verdict),
            self.o.service.eq(Mux(names_service, facts.service, ServiceCode.NONE)),
            self.o.direction.eq(facts.direction),
            self.o.bank.eq(facts.bank),
            self.o.eni.eq(Mux(names_eni, facts.eni, NONE)),
            self.o.session.eq(Mux(names_session, session, NONE)),
            self.o.rule.eq(Mux(names_session & ~is_dns, rule, NONE)),
            self.o.length.eq(facts.length),
            self.o.octets.eq(Mux(copies & (facts.length > limit), limit, facts.length)),
            self.o.mirrored.eq(verdict == VerdictCode.MIRRORED),
            self.o.outer_ipv6.eq(outer_ipv6),
        ]
        return m
