"""Policy -> table image: the words that make a card do what the policy says.

Reads only data from the gateware (register map, table layouts, lookup geometry); the golden model takes no part in
it. The driver writes an image to the shadow bank, and then commits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address

from halfsilver.harness.errors import CapacityExceeded
from halfsilver.harness.nic.lookup_words import lookup_words
from halfsilver.harness.nic.places import policy_sessions, wire_number
from halfsilver.harness.nic.spread_words import spread_words
from halfsilver.harness.nic.template_words import template_words
from halfsilver.harness.policy.policy import Guard, Policy, Session
from halfsilver.harness.records import Flags
from halfsilver.hdl.layout.frames import FLOOR_IPV4, FLOOR_IPV6, MAX_FRAME
from halfsilver.hdl.layout.outer import template_index
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import (
    ENI_GUARD,
    ENI_HIGH,
    ENI_LOW,
    ENI_RESOLVER,
    GENERAL_FLAGS,
    GENERAL_FLAGS_AT,
    GENERAL_SOURCE_PORT_AT,
    SESSION_WORD,
    SOURCE_PORT,
    SPREAD_AT,
    Table,
    eni_words_at,
    session_index,
    spread_index,
)

__all__ = ["Image", "build_image", "policy_image", "table_words", "table_writes"]

Image = dict[tuple[Table, int], int]
"""Words by table and index."""

_Words = Iterator[tuple[int, list[int]]]
"""Runs of words of one table: (first index, words)."""


def policy_image(policy: Policy, flags: Flags, shape: NicShape) -> Image:
    """The words of a policy: all of every table, but of the outer headers only those of sessions that have one.

    CapacityExceeded if the policy needs more interfaces, sessions or rules, also of guards, than the card has.
    """
    _check_fits(policy, shape)
    return {
        (table, start + offset): word
        for table, start, words in table_words(policy, flags, shape)
        for offset, word in enumerate(words)
    }


def table_words(policy: Policy, flags: Flags, shape: NicShape) -> Iterator[tuple[Table, int, list[int]]]:
    """Runs of table words of a policy that fits: (table, first index, words)."""
    tables = {
        Table.GENERAL: _general(policy, flags, shape),
        Table.SESSIONS: _sessions(policy, shape),
        Table.OUTER: _outer_headers(policy, shape),
        Table.LOOKUP: lookup_words(policy, shape),
    }
    for table, runs in tables.items():
        for start, words in runs:
            yield table, start, words


def table_writes(image: Image, known: Mapping[tuple[Table, int], int]) -> list[tuple[int, int]]:
    """Register writes (byte address, value) for the words of an image that a bank does not already have."""
    address, data = REGISTERS.address("TABLE_ADDRESS"), REGISTERS.address("TABLE_DATA")
    writes: list[tuple[int, int]] = []
    following: tuple[Table, int] | None = None  # where TABLE_DATA goes without a new address
    for (table, index), word in image.items():
        if known.get((table, index)) == word:
            continue
        if (table, index) != following:
            writes.append((address, REGISTERS.pack("TABLE_ADDRESS", table=table, index=index)))
        writes.append((data, word))
        following = (table, index + 1)
    return writes


def build_image(policy: Policy, flags: Flags, shape: NicShape) -> list[tuple[int, int]]:
    """Register writes that fill the shadow bank, whatever it holds. Does not commit."""
    return table_writes(policy_image(policy, flags, shape), {})


def _check_fits(policy: Policy, shape: NicShape) -> None:
    def refuse(resource: str, what: str, needed: int, available: int) -> None:
        if needed > available:
            raise CapacityExceeded(f"the policy needs {needed} {what}, this build of the NIC has {available}", resource)

    refuse("interfaces", "network interfaces", len(policy.interfaces), shape.enis)
    for interface in policy.interfaces:
        if interface.guard is not None:
            if not shape.security_groups:
                raise CapacityExceeded(
                    "the policy has SecurityGroups or NetworkAcls, which this build of the NIC does not apply; leave "
                    "both lists out, or use the golden model",
                    "guards",
                )
            what = f"rules of security groups and its network ACL on {interface.eni_id}"
            refuse("guards", what, len(interface.guard.rules), shape.security_groups)
        refuse("sessions", f"sessions on {interface.eni_id}", len(interface.sessions), shape.sessions)
        for session in interface.sessions:
            targets = f"targets to spread the copies of {session.session_id} over"
            refuse("targets", targets, len(session.outers), shape.receivers)
            for rules in (session.ingress, session.egress):
                refuse("rules", f"rules in {session.filter_id}", len(rules), shape.rules)


def _general(policy: Policy, flags: Flags, shape: NicShape) -> _Words:
    """Flags, source port and the ENIs' addresses."""
    flag_word = GENERAL_FLAGS.pack(tap=flags.tap, terminal_reject=flags.terminal_reject)
    yield GENERAL_FLAGS_AT, [flag_word]
    yield GENERAL_SOURCE_PORT_AT, [SOURCE_PORT.pack(base=flags.source_port_base, mask=flags.source_port_mask)]
    for eni in range(shape.enis):
        words = [0, 0, 0, 0]
        if eni < len(policy.interfaces):
            interface = policy.interfaces[eni]
            resolver = interface.resolver
            low, high = interface.mac[:4], interface.mac[4:]
            words = [
                ENI_LOW.pack(mac=wire_number(low)),
                ENI_HIGH.pack(mac=wire_number(high), valid=1, has_resolver=resolver is not None),
                ENI_RESOLVER.pack(address=0 if resolver is None else wire_number(resolver.packed)),
                _guard_word(interface.guard),
            ]
        yield eni_words_at(eni), words if shape.security_groups else words[:-1]


def _guard_word(guard: Guard | None) -> int:
    if guard is None:
        return 0
    return ENI_GUARD.pack(entries=len(guard.acl or ()), acl=guard.acl is not None, groups=guard.groups is not None)


def _sessions(policy: Policy, shape: NicShape) -> _Words:
    index = session_index(shape.eni_bits)
    words = [0] * shape.session_slots
    for eni, number, session in policy_sessions(policy):
        outer = session.outer
        words[index.pack(eni=eni, session=number)] = SESSION_WORD.pack(
            limit_ipv4=_limit(session, FLOOR_IPV4, shape),
            limit_ipv6=_limit(session, FLOOR_IPV6, shape),
            valid=1,
            up=outer is not None,
            amazon_dns=session.amazon_dns,
            outer_ipv6=outer is not None and isinstance(outer.source, IPv6Address),
        )
    yield 0, words
    if shape.receivers > 1:
        for eni, number, session in policy_sessions(policy):
            start = spread_index(shape.eni_bits).pack(eni=eni, session=number)
            yield SPREAD_AT + start, spread_words(session.receivers)


def _limit(session: Session, floor: int, shape: NicShape) -> int:
    """Longest copy: the packet length, but not under the floor, and never over what the target's MTU lets through or
    the build has room for."""
    limit = MAX_FRAME if session.packet_length is None else max(session.packet_length, floor)
    if session.outer is not None and session.outer.mtu_limit is not None:
        limit = min(limit, session.outer.mtu_limit)
    return min(limit, shape.cut_copies)


def _outer_headers(policy: Policy, shape: NicShape) -> _Words:
    index = template_index(shape.eni_bits, shape.receiver_bits)
    for eni, number, session in policy_sessions(policy):
        for receiver, outer in enumerate(session.outers):
            start = index.pack(receiver=receiver, eni=eni, session=number, word=0)
            yield start, template_words(outer, session.vni)
