"""Session choice: hit bits -> Verdict. The end of the match pipeline.

Sessions of the ENI are tried in ascending number; inside a session the first matching rule decides. Only an
accept claims the frame; a reject or no match goes on to the next session (``terminal_reject`` ends the search).
Frames of Amazon DNS go to the first session with that network service, whatever the rules say.
"""

from dataclasses import dataclass
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.tables import SESSION_BITS
from halfsilver.hdl.layout.verdict import NONE
from halfsilver.hdl.pipeline import delay
from halfsilver.hdl.records import DirectionCode, ServiceCode, SessionWord, VerdictCode

__all__ = ["FrameFacts", "Judgement", "Place", "SessionChoice"]

_LIMIT_BITS = 14
"""Bits of a copy's length; limits and 9,216-byte frames fit."""


# Clocks of the stages.
_RULE_CLOCKS = 2  # the rule of each session
_SESSION_CLOCKS = 1  # the session
_VERDICT_CLOCKS = 1  # the verdict
_LENGTH_CLOCKS = 1  # the copy's length, and everything in its place


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


class Place(data.Struct):
    """Where in the tables the named session is."""

    session: SESSION_BITS
    eni: 4
    bank: 1


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


@dataclass(frozen=True)
class _RuleResult:
    """What the first matching rule of a session says: accept, reject (at most one of them), and its number."""

    accept: Signal
    reject: Signal
    number: Signal


@dataclass(frozen=True)
class _Claim:
    """The session that claims the frame; failing that, the first that rejected it."""

    claimed: Signal
    refused: Signal
    any_session: Signal
    named: Signal  # one bit per session: that one


class _Named(data.Struct):
    """What the named session says of the frame."""

    limit: _LIMIT_BITS
    outer_ipv6: 1
    session: 8
    rule: 8


@dataclass(frozen=True)
class _Outcome:
    """The verdict, and what of the frame and of the named session it names."""

    verdict: Signal
    names_eni: Signal
    names_service: Signal
    names_session: Signal


class SessionChoice(wiring.Component):
    """Sessions, rules and what is known of the frame -> Judgement.

    Ports: ``i_hits``, ``i_accepts`` from the classifier, ``i_sessions`` (the ENI's session words), ``i_facts``
    and ``i_terminal_reject``, all of the same frame; ``o`` the Judgement LATENCY clocks later. With ``guarded``,
    ``i_refused``, that the ENI's guard does not let the frame in, REFUSED_AT clocks behind the others. In a build that
    spreads copies, ``o_place``, the named session's, PLACE_LEAD clocks ahead of ``o``.

    Latency: LATENCY clocks. Throughput: one frame per clock, without a stall.
    Bad input: a frame that is malformed, dropped or not IP is never claimed, whatever hits come with it.
    Source: ``docs/mirroring.md`` sections 1, 5, 6 and 10.
    """

    LATENCY = sum((_RULE_CLOCKS, _SESSION_CLOCKS, _VERDICT_CLOCKS, _LENGTH_CLOCKS))
    REFUSED_AT = _RULE_CLOCKS + _SESSION_CLOCKS
    PLACE_LEAD = _LENGTH_CLOCKS

    def __init__(self, parameters, *, guarded=False):
        self._guarded = guarded
        self._spreads = parameters.receivers > 1
        self._sessions, self._rules = parameters.sessions, parameters.rules
        slots = parameters.rule_slots
        super().__init__(
            {
                "i_hits": In(slots),
                "i_accepts": In(slots),
                "i_sessions": In(SessionWord).array(self._sessions),
                "i_facts": In(FrameFacts),
                "i_terminal_reject": In(1),
                **({"i_refused": In(1)} if guarded else {}),
                "o": Out(Judgement),
                **({"o_place": Out(Place)} if self._spreads else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        results = [self._rule(m, session) for session in range(self._sessions)]
        words = [delay(m, word, _RULE_CLOCKS, f"word_{s}") for s, word in enumerate(self.i_sessions)]
        facts = delay(m, self.i_facts, _RULE_CLOCKS, "facts")
        terminal = delay(m, self.i_terminal_reject, _RULE_CLOCKS, "terminal")
        is_dns = facts.service == ServiceCode.AMAZON_DNS
        claim = self._claim(m, results, words, is_dns, terminal)

        words = [delay(m, word, _SESSION_CLOCKS, f"word_{s}_late") for s, word in enumerate(words)]
        numbers = [delay(m, result.number, _SESSION_CLOCKS, f"rule_{s}_late") for s, result in enumerate(results)]
        facts = delay(m, facts, _SESSION_CLOCKS, "facts_late")
        is_dns = delay(m, is_dns, _SESSION_CLOCKS, "is_dns")
        named, up = self._named(m, claim, words, numbers, facts)
        outcome = self._outcome(m, claim, facts, is_dns, up)

        facts = delay(m, facts, _VERDICT_CLOCKS, "facts_last")
        is_dns = delay(m, is_dns, _VERDICT_CLOCKS, "is_dns_last")
        self._judge(m, outcome, named, facts, is_dns)
        if self._spreads:
            place = self.o_place
            m.d.comb += [place.session.eq(named.session), place.eni.eq(facts.eni), place.bank.eq(facts.bank)]
        return m

    def _rule(self, m, session):
        """The first matching rule of a session, its number and its action."""
        rules = self._rules
        hits = self.i_hits[session * rules : (session + 1) * rules]
        first = Signal(rules, name=f"first_{session}")
        m.d.sync += first.eq(hits & ~(hits - 1)[:rules])
        own_accepts = self.i_accepts[session * rules : (session + 1) * rules]
        actions = delay(m, own_accepts, _RULE_CLOCKS - 1, f"actions_{session}")
        result = _RuleResult(
            Signal(name=f"accept_{session}"),
            Signal(name=f"reject_{session}"),
            Signal(range(max(2, rules)), name=f"rule_{session}"),
        )
        m.d.sync += [
            result.accept.eq((first & actions).any()),
            result.reject.eq((first & ~actions).any()),
            result.number.eq(reduce(or_, (Mux(first[r], r, 0) for r in range(rules)))),
        ]
        return result

    def _claim(self, m, results, words, is_dns, terminal):
        """Which session claims the frame; failing that, the first that rejected it."""
        accepts, rejects = [result.accept for result in results], [result.reject for result in results]
        claim = Signal(self._sessions)
        refuse = Signal(self._sessions)
        stopped = 0
        for s in range(self._sessions):
            by_rule = accepts[s] & ~is_dns & ~stopped
            m.d.comb += [
                claim[s].eq(words[s].valid & ((is_dns & words[s].amazon_dns) | by_rule)),
                refuse[s].eq(words[s].valid & ~is_dns & rejects[s]),
            ]
            stopped = stopped | (terminal & refuse[s])
        found = _Claim(
            Signal(name="claimed"),
            Signal(name="refused"),
            Signal(name="any_session"),
            Signal(self._sessions, name="named"),
        )
        m.d.sync += [
            found.claimed.eq(claim.any()),
            found.refused.eq(refuse.any()),
            found.any_session.eq(reduce(or_, (word.valid for word in words))),
            found.named.eq(Mux(claim.any(), claim & ~(claim - 1)[: len(claim)], refuse & ~(refuse - 1)[: len(refuse)])),
        ]
        return found

    def _named(self, m, claim, words, numbers, facts):
        """What the named session says of this frame, and, at once, whether its target is up."""
        sessions = range(self._sessions)

        def of_named(values):
            return reduce(or_, (Mux(claim.named[s], value, 0) for s, value in zip(sessions, values, strict=True)))

        named = Signal(_Named)
        m.d.sync += [
            named.limit.eq(of_named([Mux(facts.ipv6, word.limit_ipv6, word.limit_ipv4) for word in words])),
            named.outer_ipv6.eq(of_named([word.outer_ipv6 for word in words])),
            named.session.eq(of_named(sessions)),
            named.rule.eq(of_named(numbers)),
        ]
        return named, of_named([word.up for word in words])

    def _outcome(self, m, claim, facts, is_dns, up):
        """The verdict: what stops a frame is looked at in the order in which it would."""
        verdict = Signal(VerdictCode)
        names_eni, names_service, names_session = Signal(), Signal(), Signal()
        m.d.sync += [names_eni.eq(1), names_service.eq(0), names_session.eq(0)]
        with m.If(facts.malformed):
            m.d.sync += [verdict.eq(VerdictCode.MALFORMED), names_eni.eq(0)]
        with m.Elif(~facts.owned):
            m.d.sync += [verdict.eq(VerdictCode.NO_ENI), names_eni.eq(0)]
        with m.Elif(facts.dropped | self.i_refused if self._guarded else facts.dropped):
            m.d.sync += verdict.eq(VerdictCode.DROPPED)
        with m.Elif((facts.service != ServiceCode.NONE) & ~(is_dns & claim.claimed)):
            m.d.sync += [verdict.eq(VerdictCode.NOT_ELIGIBLE), names_service.eq(1)]
        with m.Elif(~claim.any_session):
            m.d.sync += verdict.eq(VerdictCode.NO_SESSION)
        with m.Elif(~facts.ip):
            m.d.sync += verdict.eq(VerdictCode.NOT_IP)
        with m.Elif(claim.claimed):
            m.d.sync += [
                verdict.eq(
                    Mux(~up, VerdictCode.TARGET_DOWN, Mux(facts.fits, VerdictCode.MIRRORED, VerdictCode.CONGESTED))
                ),
                names_service.eq(is_dns),
                names_session.eq(1),
            ]
        with m.Elif(claim.refused):
            m.d.sync += [verdict.eq(VerdictCode.REJECTED), names_session.eq(1)]
        with m.Else():
            m.d.sync += verdict.eq(VerdictCode.NO_MATCH)
        return _Outcome(verdict, names_eni, names_service, names_session)

    def _judge(self, m, outcome, named, facts, is_dns):
        """The length of the copy, and everything in its place."""
        verdict, limit = outcome.verdict, named.limit
        copies = (verdict == VerdictCode.MIRRORED) | (verdict == VerdictCode.CONGESTED)
        m.d.sync += [
            self.o.verdict.eq(verdict),
            self.o.service.eq(Mux(outcome.names_service, facts.service, ServiceCode.NONE)),
            self.o.direction.eq(facts.direction),
            self.o.bank.eq(facts.bank),
            self.o.eni.eq(Mux(outcome.names_eni, facts.eni, NONE)),
            self.o.session.eq(Mux(outcome.names_session, named.session, NONE)),
            self.o.rule.eq(Mux(outcome.names_session & ~is_dns, named.rule, NONE)),
            self.o.length.eq(facts.length),
            self.o.octets.eq(Mux(copies & (facts.length > limit), limit, facts.length)),
            self.o.mirrored.eq(verdict == VerdictCode.MIRRORED),
            self.o.outer_ipv6.eq(named.outer_ipv6),
        ]
