"""The golden model: one frame in, one verdict and perhaps one copy out, with the reasons.

``Model.judge`` reads as the order of judgement in ``docs/mirroring.md`` section 1. A model is one policy with
its flags; it holds no counters and no sequence numbers, those belong to the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from halfsilver.harness.golden.eligibility import service_of
from halfsilver.harness.golden.encapsulate import encapsulate
from halfsilver.harness.golden.flow_hash import SYMMETRIC_KEY, Toeplitz, flow_hash
from halfsilver.harness.golden.guard import GuardTest, Refusal
from halfsilver.harness.golden.ownership import Ownership, owner_of
from halfsilver.harness.golden.parse import EXTENSION_HEADERS, Headers, Kind, parse
from halfsilver.harness.golden.select import Choice, SessionTest, SessionWalk, choose, dns_session
from halfsilver.harness.golden.spread import Spread
from halfsilver.harness.golden.truncate import Cut, copy_length
from halfsilver.harness.policy.policy import Interface, Outer
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction, Service, Verdict, VerdictRecord

__all__ = ["Model", "Trace"]

_LONGEST_RECORDED = 0xFFFF
_FLOWS_KEPT = 1 << 14


@dataclass(slots=True)
class Trace:
    """One frame's judgement, step by step, as far as it went.

    ``ownership`` is None for a malformed frame, ``interface`` where no interface owns the frame; ``refusal`` says why
    the interface's guard does not let the frame in; ``walk`` has an entry for each session whose rules were tried;
    ``cut``, ``hash`` (32 bits), ``outer`` (where the copy goes), ``source_port`` and ``copy`` (the whole outer frame)
    exist only for a mirrored frame.
    """

    frame: Frame
    headers: Headers
    record: VerdictRecord
    ownership: Ownership | None = None
    interface: Interface | None = None
    refusal: Refusal | None = None
    walk: list[SessionWalk] = field(default_factory=list)
    cut: Cut | None = None
    hash: int | None = None
    outer: Outer | None = None
    source_port: int | None = None
    copy: bytes | None = None

    @property
    def stopped(self) -> bool:
        """The frame goes no further: it is dropped, and the policy has lists that say so (14.11)."""
        guard = None if self.interface is None else self.interface.guard
        return self.record.verdict is Verdict.DROPPED and guard is not None


class Model:
    """What the NIC does with frames under one policy.

    ``interfaces`` as in ``Policy.interfaces``; ``extension_headers`` is the number of IPv6 extension headers
    the build reads; ``toeplitz_key`` is at least 40 bytes (ValueError if shorter).

    What rules make of the headers of the last ``_FLOWS_KEPT`` flows is kept: it depends on nothing else, and a capture
    has far more frames than flows.
    """

    def __init__(
        self,
        interfaces: Sequence[Interface],
        flags: Flags,
        generation: int,
        extension_headers: int = EXTENSION_HEADERS,
        toeplitz_key: bytes = SYMMETRIC_KEY,
        longest_copy: int | None = None,
    ) -> None:
        self._interfaces = tuple(interfaces)
        self._flags = flags
        self._generation = generation
        self._extension_headers = extension_headers
        self._toeplitz = Toeplitz(toeplitz_key)
        self._longest_copy = longest_copy
        self._by_mac = {interface.mac: index for index, interface in enumerate(self._interfaces)}
        self._guards = [None if each.guard is None else GuardTest(each.guard) for each in self._interfaces]
        self._sessions = [[SessionTest(session) for session in interface.sessions] for interface in self._interfaces]
        self._spreads = [
            [Spread(session.receivers) if session.receivers else None for session in interface.sessions]
            for interface in self._interfaces
        ]
        self._look_up = lru_cache(_FLOWS_KEPT)(self._look_up_anew)

    def judge(self, frame: Frame, sequence: int = 0) -> Trace:
        """The verdict on one frame, why, and the copy; ``sequence`` goes into the record as it is."""
        headers = parse(frame.data, frame.bad, self._extension_headers)
        if headers.kind is Kind.MALFORMED:
            return self._trace(frame, headers, sequence, Verdict.MALFORMED)

        eni, ownership = owner_of(frame.data, frame.direction, self._by_mac, self._flags.tap)
        if eni is None:
            trace = self._trace(frame, headers, sequence, Verdict.NO_ENI)
            trace.ownership = ownership
            return trace
        service, choice = self._look_up(headers, frame.direction, eni)
        refusal = self._refusal(frame, headers, service, eni, ownership)
        if refusal is not None or (frame.dropped and frame.direction is Direction.INGRESS):
            trace = self._trace(frame, headers, sequence, Verdict.DROPPED, eni=eni)
            trace.refusal = refusal
        else:
            trace = self._judge_owned(frame, headers, sequence, service, choice, eni)
        trace.ownership, trace.interface = ownership, self._interfaces[eni]
        return trace

    def _look_up_anew(self, headers: Headers, direction: Direction, eni: int) -> tuple[Service, Choice]:
        service = service_of(headers, self._interfaces[eni].resolver)
        return service, choose(self._sessions[eni], headers, direction, self._flags.terminal_reject)

    def _refusal(
        self, frame: Frame, headers: Headers, service: Service, eni: int, ownership: Ownership
    ) -> Refusal | None:
        """Why the interface's guard does not let the frame in, if it has one and the frame is the guard's."""
        guard = self._guards[eni]
        if guard is None or frame.direction is not Direction.INGRESS or service is not Service.NONE:
            return None
        return None if ownership is Ownership.TAP else guard.refusal(headers)

    def _judge_owned(
        self, frame: Frame, headers: Headers, sequence: int, service: Service, choice: Choice, eni: int
    ) -> Trace:
        """The judgement once it is known whose frame it is, and that it comes in."""
        if service is not Service.NONE:
            session = dns_session(self._sessions[eni]) if service is Service.AMAZON_DNS else None
            if session is None:
                return self._trace(frame, headers, sequence, Verdict.NOT_ELIGIBLE, service, eni)
            return self._claimed(frame, headers, sequence, service, eni, session, None)

        if not self._sessions[eni]:
            return self._trace(frame, headers, sequence, Verdict.NO_SESSION, eni=eni)
        if headers.kind is Kind.NOT_IP:
            return self._trace(frame, headers, sequence, Verdict.NOT_IP, eni=eni)

        if choice.accepted and choice.session is not None:
            trace = self._claimed(frame, headers, sequence, service, eni, choice.session, choice.rule)
        else:
            verdict = Verdict.NO_MATCH if choice.rule is None else Verdict.REJECTED
            trace = self._trace(frame, headers, sequence, verdict, service, eni, choice.session, choice.rule)
        trace.walk = choice.walk
        return trace

    def _claimed(
        self, frame: Frame, headers: Headers, sequence: int, service: Service, eni: int, index: int, rule: int | None
    ) -> Trace:
        """The session takes the frame: a copy leaves, unless the session's target is down."""
        session = self._interfaces[eni].sessions[index]
        if session.outer is None:
            return self._trace(frame, headers, sequence, Verdict.TARGET_DOWN, service, eni, index, rule)
        limits = session.packet_length, session.outer.mtu_limit, self._longest_copy
        cut = copy_length(len(frame.data), headers.kind, *limits)
        trace = self._trace(frame, headers, sequence, Verdict.MIRRORED, service, eni, index, rule, cut.copied)
        trace.cut = cut
        trace.hash = flow_hash(self._toeplitz, headers)
        trace.source_port = self._flags.source_port_base | (trace.hash & self._flags.source_port_mask)
        spread = self._spreads[eni][index]
        trace.outer = session.outer if spread is None else spread.receiver(trace.hash)
        trace.copy = encapsulate(trace.outer, session.vni, trace.source_port, frame.data[: cut.copied])
        return trace

    def _trace(
        self,
        frame: Frame,
        headers: Headers,
        sequence: int,
        verdict: Verdict,
        service: Service = Service.NONE,
        eni: int | None = None,
        session: int | None = None,
        rule: int | None = None,
        copied: int = 0,
    ) -> Trace:
        record = VerdictRecord(
            sequence=sequence,
            direction=frame.direction,
            verdict=verdict,
            length=min(len(frame.data), _LONGEST_RECORDED),
            service=service,
            eni=eni,
            session=session,
            rule=rule,
            copied=copied,
            generation=self._generation,
        )
        return Trace(frame, headers, record)
