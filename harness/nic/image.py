"""Policy -> register image: the writes that make a NIC do what the policy says.

Reads only data from the gateware (register map, table layouts, lookup geometry); the golden model takes no part in
it. A complete image is written each time, to the shadow bank; the driver then commits.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network

from halfsilver.harness.errors import CapacityExceeded
from halfsilver.harness.policy.policy import Outer, Policy, Rule, Session
from halfsilver.harness.records import Flags
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.assigned_numbers import PROTOCOL_UDP
from halfsilver.hdl.layout.frames import FLOOR_IPV4, FLOOR_IPV6, MAX_FRAME
from halfsilver.hdl.layout.lookup import BOUNDS, KEY_CLASS, TERNARY_KEY, Bound, LookupLayout
from halfsilver.hdl.layout.outer import (
    HOP_LIMIT,
    TEMPLATE_BODY,
    TEMPLATE_SEED,
    VERSION_IHL,
    VXLAN_FLAGS,
    VXLAN_PORT,
    template_index,
)
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import (
    ENI_HIGH,
    ENI_LOW,
    ENI_RESOLVER,
    GENERAL_FLAGS,
    GENERAL_FLAGS_AT,
    GENERAL_SOURCE_PORT_AT,
    SESSION_WORD,
    SOURCE_PORT,
    Table,
    eni_words_at,
    session_index,
)

__all__ = ["build_image", "table_words"]


def build_image(policy: Policy, flags: Flags, shape: NicShape) -> list[tuple[int, int]]:
    """Register writes (byte address, value) that fill the shadow bank. Does not commit.

    CapacityExceeded if the policy needs more interfaces, sessions or rules than the build has.
    """
    _check_fits(policy, shape)
    address, word = REGISTERS.address("TABLE_ADDRESS"), REGISTERS.address("TABLE_DATA")
    writes: list[tuple[int, int]] = []
    for table, start, words in table_words(policy, flags, shape):
        writes.append((address, REGISTERS.pack("TABLE_ADDRESS", table=table, index=start)))
        writes.extend((word, value) for value in words)
    return writes


def table_words(policy: Policy, flags: Flags, shape: NicShape) -> Iterator[tuple[int, int, list[int]]]:
    """Runs of table words: (table number, first index, words)."""
    yield from _general(policy, flags, shape)
    yield from _sessions(policy, shape)
    yield from _outer_headers(policy, shape)
    yield from _lookup(policy, shape)


def _check_fits(policy: Policy, shape: NicShape) -> None:
    def refuse(resource: str, what: str, needed: int, available: int) -> None:
        if needed > available:
            raise CapacityExceeded(f"the policy needs {needed} {what}, this build of the NIC has {available}", resource)

    refuse("interfaces", "network interfaces", len(policy.interfaces), shape.enis)
    for interface in policy.interfaces:
        refuse("sessions", f"sessions on {interface.eni_id}", len(interface.sessions), shape.sessions)
        for session in interface.sessions:
            for rules in (session.ingress, session.egress):
                refuse("rules", f"rules in {session.filter_id}", len(rules), shape.rules)


def _general(policy: Policy, flags: Flags, shape: NicShape) -> Iterator[tuple[int, int, list[int]]]:
    """Flags, source port and the ENIs' addresses."""
    table = Table.GENERAL.value
    flag_word = GENERAL_FLAGS.pack(tap=flags.tap, terminal_reject=flags.terminal_reject)
    yield table, GENERAL_FLAGS_AT, [flag_word]
    yield table, GENERAL_SOURCE_PORT_AT, [SOURCE_PORT.pack(base=flags.source_port_base, mask=flags.source_port_mask)]
    for eni in range(shape.enis):
        words = [0, 0, 0]
        if eni < len(policy.interfaces):
            interface = policy.interfaces[eni]
            resolver = interface.resolver
            low, high = interface.mac[:4], interface.mac[4:]
            words = [
                ENI_LOW.pack(mac=_number(low)),
                ENI_HIGH.pack(mac=_number(high), valid=1, has_resolver=resolver is not None),
                ENI_RESOLVER.pack(address=0 if resolver is None else _number(resolver.packed)),
            ]
        yield table, eni_words_at(eni), words


def _sessions(policy: Policy, shape: NicShape) -> Iterator[tuple[int, int, list[int]]]:
    index = session_index(shape.eni_bits)
    words = [0] * shape.session_slots
    for eni, number, session in _placed(policy):
        outer = session.outer
        words[index.pack(eni=eni, session=number)] = SESSION_WORD.pack(
            limit_ipv4=_limit(session, FLOOR_IPV4),
            limit_ipv6=_limit(session, FLOOR_IPV6),
            valid=1,
            up=outer is not None,
            amazon_dns=session.amazon_dns,
            outer_ipv6=outer is not None and isinstance(outer.source, IPv6Address),
        )
    yield Table.SESSIONS.value, 0, words


def _limit(session: Session, floor: int) -> int:
    """Longest copy: the packet length, but not under the floor, and never over what the target's MTU lets through."""
    limit = MAX_FRAME if session.packet_length is None else max(session.packet_length, floor)
    if session.outer is not None and session.outer.mtu_limit is not None:
        limit = min(limit, session.outer.mtu_limit)
    return min(limit, MAX_FRAME)


def _outer_headers(policy: Policy, shape: NicShape) -> Iterator[tuple[int, int, list[int]]]:
    index = template_index(shape.eni_bits)
    for eni, number, session in _placed(policy):
        if session.outer is not None:
            start = index.pack(eni=eni, session=number, word=0)
            yield Table.OUTER.value, start, _outer_template(session.outer, session.vni)


def _outer_template(outer: Outer, vni: int) -> list[int]:
    """Template words of a session: the body's, then the checksum seed."""
    body = TEMPLATE_BODY.pack(
        destination_mac=_number(outer.destination_mac),
        source_mac=_number(outer.source_mac),
        vni=vni,
        source=_number(outer.source.packed),
        destination=_number(outer.destination.packed),
    )
    words = [body >> at & 0xFFFFFFFF for at in range(0, TEMPLATE_BODY.width, 32)]
    return [*words, TEMPLATE_SEED.pack(seed=_checksum_seed(outer, vni))]


def _checksum_seed(outer: Outer, vni: int) -> int:
    """What `TEMPLATE_SEED` says is to be summed."""
    if isinstance(outer.source, IPv6Address):
        vxlan = bytes([VXLAN_FLAGS, 0, 0, 0]) + vni.to_bytes(3, "big") + bytes(1)
        constant = PROTOCOL_UDP.to_bytes(2, "big") + VXLAN_PORT.to_bytes(2, "big") + vxlan
    else:
        constant = bytes([VERSION_IHL, 0, 0, 0, 0, 0, HOP_LIMIT, PROTOCOL_UDP])
    return _ones_complement_sum(constant + outer.source.packed + outer.destination.packed)


def _ones_complement_sum(octets: bytes) -> int:
    total = sum(int.from_bytes(octets[i : i + 2], "big") for i in range(0, len(octets), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _lookup(policy: Policy, shape: NicShape) -> Iterator[tuple[int, int, list[int]]]:
    """Every word of every lane, for all contexts: also those of unused ENIs, so that nothing old remains."""
    layout = LookupLayout.of(shape)
    contexts: list[list[tuple[int, Rule]]] = [[] for _ in range(layout.contexts)]
    for eni, number, session in _placed(policy):
        for direction, rules in ((Direction.INGRESS, session.ingress), (Direction.EGRESS, session.egress)):
            context = contexts[layout.context.pack(eni=eni, direction=direction)]
            context.extend((layout.rule_bit(number, i), rule) for i, rule in enumerate(rules))

    table = Table.LOOKUP.value
    per_context = [_context_words(layout, rules) for rules in contexts]
    for lane in range(layout.lanes):
        yield table, layout.word_index(lane, 0, 0, 0), [w for words in per_context for w in words[lane]]
    yield table, layout.action_index(0), [sum(1 << bit for bit, rule in rules if rule.accept) for rules in contexts]


def _context_words(layout: LookupLayout, rules: list[tuple[int, Rule]]) -> list[list[int]]:
    """For each lane the words of one context, slot by slot."""
    values = 1 << layout.chunk_bits
    # Chunks and digits that do not exist must not decide: ternary words all ones, decided 0, equal all ones.
    everything = (1 << layout.rule_slots) - 1
    lanes = [[everything] * (layout.clocks * values) for _ in range(layout.lanes)]
    used = sum(1 << bit for bit, _ in rules)

    keys = [(bit, *_ternary_key(rule)) for bit, rule in rules]
    for chunk in range(layout.ternary_chunks):
        slot, lane = layout.ternary_place(chunk)
        lanes[lane][slot * values : (slot + 1) * values] = _ternary_words(
            keys, used, chunk * layout.chunk_bits, layout.chunk_bits
        )

    for number, bound in enumerate(BOUNDS):
        limits = [(bit, _port_bound(rule, bound)) for bit, rule in rules]
        for position in range(layout.bound_lanes):
            lanes[layout.decided_lane(number, position)] = [0] * (layout.clocks * values)
        for digit in range(layout.digits):
            slot, position = layout.digit_place(digit)
            decided, equal = _digit_words(limits, layout.digit_shift(digit), layout.chunk_bits, low=bound.low)
            span = slice(slot * values, (slot + 1) * values)
            lanes[layout.decided_lane(number, position)][span] = decided
            lanes[layout.equal_lane(number, position)][span] = equal
    return lanes


def _ternary_key(rule: Rule) -> tuple[int, int]:
    """(value, mask) over the ternary key; a class bit is asked for only where the rule needs it."""
    has_protocol = rule.protocol is not None
    has_ports = rule.source_ports is not None or rule.destination_ports is not None
    value = TERNARY_KEY.pack(
        source=_number(rule.source.network_address.packed),
        destination=_number(rule.destination.network_address.packed),
        protocol=rule.protocol or 0,
        klass=KEY_CLASS.pack(ipv6=isinstance(rule.source, IPv6Network), has_ports=has_ports, has_protocol=has_protocol),
    )
    mask = TERNARY_KEY.pack(
        source=_number(rule.source.netmask.packed),
        destination=_number(rule.destination.netmask.packed),
        protocol=0xFF if has_protocol else 0,
        klass=KEY_CLASS.pack(ipv6=1, has_ports=has_ports, has_protocol=has_protocol),
    )
    return value, mask


def _ternary_words(keys: list[tuple[int, int, int]], used: int, shift: int, bits: int) -> list[int]:
    """Words of one chunk: which of the rules accept each value here. Unused rule slots accept nothing."""
    full = (1 << bits) - 1
    words = [used] * (1 << bits)
    for bit, value, mask in keys:
        care = mask >> shift & full
        if not care:
            continue
        wanted = value >> shift & full
        clear = ~(1 << bit)
        for candidate in range(1 << bits):
            if (candidate ^ wanted) & care:
                words[candidate] &= clear
    return words


def _port_bound(rule: Rule, bound: Bound) -> int:
    ports = {"source_port": rule.source_ports, "destination_port": rule.destination_ports}[bound.port]
    low, high = ports if ports is not None else (0, 0xFFFF)
    return low if bound.low else high


def _digit_words(limits: list[tuple[int, int]], shift: int, bits: int, *, low: bool) -> tuple[list[int], list[int]]:
    """Words of one digit of a bound: inside whatever follows; and equal, so the next digit decides."""
    values = range(1 << bits)
    decided, equal = [0] * len(values), [0] * len(values)
    for bit, limit in limits:
        digit = limit >> shift & (1 << bits) - 1
        flag = 1 << bit
        equal[digit] |= flag
        for value in range(digit + 1, 1 << bits) if low else range(digit):
            decided[value] |= flag
    return decided, equal


def _placed(policy: Policy) -> Iterator[tuple[int, int, Session]]:
    """Every session with its ENI's place and its own at that ENI."""
    for eni, interface in enumerate(policy.interfaces):
        for number, session in enumerate(interface.sessions):
            yield eni, number, session


def _number(octets: bytes) -> int:
    """Bytes as the tables hold them: the first on the wire lowest."""
    return int.from_bytes(octets, "little")
