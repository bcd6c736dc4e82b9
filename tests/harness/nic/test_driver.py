"""The driver against a card in memory: what it refuses, what it writes, and what is left after a failure."""

import pytest

from halfsilver.harness.errors import EXIT_BOARD, CapacityExceeded, HalfsilverError, WrongCard
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.records import Flags, Tally
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.registers import REGISTERS
from tests.harness.golden.golden_kit import ENI_0, ENI_1, interface, policy, rule, session
from tests.harness.nic.card_kit import CardInMemory

SHAPE = NicShape(width=32, enis=2, sessions=2, rules=3, lookup_clocks=4)
ONE = policy(interface(session([rule(protocol=6)])))
OTHER = policy(interface(session([rule(protocol=6)], vni=77)))
TWO = policy(interface(session([rule(protocol=17)], number=3), session(number=9)), interface(address=ENI_1))


def loaded_words(*policies):
    """What judges frames after these loads, by one driver."""
    card = CardInMemory(SHAPE)
    driver = Driver(card)
    for each in policies:
        driver.load(each)
    return card.active_words()


# Which card


@pytest.mark.parametrize(
    ("registers", "says"),
    [
        ({"ID": 0}, "the ID register reads 0x00000000, not 0x48534d31: no Halfsilver core"),
        ({"ID": 0xFFFFFFFF}, "the ID register reads 0xffffffff"),
        ({"VERSION": 0x00630102}, "the card has gateware 99.1.2; this driver, .* knows major version 0 only"),
        ({"SHAPE": 0x00010018}, "what cannot be: data width must be a power of two .* not 24"),
        ({"QUEUE": 100}, "what cannot be: queue_depth"),
        ({"RULES": REGISTERS.pack("RULES", rules=3, extension_headers=8, chunk_bits=9, lookup_clocks=4)}, "9 key bits"),
    ],
)
def test_a_wrong_card_is_refused_and_nothing_is_written(registers, says):
    card = CardInMemory(SHAPE, **registers)
    with pytest.raises(WrongCard, match=says) as caught:
        Driver(card)
    assert caught.value.exit_code == EXIT_BOARD == 4
    assert "\n" not in str(caught.value)
    assert card.written == []


def test_another_minor_version_is_welcome():
    card = CardInMemory(SHAPE, VERSION=REGISTERS.pack("VERSION", major=0, minor=200, patch=3))
    assert Driver(card).card.version == "0.200.3"


def test_what_the_card_says_of_itself():
    card = Driver(CardInMemory(SHAPE)).card
    assert card.shape == SHAPE
    assert card.detail.endswith("32 bit, 2 interfaces x 2 sessions x 3 rules")


# Loading


def test_a_load_is_committed_once_and_last():
    card = CardInMemory(SHAPE)
    assert Driver(card).load(ONE) == 1
    names = [name for name, _ in card.written]
    assert names.count("COMMIT") == 1 and names[-1] == "COMMIT"
    assert set(names) == {"TABLE_ADDRESS", "TABLE_DATA", "COMMIT"}
    assert card.active_words()


def test_only_what_differs_is_written():
    """The third load goes into the bank of the first."""
    card = CardInMemory(SHAPE)
    driver = Driver(card)
    sizes = []
    for each in (ONE, ONE, OTHER, OTHER, OTHER):
        before = len(card.written)
        driver.load(each)
        sizes.append(len(card.written) - before)
    assert sizes[0] == sizes[1] > 1000
    assert 1 < sizes[2] <= 2 * 2 + 1  # VNI and checksum seed or less, each with its address, and the commit
    assert sizes[4] == 1
    assert card.generation == 5


@pytest.mark.parametrize("way", [(ONE, TWO, OTHER), (TWO, TWO, ONE), (TWO, ONE, TWO, OTHER, ONE, TWO)])
def test_by_whatever_way_the_same_tables(way):
    """Nothing of an earlier policy is left that could judge a frame: but for outer headers no session points to."""
    outer = 2
    fresh = {place: word for place, word in loaded_words(way[-1]).items() if place[0] != outer}
    assert {place: word for place, word in loaded_words(*way).items() if place[0] != outer} == fresh
    assert loaded_words(*way).items() >= loaded_words(way[-1]).items()


def test_flags_reach_the_general_table():
    card = CardInMemory(SHAPE)
    Driver(card).load(ONE, Flags(tap=True, source_port_base=0xC000, source_port_mask=0x3FFF))
    words = card.active_words()
    assert (words[3, 0], words[3, 1]) == (1, 0x3FFFC000)
    assert words[3, 16].to_bytes(4, "little") == bytes.fromhex(ENI_0.replace(":", ""))[:4]


def test_a_busy_shadow_is_waited_for():
    card = CardInMemory(SHAPE)
    card.busy_polls = 500
    assert Driver(card).load(ONE) == 1


def test_a_shadow_that_stays_busy():
    card = CardInMemory(SHAPE)
    card.busy_polls = 10**9
    with pytest.raises(HalfsilverError, match="shadow tables stay busy"):
        Driver(card).load(ONE)
    assert card.written == []


def test_refused_writes_are_not_committed_and_written_again():
    card = CardInMemory(SHAPE)
    driver = Driver(card)
    driver.load(ONE)
    before = card.active_words()
    card.refuse_after = 7
    with pytest.raises(HalfsilverError, match="refused [0-9]+ table writes; nothing was committed"):
        driver.load(TWO)
    assert (card.generation, card.active_words()) == (1, before)
    card.refuse_after = None
    assert driver.load(TWO) == 2
    assert card.active_words() == loaded_words(TWO)


def test_the_count_of_refusals_wraps():
    card = CardInMemory(SHAPE)
    card.refused = 0xFFFF
    card.refuse_after = 0
    with pytest.raises(HalfsilverError, match="refused [0-9]+ table writes"):
        Driver(card).load(ONE)


def test_a_commit_that_does_not_happen():
    card = CardInMemory(SHAPE)
    driver = Driver(card)
    driver.load(ONE)
    card.deaf = True
    with pytest.raises(HalfsilverError, match="after the commit the NIC shows generation 1, not 2"):
        driver.load(TWO)
    card.deaf = False
    assert driver.load(TWO) == 2
    assert card.active_words() == loaded_words(TWO)


def test_after_a_strangers_commit_everything_is_written():
    card = CardInMemory(SHAPE)
    driver = Driver(card)
    for each in (ONE, ONE, ONE):
        driver.load(each)
    card.banks = [{}, {}]
    card.generation += 2
    driver.load(ONE)
    assert card.active_words() == loaded_words(ONE)


def test_generations_wrap():
    card = CardInMemory(SHAPE)
    card.generation = 0xFFFF
    assert Driver(card).load(ONE) == 0


@pytest.mark.parametrize(
    ("too_much", "resource", "says"),
    [
        (policy(*[interface(address=f"02:00:00:00:00:{n:02x}") for n in range(3)]), "interfaces", "needs 3 network"),
        (policy(interface(*[session(number=n) for n in range(1, 4)])), "sessions", "needs 3 sessions on eni-10"),
        (policy(interface(session([rule(number=n) for n in range(4)]))), "rules", "needs 4 rules in tmf-1"),
    ],
)
def test_a_policy_that_does_not_fit(too_much, resource, says):
    card = CardInMemory(SHAPE)
    with pytest.raises(CapacityExceeded, match=says) as caught:
        Driver(card).load(too_much)
    assert caught.value.resource == resource
    assert card.written == []


# Counters


def test_counters_are_put_where_they_belong():
    """By the map's formulas: direction*16 + verdict, eni*4 + session, ((direction*2 + eni)*4 + session)*16 + rule."""
    card = CardInMemory(SHAPE)
    card.counters = {
        (0, 1 * 16 + 8): (3, 180),
        (0, 0): (1 << 63, (1 << 64) - 1),
        (1, 1 * 4 + 1): (5, 1 << 32),
        (2, ((1 * 2 + 1) * 4 + 1) * 16 + 2): (7, 700),
        (2, 0): (0, 0),
    }
    counters = Driver(card).counters()
    assert counters.verdicts == {
        (Direction.EGRESS, Verdict.NO_MATCH): Tally(3, 180),
        (Direction.INGRESS, Verdict.MIRRORED): Tally(1 << 63, (1 << 64) - 1),
    }
    assert counters.sessions == {(1, 1): Tally(5, 1 << 32)}
    assert counters.rules == {(Direction.EGRESS, 1, 1, 2): Tally(7, 700)}
    assert {name for name, _ in card.written} == {"COUNTER_ADDRESS"}
