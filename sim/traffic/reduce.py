"""From a situation in which two engines differ to the smallest one in which they still do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from halfsilver.harness.policy.policy import Interface, Policy, Rule, Session
from halfsilver.harness.records import Flags
from halfsilver.sim.traffic.situations import Situation

__all__ = ["smallest"]


def smallest(situation: Situation, differs: Callable[[Situation], bool]) -> Situation:
    """Leave out frames (half of them, then one by one), sessions, rules, flags, trailing bytes while it differs."""
    part = len(situation.frames)
    while part := part // 2:
        for start in range(0, len(situation.frames), part):
            rest = situation.frames[:start] + situation.frames[start + part :]
            if rest and differs(fewer := situation._replace(frames=rest)):
                return smallest(fewer, differs)
    for less in _less(situation):
        if differs(less):
            return smallest(less, differs)
    return situation


def _less(situation: Situation) -> Iterator[Situation]:
    """The situation with one thing left out of its policy, flags or frames."""
    interfaces = situation.policy.interfaces
    for eni, interface in enumerate(interfaces):
        for changed in _less_interface(interface):
            policy = Policy((*interfaces[:eni], changed, *interfaces[eni + 1 :]))
            yield situation._replace(policy=policy)
    if len(interfaces) > 1:
        yield situation._replace(policy=Policy(interfaces[:-1]))
    if situation.flags != Flags():
        yield situation._replace(flags=Flags())
    for index, frame in enumerate(situation.frames):
        for keep in (len(frame.data) // 2, len(frame.data) - 1):
            if keep:
                shorter = replace(frame, data=frame.data[:keep])
                frames = [*situation.frames[:index], shorter, *situation.frames[index + 1 :]]
                yield situation._replace(frames=frames)


def _less_interface(interface: Interface) -> Iterator[Interface]:
    """One session or one rule less."""
    sessions = interface.sessions
    for index, session in enumerate(sessions):
        yield replace(interface, sessions=(*sessions[:index], *sessions[index + 1 :]))
        for fewer in _less_session(session):
            yield replace(interface, sessions=(*sessions[:index], fewer, *sessions[index + 1 :]))


def _less_session(session: Session) -> Iterator[Session]:
    for index in range(len(session.ingress)):
        yield replace(session, ingress=_without(session.ingress, index))
    for index in range(len(session.egress)):
        yield replace(session, egress=_without(session.egress, index))


def _without(rules: tuple[Rule, ...], index: int) -> tuple[Rule, ...]:
    return (*rules[:index], *rules[index + 1 :])
