"""Policy -> register image: the writes that make a NIC do what the policy says.

Reads only data from the gateware (register map, table layouts, lookup geometry); the golden model takes no part in
it. A complete image is written each time, to the shadow bank; the driver then commits.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Address

from halfsilver.harness.engine import Flags
from halfsilver.harness.errors import CapacityExceeded
from halfsilver.harness.policy.policy import Outer, Policy, Rule, Session
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.lookup import (
    ADDRESS_BITS,
    BOUNDS,
    CLASS_BITS,
    CLASS_HAS_PORTS,
    CLASS_HAS_PROTOCOL,
    CLASS_IPV6,
    PROTOCOL_BITS,
    LookupLayout,
)
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import (
    GENERAL_ENI_BASE,
    GENERAL_ENI_STRIDE,
    GENERAL_FLAGS,
    GENERAL_SOURCE_PORT,
    EniHigh,
    GeneralFlags,
    SessionWord,
    SourcePort,
    Table,
)

__all__ = ["build_image", "table_words"]

FLOOR_IPV4 = 35
FLOOR_IPV6 = 55
"""A copy is never cut below these (the guide's MTU and packet length section): headers and one byte."""

WHOLE_FRAME = 9216

_OUTER_WORDS = 16
_VXLAN_FLAGS_HIGH_HALF = 0x0800
_UDP = 17
_VXLAN_PORT = 4789
_IPV4_CONSTANT_HALVES = (0x4500, 0x0000, 0x0000, 0xFF11)
"""IPv4 header without length, checksum and addresses: version, IHL, TOS; ID; flags; TTL 255 and UDP."""


def build_image(policy: Policy, flags: Flags, parameters: NicParameters) -> list[tuple[int, int]]:
    """Register writes (byte address, value) that fill the shadow bank. Does not commit.

    CapacityExceeded if the policy needs more interfaces, sessions or rules than the build has.
    """
    _check_fits(policy, parameters)
    address, word = REGISTERS.address("TABLE_ADDRESS"), REGISTERS.address("TABLE_DATA")
    writes: list[tuple[int, int]] = []
    for table, start, words in table_words(policy, flags, parameters):
        writes.append((address, REGISTERS.pack("TABLE_ADDRESS", table=table, index=start)))
        writes.extend((word, value) for value in words)
    return writes


def table_words(policy: Policy, flags: Flags, parameters: NicParameters) -> Iterator[tuple[int, int, list[int]]]:
    """Runs of table words: (table number, first index, words)."""
    yield from _general(policy, flags, parameters)
    yield from _sessions(policy, parameters)
    yield from _outer_headers(policy, parameters)
    yield from _lookup(policy, parameters)


def _check_fits(policy: Policy, parameters: NicParameters) -> None:
    def refuse(resource: str, what: str, needed: int, available: int) -> None:
        if needed > available:
            raise CapacityExceeded(f"the policy needs {needed} {what}, this build of the NIC has {available}", resource)

    refuse("interfaces", "network interfaces", len(policy.interfaces), parameters.enis)
    for interface in policy.interfaces:
        refuse("sessions", f"sessions on {interface.eni_id}", len(interface.sessions), parameters.sessions)
        for session in interface.sessions:
            for rules in (session.ingress, session.egress):
                refuse("rules", f"rules in {session.filter_id}", len(rules), parameters.rules)


def _general(policy: Policy, flags: Flags, parameters: NicParameters) -> Iterator[tuple[int, int, list[int]]]:
    """Flags, source port and the ENIs' addresses."""
    table = Table.GENERAL.value
    yield table, GENERAL_FLAGS, [_bits(GeneralFlags, tap=flags.tap, terminal_reject=flags.terminal_reject)]
    yield table, GENERAL_SOURCE_PORT, [_bits(SourcePort, base=flags.source_port_base, mask=flags.source_port_mask)]
    for eni in range(parameters.enis):
        words = [0, 0, 0]
        if eni < len(policy.interfaces):
            interface = policy.interfaces[eni]
            resolver = interface.resolver
            words = [
                int.from_bytes(interface.mac[:4], "little"),
                _bits(
                    EniHigh, mac=int.from_bytes(interface.mac[4:], "little"), valid=1, has_resolver=resolver is not None
                ),
                0 if resolver is None else int.from_bytes(resolver.packed, "little"),
            ]
        yield table, GENERAL_ENI_BASE + GENERAL_ENI_STRIDE * eni, words


def _sessions(policy: Policy, parameters: NicParameters) -> Iterator[tuple[int, int, list[int]]]:
    words = [0] * parameters.session_slots
    for slot, session in _slots(policy):
        outer = session.outer
        words[slot] = _bits(
            SessionWord,
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
    limit = WHOLE_FRAME if session.packet_length is None else max(session.packet_length, floor)
    if session.outer is not None and session.outer.mtu_limit is not None:
        limit = min(limit, session.outer.mtu_limit)
    return min(limit, WHOLE_FRAME)


def _outer_headers(policy: Policy, parameters: NicParameters) -> Iterator[tuple[int, int, list[int]]]:
    for slot, session in _slots(policy):
        if session.outer is not None:
            yield Table.OUTER.value, slot * _OUTER_WORDS, _outer_template(session.outer, session.vni)


def _outer_template(outer: Outer, vni: int) -> list[int]:
    """Template words of the encapsulator: MACs, VNI, addresses, checksum seed."""

    def words(octets: bytes) -> list[int]:
        return [int.from_bytes(octets[i : i + 4], "little") for i in range(0, len(octets), 4)]

    source, destination = outer.source.packed, outer.destination.packed
    if isinstance(outer.source, IPv6Address):
        constant = [_UDP, _VXLAN_PORT, _VXLAN_FLAGS_HIGH_HALF, vni >> 8, vni << 8 & 0xFFFF]
    else:
        constant = list(_IPV4_CONSTANT_HALVES)
    seed = _ones_complement_sum(constant + _halves(source) + _halves(destination))
    return [
        *words(outer.destination_mac + outer.source_mac),
        vni,
        *words(source.ljust(16, b"\0")),
        *words(destination.ljust(16, b"\0")),
        seed,
    ]


def _halves(octets: bytes) -> list[int]:
    return [int.from_bytes(octets[i : i + 2], "big") for i in range(0, len(octets), 2)]


def _ones_complement_sum(halves: list[int]) -> int:
    total = sum(halves)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _lookup(policy: Policy, parameters: NicParameters) -> Iterator[tuple[int, int, list[int]]]:
    """Every word of every lane, for all contexts: also those of unused ENIs, so that nothing old remains."""
    layout = LookupLayout.of(parameters)
    eni_count = layout.contexts // 2
    contexts: list[list[tuple[int, Rule]]] = [[] for _ in range(layout.contexts)]
    for eni, interface in enumerate(policy.interfaces):
        for number, session in enumerate(interface.sessions):
            for direction, rules in ((Direction.INGRESS, session.ingress), (Direction.EGRESS, session.egress)):
                context = contexts[direction * eni_count + eni]
                context.extend((number * parameters.rules + i, rule) for i, rule in enumerate(rules))

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
        slot, lane = divmod(chunk, layout.ternary_lanes)
        lanes[lane][slot * values : (slot + 1) * values] = _ternary_words(
            keys, used, chunk * layout.chunk_bits, layout.chunk_bits
        )

    for bound, name in enumerate(BOUNDS):
        limits = [(bit, _port_bound(rule, name)) for bit, rule in rules]
        for position in range(layout.bound_lanes):
            lanes[layout.decided_lane(bound, position)] = [0] * (layout.clocks * values)
        for digit in range(layout.digits):
            slot, position = divmod(digit, layout.bound_lanes)
            shift = (layout.digits - 1 - digit) * layout.chunk_bits
            decided, equal = _digit_words(limits, shift, layout.chunk_bits, low=name.endswith("low"))
            span = slice(slot * values, (slot + 1) * values)
            lanes[layout.decided_lane(bound, position)][span] = decided
            lanes[layout.equal_lane(bound, position)][span] = equal
    return lanes


def _ternary_key(rule: Rule) -> tuple[int, int]:
    """(value, mask) over the key of `halfsilver.hdl.layout.lookup`: addresses, protocol, class."""
    value, mask, shift = 0, 0, 0

    def field(bits: int, wanted: int, care: int) -> None:
        nonlocal value, mask, shift
        value |= (wanted & care) << shift
        mask |= care << shift
        shift += bits

    for network in (rule.source, rule.destination):
        field(
            ADDRESS_BITS,
            int.from_bytes(network.network_address.packed, "little"),
            int.from_bytes(network.netmask.packed, "little"),
        )
    has_protocol = rule.protocol is not None
    field(PROTOCOL_BITS, rule.protocol or 0, 0xFF if has_protocol else 0)
    has_ports = rule.source_ports is not None or rule.destination_ports is not None
    wanted = (0 if isinstance(rule.source, IPv4Network) else CLASS_IPV6) | CLASS_HAS_PORTS | CLASS_HAS_PROTOCOL
    care = CLASS_IPV6 | (CLASS_HAS_PORTS if has_ports else 0) | (CLASS_HAS_PROTOCOL if has_protocol else 0)
    field(CLASS_BITS, wanted, care)
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


def _port_bound(rule: Rule, name: str) -> int:
    ports = rule.source_ports if name.startswith("source") else rule.destination_ports
    low, high = ports if ports is not None else (0, 0xFFFF)
    return low if name.endswith("low") else high


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


def _slots(policy: Policy) -> Iterator[tuple[int, Session]]:
    """(ENI * 4 + session number, session): the index of session words and outer headers."""
    for eni, interface in enumerate(policy.interfaces):
        for number, session in enumerate(interface.sessions):
            yield eni * 4 + number, session


def _bits(layout: type, **fields: int) -> int:
    """The word of a gateware struct from its field values."""
    return int(layout.const(fields).as_bits())  # type: ignore[attr-defined]  # hdl has no types
