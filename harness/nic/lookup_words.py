"""The rules of a policy as words of the lookup table: per chunk of the key, which rules accept each value."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Network

from halfsilver.harness.nic.places import policy_sessions, wire_number
from halfsilver.harness.policy.policy import Policy, Rule
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.lookup import BOUNDS, KEY_CLASS, TERNARY_KEY, Bound, LookupLayout
from halfsilver.hdl.layout.parameters import NicShape

__all__ = ["lookup_words"]


def lookup_words(policy: Policy, shape: NicShape) -> Iterator[tuple[int, list[int]]]:
    """Runs of table words, (first index, words): every word of every lane, for all contexts.

    Also those of unused ENIs, so that nothing old remains.
    """
    layout = LookupLayout.of(shape)
    matchers: list[list[list[tuple[int, Rule]]]] = [
        [[] for _ in range(layout.contexts)] for _ in range(layout.matchers)
    ]
    for eni, number, session in policy_sessions(policy):
        for direction, rules in ((Direction.INGRESS, session.ingress), (Direction.EGRESS, session.egress)):
            context = matchers[layout.matcher_of(direction)][layout.context_of(direction, eni)]
            context.extend((layout.rule_bit(number, i), rule) for i, rule in enumerate(rules))
    for eni, interface in enumerate(policy.interfaces):
        if interface.guard is not None:
            ingress = Direction.INGRESS
            context = matchers[layout.matcher_of(ingress)][layout.context_of(ingress, eni)]
            context.extend((layout.guard_bit(i), rule) for i, rule in enumerate(interface.guard.rules))

    for matcher, contexts in enumerate(matchers):
        per_context = [_context_words(layout, rules) for rules in contexts]
        for lane in range(layout.lanes):
            words = [word for words in per_context for word in words[lane]]
            yield layout.word_index(matcher, lane, 0, 0, 0), _parts(layout, words)
        accepts = [sum(1 << bit for bit, rule in rules if rule.accept) for rules in contexts]
        yield layout.action_index(matcher, 0), _parts(layout, accepts)


def _parts(layout: LookupLayout, words: list[int]) -> list[int]:
    """Words as the host writes them."""
    return words if layout.parts == 1 else [part for word in words for part in layout.split(word)]


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
        source=wire_number(rule.source.network_address.packed),
        destination=wire_number(rule.destination.network_address.packed),
        protocol=rule.protocol or 0,
        klass=KEY_CLASS.pack(ipv6=isinstance(rule.source, IPv6Network), has_ports=has_ports, has_protocol=has_protocol),
    )
    mask = TERNARY_KEY.pack(
        source=wire_number(rule.source.netmask.packed),
        destination=wire_number(rule.destination.netmask.packed),
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
