"""What a word of a table is for, in a few words: beside the writes that ``halfsilver image`` prints."""

from __future__ import annotations

from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.lookup import LookupLayout
from halfsilver.hdl.layout.outer import template_index
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.register_map import WORD_BITS
from halfsilver.hdl.layout.tables import (
    GENERAL_FLAGS_AT,
    GENERAL_SOURCE_PORT_AT,
    SLOTS_PER_WORD,
    SPREAD_AT,
    Table,
    eni_words_at,
    session_index,
    spread_index,
)

__all__ = ["comment"]


def comment(table: Table, index: int, shape: NicShape) -> str:
    """For people; an index that the table does not have is a ValueError."""
    if table is Table.GENERAL:
        return _general(index, shape)
    if table is Table.SESSIONS:
        return _session(index, shape)
    if table is Table.OUTER:
        place = template_index(shape.eni_bits, shape.receiver_bits).unpack(index)
        receiver = f", receiver {place['receiver']}" if shape.receivers > 1 else ""
        return f"outer header of ENI {place['eni']} session {place['session']}{receiver}, word {place['word']}"
    return _lookup(index, LookupLayout.of(shape))


def _session(index: int, shape: NicShape) -> str:
    if shape.receivers > 1 and index >= SPREAD_AT:
        place = spread_index(shape.eni_bits).unpack(index - SPREAD_AT)
        first = place["word"] * SLOTS_PER_WORD
        slots = f"slots {first} to {first + SLOTS_PER_WORD - 1}"
        return f"receivers of ENI {place['eni']} session {place['session']}, {slots}"
    place = session_index(shape.eni_bits).unpack(index)
    return f"ENI {place['eni']} session {place['session']}"


def _general(index: int, shape: NicShape) -> str:
    if index == GENERAL_FLAGS_AT:
        return "flags"
    if index == GENERAL_SOURCE_PORT_AT:
        return "source port"
    for eni in range(shape.enis):
        if 0 <= index - eni_words_at(eni) < (4 if shape.security_groups else 3):
            return f"ENI {eni} word {index - eni_words_at(eni)}"
    raise ValueError(f"the general table has no word {index}")


def _lookup(index: int, layout: LookupLayout) -> str:
    word, part = divmod(index, layout.parts)
    lane, place = divmod(word, layout.bank_words)
    matcher, lane = divmod(lane, layout.lanes + 1)
    if not 0 <= matcher < layout.matchers:
        raise ValueError(f"the lookup table has no word {index}")
    bits = f", bits from {part * WORD_BITS}" if layout.parts > 1 else ""
    if lane < layout.lanes:
        turn, value = divmod(place, 1 << layout.chunk_bits)
        context, slot = divmod(turn, layout.clocks)
        return f"lane {lane}, {_context(matcher, context, layout)}, slot {slot}, value {value:#x}{bits}"
    if lane == layout.lanes and place < layout.contexts:
        return f"which rules accept, {_context(matcher, place, layout)}{bits}"
    raise ValueError(f"the lookup table has no word {index}")


def _context(matcher: int, context: int, layout: LookupLayout) -> str:
    place = layout.context.unpack(context)
    direction = place["direction"] if layout.matchers == 1 else matcher
    return f"ENI {place['eni']} {Direction(direction)}"
