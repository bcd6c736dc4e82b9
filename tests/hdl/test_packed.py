"""Plain data of words, indices and records: what it packs, what it refuses, and that gateware has the same bits."""

import random
import subprocess
import sys

import pytest

from halfsilver.hdl.layout.counters import CounterGroupCode, counter_index
from halfsilver.hdl.layout.lookup import KEY_CLASS, TERNARY_KEY
from halfsilver.hdl.layout.outer import TEMPLATE_BODY, TEMPLATE_SEED_WORD, template_index
from halfsilver.hdl.layout.packed import Member, Packed
from halfsilver.hdl.layout.tables import ENI_HIGH, GENERAL_FLAGS, SESSION_WORD, SOURCE_PORT, session_index
from halfsilver.hdl.layout.verdict import VERDICT_RECORD, VerdictCode
from halfsilver.hdl.structs import enum_of, side_by_side, struct_of

PAIR = Packed("pair", "two numbers", [Member("low", 4, "one"), Member("none", 0, "nothing"), Member("high", 8, "two")])


def test_the_first_member_is_lowest():
    assert PAIR.width == 12
    assert PAIR.pack(low=0x5, high=0xA1) == 0xA15
    assert PAIR.unpack(0xA15) == {"low": 0x5, "none": 0, "high": 0xA1}
    assert PAIR.pack() == 0


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="low must be 0 to 0xf, not 16"):
        PAIR.pack(low=16)
    with pytest.raises(ValueError, match="low must be 0 to 0xf, not -1"):
        PAIR.pack(low=-1)
    with pytest.raises(ValueError, match="none must be 0 to 0x0"):
        PAIR.pack(none=1)
    with pytest.raises(ValueError, match="no member 'hihg', only low, none, high"):
        PAIR.pack(hihg=1)
    with pytest.raises(ValueError, match="pair must be 0 to 0xfff"):
        PAIR.unpack(0x1000)
    with pytest.raises(ValueError, match="two members of one name"):
        Packed("twice", "wrong", [Member("a", 1, "one"), Member("a", 1, "another")])
    with pytest.raises(ValueError, match="letters, digits"):
        Member("a b", 1, "a name with a space")
    with pytest.raises(ValueError, match="0 bits or more, not -1"):
        Member("a", -1, "negative")
    with pytest.raises(ValueError, match="needs a description"):
        Member("a", 1, "")


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (counter_index(CounterGroupCode.VERDICT, 2, 4), "direction*16 + verdict"),
        (counter_index(CounterGroupCode.SESSION, 2, 4), "((skipped*2 + direction)*4 + eni)*4 + session"),
        (counter_index(CounterGroupCode.PORT, 2, 4), "port*2 + bad"),
        (counter_index(CounterGroupCode.RULE, 2, 4), "((direction*4 + eni)*4 + session)*16 + rule"),
        (counter_index(CounterGroupCode.RULE, 2, 6), "((direction*4 + eni)*4 + session)*64 + rule"),
        (session_index(2), "eni*4 + session"),
        (template_index(2), "((receiver*4 + eni)*4 + session)*16 + word"),
    ],
)
def test_an_index_is_its_formula(packed, words):
    """The published formulas; evaluated, they give what is packed."""
    assert packed.formula() == words
    source = random.Random(words)
    for _ in range(20):
        values = {member.name: source.randrange(1 << member.width) for member in packed.members}
        assert packed.pack(**values) == eval(words, {}, values)


def test_one_eni_takes_no_bits():
    assert counter_index(CounterGroupCode.RULE, 0, 4).pack(direction=1, eni=0, session=2, rule=3) == 64 + 2 * 16 + 3
    assert counter_index(CounterGroupCode.RULE, 3, 4).formula(eni="ENIs").startswith("((direction*ENIs + eni)*4")


def test_the_template_is_twelve_words():
    assert TEMPLATE_SEED_WORD == 12
    body = TEMPLATE_BODY.pack(destination_mac=int.from_bytes(bytes.fromhex("020000000001"), "little"), vni=0x123456)
    assert body >> 96 & 0xFFFFFFFF == 0x123456
    assert body.to_bytes(48, "little")[:6] == bytes.fromhex("020000000001")


@pytest.mark.parametrize(
    "packed",
    [VERDICT_RECORD, SESSION_WORD, GENERAL_FLAGS, SOURCE_PORT, ENI_HIGH, TERNARY_KEY, TEMPLATE_BODY, PAIR],
    ids=lambda packed: packed.name,
)
def test_gateware_has_the_same_bits(packed):
    layout = struct_of(packed)
    assert layout.size == packed.width
    source = random.Random(packed.name)
    for _ in range(10):
        values = {
            member.name: source.choice(list(member.values)) if member.values else source.randrange(1 << member.width)
            for member in packed.members
        }
        plain = {name: int(value) for name, value in values.items()}
        assert layout.const(plain).as_bits() == packed.pack(**plain)


def test_codes_in_gateware_keep_name_and_number():
    code = enum_of(VerdictCode, 8)
    assert code is enum_of(VerdictCode, 8)
    assert {member.name: member.value for member in code} == {member.name: member.value for member in VerdictCode}
    assert code.as_shape().width == 8


def test_structs_refuse_other_members():
    with pytest.raises(ValueError, match="no member 'class'"):
        struct_of(TERNARY_KEY, **{"class": 3})
    with pytest.raises(ValueError, match="is 267 bits, not 268"):
        struct_of(TERNARY_KEY, klass=KEY_CLASS.width + 1)
    with pytest.raises(ValueError, match="made of session, eni, not of session"):
        side_by_side(session_index(2), session=None)


def test_the_layout_needs_no_amaranth():
    """The core install has none, and prints the register map all the same."""
    program = """
import pkgutil, sys
sys.modules["amaranth"] = None
import halfsilver.hdl.layout
for module in pkgutil.iter_modules(halfsilver.hdl.layout.__path__, "halfsilver.hdl.layout."):
    __import__(module.name)
from halfsilver.harness.cli import main
main(["regs"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "## TABLE_ADDRESS" in done.stdout
