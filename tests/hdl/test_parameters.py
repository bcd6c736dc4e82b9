"""Constructors refuse nonsense, each with a message that says what would be right."""

import pytest

from halfsilver.hdl.layout.lookup import BOUNDS, LookupLayout
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.match.flow_hash import FlowHash
from halfsilver.hdl.packet import beat_layout
from halfsilver.hdl.parser.word_parser import WordParser
from halfsilver.hdl.pipeline import delay


@pytest.mark.parametrize(
    ("field", "value", "right"),
    [
        ("width", 24, "power of two"),
        ("width", 4, "8 to 1024"),
        ("width", 2048, "8 to 1024"),
        ("width", "64", "power"),
        ("enis", 0, "1 to 16"),
        ("enis", 17, "1 to 16"),
        ("sessions", 4, "1 to 3"),
        ("rules", 41, "1 to 40"),
        ("security_groups", 129, "0 to 128"),
        ("security_groups", -1, "0 to 128"),
        ("receivers", 0, "1 to 16"),
        ("receivers", 17, "1 to 16"),
        ("extension_headers", 16, "1 to 15"),
        ("copies", 4, "8 to 1024"),
        ("copies", 100, "power of two"),
        ("queue_depth", 8192, "16384"),
        ("queue_depth", 20000, "power of two"),
        ("lookup_clocks", 3, "1, 2, 4 or 8"),
        ("hash_key", b"short", "40 bytes"),
    ],
)
def test_parameters_are_refused(field, value, right):
    with pytest.raises(ValueError, match=right):
        NicParameters(**{field: value})


def test_blocks_refuse_their_own():
    with pytest.raises(ValueError, match="1 to 15"):
        WordParser(egress=False, extension_headers=0)
    with pytest.raises(ValueError, match="power of two"):
        beat_layout(12)
    with pytest.raises(ValueError, match="40 bytes"):
        FlowHash(b"")
    with pytest.raises(ValueError, match="-1"):
        delay(None, None, -1, "x")


@pytest.mark.parametrize(
    ("sessions", "rules", "parts", "bits"),
    [
        (3, 10, 1, [30]),
        (1, 32, 1, [32]),
        (3, 11, 2, [32, 1]),
        (2, 32, 2, [32, 32]),
        (3, 22, 4, [32, 32, 2, 0]),
        (3, 40, 4, [32, 32, 32, 24]),
    ],
)
def test_words_of_many_rules_are_written_in_parts(sessions, rules, parts, bits):
    layout = LookupLayout.of(NicParameters(sessions=sessions, rules=rules))
    assert (layout.parts, [layout.part_bits(part) for part in range(layout.parts)]) == (parts, bits)
    word = (1 << sessions * rules) - 2
    split = layout.split(word)
    assert sum(part << 32 * place for place, part in enumerate(split)) == word
    assert max(part.bit_length() for part in split) <= 32
    assert layout.word_index(0, 1, 0, 0, 0) == parts * layout.bank_words


@pytest.mark.parametrize(("rules", "bits"), [(1, 4), (10, 4), (16, 4), (17, 5), (32, 5), (33, 6), (40, 6)])
def test_a_rules_place_in_a_counters_index(rules, bits):
    assert NicParameters(rules=rules).rule_bits == bits


@pytest.mark.parametrize("enis", [1, 2, 3, 4, 5, 8, 16])
@pytest.mark.parametrize("clocks", [1, 2, 4, 8])
def test_lanes_fit_a_block_ram_and_cover_the_key(enis, clocks):
    """512 words is one ECP5 block RAM at 36 bits; every chunk and digit has exactly one lane and slot."""
    parameters = NicParameters(enis=enis, lookup_clocks=clocks)
    layout = LookupLayout.of(parameters)
    if parameters.contexts * clocks * 4 <= 512:
        assert 2 * layout.bank_words == 512
    assert layout.ternary_chunks * layout.chunk_bits >= 128 + 128 + 8 + 3
    assert layout.ternary_lanes * clocks >= layout.ternary_chunks
    assert layout.digits * layout.chunk_bits >= 16
    assert layout.bound_lanes * clocks >= layout.digits
    lanes = list(range(layout.ternary_lanes))
    for bound in range(len(BOUNDS)):
        for position in range(layout.bound_lanes):
            lanes += [layout.decided_lane(bound, position), layout.equal_lane(bound, position)]
    assert sorted(lanes) == list(range(layout.lanes))
    last = layout.word_index(0, layout.lanes - 1, layout.contexts - 1, clocks - 1, (1 << layout.chunk_bits) - 1)
    assert layout.action_index(0, 0) == last + 1


@pytest.mark.parametrize(
    ("width", "clocks", "matchers", "shortest"),
    [
        (8, 8, 1, 16),
        (32, 4, 1, 29),
        (32, 8, 2, 29),
        (64, 1, 1, 9),
        (64, 4, 1, 57),
        (64, 8, 2, 57),
        (128, 2, 1, 49),
        (256, 1, 1, 33),
        (512, 1, 2, 1),
        (1024, 1, 2, 1),
        (512, 2, 2, 65),
    ],
)
def test_a_matcher_for_each_direction_where_one_cannot_keep_up(width, clocks, matchers, shortest):
    """A 60-byte frame takes ceil(480 / width) clocks, at each of two inputs, and a lookup ``clocks``."""
    parameters = NicParameters(width=width, lookup_clocks=clocks)
    assert (parameters.matchers, parameters.shortest_frame) == (matchers, shortest)
    beats = -(-480 // width)
    assert (2 * clocks <= beats) == (matchers == 1)
    assert (shortest <= 60) == (2 * clocks <= matchers * beats)


@pytest.mark.parametrize("enis", [1, 2, 5, 16])
@pytest.mark.parametrize("clocks", [1, 2, 8])
def test_each_context_is_in_the_matcher_of_its_direction(enis, clocks):
    """Two matchers share the table without a word between them, and hold each direction of each interface once."""
    parameters = NicParameters(width=512, enis=enis, lookup_clocks=clocks, rules=40)
    layout = LookupLayout.of(parameters)
    assert layout.matchers == 2
    places = {
        (layout.matcher_of(direction), layout.context_of(direction, eni)) for direction in (0, 1) for eni in range(enis)
    }
    assert len(places) == 2 * enis
    assert {matcher for matcher, _ in places} == {0, 1}
    assert all(context < layout.contexts for _, context in places)
    assert layout.word_index(1, 0, 0, 0, 0) >= layout.action_index(0, layout.contexts)
    if layout.chunk_bits > 1:
        assert 2 * layout.bank_words == 512
