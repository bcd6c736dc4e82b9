"""The driver against a card in memory: what it refuses, what it writes, and what is left after a failure."""

import contextlib
import random
import re
from dataclasses import replace

import pytest

from halfsilver.harness.errors import (
    EXIT_BOARD,
    CapacityExceeded,
    HalfsilverError,
    TransferDamaged,
    UsageError,
    WrongCard,
)
from halfsilver.harness.nic.driver import ATTEMPTS, Driver
from halfsilver.harness.nic.image import policy_image
from halfsilver.harness.nic.waiting import wait_while
from halfsilver.harness.policy.policy import Guard
from halfsilver.harness.records import DEFAULT_FLAGS, Flags, Port, Tally
from halfsilver.harness.verdict import Direction, Service, Verdict, VerdictRecord
from halfsilver.hdl.layout.card_registers import Origin
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.registers import REGISTERS
from tests.harness.golden.golden_kit import ENI_0, ENI_1, interface, outer, policy, rule, session
from tests.harness.nic.card_kit import CardInMemory, loaded_words

SHAPE = NicShape(width=32, enis=2, sessions=2, rules=3, lookup_clocks=4)
ONE = policy(interface(session([rule(protocol=6)])))
OTHER = policy(interface(session([rule(protocol=6)], vni=77)))
TWO = policy(interface(session([rule(protocol=17)], number=3), session(number=9)), interface(address=ENI_1))


# Which card


@pytest.mark.parametrize(
    ("registers", "says"),
    [
        ({"ID": 0}, "the ID register reads 0x00000000, not 0x48534d31: no Halfsilver core"),
        ({"ID": 0xFFFFFFFF}, "the ID register reads 0xffffffff"),
        ({"VERSION": 0x00630102}, "the card has gateware 99.1.2; this driver, .* knows major version 0 only"),
        ({"SHAPE": 0x00010018}, "what cannot be: data width must be a power of two .* not 24"),
        ({"QUEUE": 100}, "what cannot be: queue_depth"),
        ({"COPIES": 54}, "what cannot be: cut_copies"),
        ({"RULES": REGISTERS.pack("RULES", rules=3, extension_headers=8, chunk_bits=9, lookup_clocks=4)}, "9 key bits"),
        (
            {
                "RULES": REGISTERS.pack(
                    "RULES", rules=3, extension_headers=8, chunk_bits=SHAPE.chunk_bits, lookup_clocks=4, matchers=2
                )
            },
            "2 match pipelines, where a core of its shape has 1",
        ),
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
    assert names[:2] == ["EXPECTED_CRC", "TABLE_CHECK"]
    assert set(names[2:]) == {"TABLE_ADDRESS", "TABLE_DATA", "COMMIT"}
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
    around = 3  # the CRC, the check, and the commit
    assert around < sizes[2] <= 2 * 2 + around  # VNI and checksum seed or less, each with its address
    assert sizes[4] == around
    assert card.generation == 5


@pytest.mark.parametrize("way", [(ONE, TWO, OTHER), (TWO, TWO, ONE), (TWO, ONE, TWO, OTHER, ONE, TWO)])
def test_by_whatever_way_the_same_tables(way):
    """Nothing of an earlier policy is left that could judge a frame: but for outer headers no session points to."""
    outer = 2
    fresh = {place: word for place, word in loaded_words(SHAPE, way[-1]).items() if place[0] != outer}
    assert {place: word for place, word in loaded_words(SHAPE, *way).items() if place[0] != outer} == fresh
    assert loaded_words(SHAPE, *way).items() >= loaded_words(SHAPE, way[-1]).items()


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


@pytest.mark.parametrize(("seconds", "polls"), [(1.0, 101), (0.15, 201), (0.0001, 10_000)])
def test_a_busy_card_on_a_slow_line_is_given_up_after_half_a_minute(seconds, polls):
    """Ten thousand reads would take minutes there; but if a few take long, it may be this machine that is busy."""
    time, card = [0.0], CardInMemory(SHAPE)

    class Slow:
        def read(self, addresses):
            time[0] += seconds
            return card.read(addresses)

    card.busy_polls = 10**9
    with pytest.raises(HalfsilverError, match="stays busy"):
        wait_while(Slow(), "STATUS", "shadow_busy", "stays busy", now=lambda: time[0])
    assert 10**9 - card.busy_polls == pytest.approx(polls, abs=1)


def test_refused_writes_are_not_committed_and_written_again():
    card = CardInMemory(SHAPE)
    driver = Driver(card)
    driver.load(ONE)
    before = card.active_words()
    card.refuse_after = 7
    with pytest.raises(HalfsilverError, match="refused [0-9]+ of [0-9]+ table writes, 3 times; the rule set before"):
        driver.load(TWO)
    assert (card.generation, card.active_words()) == (1, before)
    card.refuse_after = None
    assert driver.load(TWO) == 2
    assert card.active_words() == loaded_words(SHAPE, TWO)


def test_the_count_of_refusals_wraps():
    card = CardInMemory(SHAPE)
    card.refused = 0xFFFF
    card.refuse_after = 0
    with pytest.raises(HalfsilverError, match="refused [0-9]+ of [0-9]+ table writes"):
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
    assert card.active_words() == loaded_words(SHAPE, TWO)


# A line that damages what is sent

WHERE = {
    name: REGISTERS.address(name) for name in ("EXPECTED_CRC", "TABLE_CHECK", "TABLE_ADDRESS", "TABLE_DATA", "COMMIT")
}
COMMIT = (WHERE["COMMIT"], 1)


def judges_by(card, wanted):
    """Whether the card has every word of a policy in force; places that no policy writes judge nothing."""
    image = policy_image(wanted, DEFAULT_FLAGS, SHAPE)
    return all(card.banks[card.active].get(place, 0) == word for place, word in image.items())


def damaged(pairs, kind, source):
    """The writes with one thing gone wrong, as a line, or a command that was understood in the wrong place, may do."""
    places = [at for at, (address, _) in enumerate(pairs) if address == WHERE["TABLE_DATA"]]
    if not places:
        return [] if kind == "nothing arrives" else pairs
    at = source.choice(places)
    address, value = pairs[at]
    return {
        "a word is lost": pairs[:at] + pairs[at + 1 :],
        "a word comes twice": pairs[: at + 1] + pairs[at:],
        "a word is changed": [*pairs[:at], (address, value ^ 1 << source.randrange(32)), *pairs[at + 1 :]],
        "an address is changed": [*pairs[:at], (WHERE["TABLE_ADDRESS"], source.getrandbits(12)), *pairs[at:]],
        "a word becomes a commit": [*pairs[:at], COMMIT, *pairs[at + 1 :]],
        "a commit slips in": [*pairs[:at], COMMIT, *pairs[at:]],
        "the rest is lost": pairs[:at],
        "the rest becomes a commit": [*pairs[:at], COMMIT],
        "the beginning is lost": pairs[at:],
        "the CRC is changed": [(pairs[0][0], pairs[0][1] ^ 1 << source.randrange(32)), *pairs[1:]],
        "nothing arrives": [],
    }[kind]


KINDS = [
    "a word is lost",
    "a word comes twice",
    "a word is changed",
    "an address is changed",
    "a word becomes a commit",
    "the rest is lost",
    "the rest becomes a commit",
    "the beginning is lost",
    "nothing arrives",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_transfer_is_repeated(kind):
    card, source, left = CardInMemory(SHAPE), random.Random(kind), ATTEMPTS - 1
    driver = Driver(card)
    driver.load(ONE)

    def line(pairs):
        nonlocal left
        assert judges_by(card, ONE)
        if left:
            left -= len(pairs) > 10 or kind == "nothing arrives"
            return damaged(pairs, kind, source)
        return pairs

    card.line = line
    assert driver.load(TWO) == 2
    assert judges_by(card, TWO)
    card.line = list
    assert [driver.load(each) for each in (ONE, OTHER)] == [3, 4]
    assert judges_by(card, OTHER)


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_that_stays_bad_leaves_the_old_rule_set_in_force(kind):
    card, source = CardInMemory(SHAPE), random.Random(kind)
    driver = Driver(card)
    driver.load(ONE)
    old = card.active_words()
    card.line = lambda pairs: damaged(pairs, kind, source)
    with pytest.raises(TransferDamaged, match=f"{ATTEMPTS} times; the rule set before it stays in force") as caught:
        driver.load(TWO)
    assert caught.value.exit_code == EXIT_BOARD == 4
    assert "\n" not in str(caught.value)
    assert (card.generation, card.active_words()) == (1, old)
    card.line = list
    assert driver.load(TWO) == 2
    assert judges_by(card, TWO)


def test_what_arrived_is_compared_before_the_commit():
    card = CardInMemory(SHAPE)
    card.line = lambda pairs: damaged(pairs, "a word is lost", random.Random(1))
    with pytest.raises(
        TransferDamaged, match="of ([0-9]+) table writes ([0-9]+) reached the NIC, with CRC 0x"
    ) as caught:
        Driver(card).load(ONE)
    sent, found = (int(number) for number in re.findall("[0-9]+", str(caught.value))[:2])
    assert found == sent - 1
    assert "COMMIT" not in [name for name, _ in card.written]


def test_the_wrong_bank_by_a_misread_status_is_noticed_and_remembered():
    """What the driver takes for the active bank's words went to the other one, which is written anew as a whole."""
    card = CardInMemory(SHAPE)
    driver, read = Driver(card), card.read
    for _ in range(3):
        driver.load(ONE)
    bank = REGISTERS.pack("STATUS", active_bank=1)
    card.read = lambda addresses: [
        word ^ bank * (address == REGISTERS.address("STATUS"))
        for address, word in zip(addresses, read(addresses), strict=True)
    ]
    with pytest.raises(TransferDamaged):
        driver.load(TWO)
    assert judges_by(card, ONE)
    card.read = read
    driver.load(ONE)
    assert judges_by(card, ONE)


def test_a_commit_that_slips_in_among_the_words_is_refused_by_the_card():
    """All words arrive in spite of it, so nothing needs to be repeated."""
    card = CardInMemory(SHAPE)
    driver = Driver(card)
    driver.load(ONE)
    card.line = lambda pairs: damaged(pairs, "a commit slips in", random.Random(3))
    assert driver.load(TWO) == 2
    assert card.refused == 1
    assert judges_by(card, TWO)


@pytest.mark.parametrize("lost", [1, ATTEMPTS - 1])
def test_a_commit_that_is_lost_is_asked_for_again(lost):
    card = CardInMemory(SHAPE)
    driver, left = Driver(card), lost

    def line(pairs):
        nonlocal left
        if pairs == [COMMIT] and left:
            left -= 1
            return []
        return pairs

    card.line = line
    assert driver.load(ONE) == 1
    assert judges_by(card, ONE)


@pytest.mark.parametrize("seed", range(3))
def test_answers_that_are_misread_never_put_a_wrong_rule_set_in_force(seed):
    """Any answer may have a bit wrong: STATUS too, by which the driver knows what the shadow bank has."""
    card, source = CardInMemory(SHAPE), random.Random(seed)
    driver, read = Driver(card), card.read
    last = None

    def misread(addresses):
        return [word ^ (source.random() < 0.15) << source.randrange(32) for word in read(addresses)]

    for _ in range(12):
        wanted = source.choice([ONE, TWO, OTHER])
        card.read = misread
        with contextlib.suppress(HalfsilverError):
            driver.load(wanted)
        card.read = read
        if judges_by(card, wanted):
            last = wanted
        assert last is None or judges_by(card, last)
    assert last is not None


def test_after_a_strangers_commit_everything_is_written():
    card = CardInMemory(SHAPE)
    driver = Driver(card)
    for each in (ONE, ONE, ONE):
        driver.load(each)
    card.banks = [{}, {}]
    card.generation += 2
    driver.load(ONE)
    assert card.active_words() == loaded_words(SHAPE, ONE)


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
        (
            policy(interface(replace(session(), receivers=(outer(),) * 3))),
            "targets",
            "the policy needs 3 targets to spread the copies of tms-1 over, this build of the NIC has 1",
        ),
    ],
)
def test_a_policy_that_does_not_fit(too_much, resource, says):
    card = CardInMemory(SHAPE)
    with pytest.raises(CapacityExceeded, match=says) as caught:
        Driver(card).load(too_much)
    assert caught.value.resource == resource
    assert card.written == []


def test_a_guard_that_does_not_fit():
    """Neither a card without the option nor one with too few rules takes it; one that has room does."""
    rules = tuple(rule(number=number) for number in range(3))
    guarded = policy(replace(interface(), guard=Guard(rules, rules[:2])))
    for room, says in ((0, "does not apply"), (4, "5 rules of security groups and its network ACL on .*, .* has 4")):
        card = CardInMemory(replace(SHAPE, security_groups=room))
        with pytest.raises(CapacityExceeded, match=says) as caught:
            Driver(card).load(guarded)
        assert caught.value.resource == "guards" and card.written == []
    driver = Driver(CardInMemory(replace(SHAPE, security_groups=5)))
    assert (driver.card.shape.security_groups, driver.load(guarded)) == (5, 1)


def test_receivers_that_a_card_has_room_for():
    spread = policy(interface(replace(session(), receivers=(outer(),) * 3)))
    assert Driver(CardInMemory(replace(SHAPE, receivers=3))).load(spread) == 1
    with pytest.raises(CapacityExceeded, match="needs 3 targets .*, this build of the NIC has 2"):
        Driver(CardInMemory(replace(SHAPE, receivers=2))).load(spread)


# Counters


def test_counters_are_put_where_they_belong():
    """By the map's formulas, with two ENIs; they are those of one snapshot."""
    card = CardInMemory(SHAPE)
    card.snapshot_polls = 3
    card.counters = {
        (0, 1 * 16 + 8): (3, 180),
        (0, 0): (1 << 63, (1 << 64) - 1),
        (1, ((0 * 2 + 1) * 2 + 1) * 4 + 1): (5, 1 << 32),
        (1, ((1 * 2 + 1) * 2 + 0) * 4 + 1): (6, 66),
        (2, ((1 * 2 + 1) * 4 + 1) * 16 + 2): (7, 700),
        (2, 0): (0, 0),
        (3, 0 * 2): (8, 800),
        (3, 3 * 2 + 1): (9, 900),
        (3, 4 * 2): (10, 1000),
    }
    counters = Driver(card).counters()
    assert counters.verdicts == {
        (Direction.EGRESS, Verdict.NO_MATCH): Tally(3, 180),
        (Direction.INGRESS, Verdict.MIRRORED): Tally(1 << 63, (1 << 64) - 1),
    }
    assert counters.sessions == {(Direction.EGRESS, 1, 1): Tally(5, 1 << 32)}
    assert counters.skipped == {(Direction.EGRESS, 0, 1): Tally(6, 66)}
    assert counters.rules == {(Direction.EGRESS, 1, 1, 2): Tally(7, 700)}
    assert counters.ports == {
        (Port.NETWORK_IN, False): Tally(8, 800),
        (Port.HOST_OUT, True): Tally(9, 900),
        (Port.COPIES_OUT, False): Tally(10, 1000),
    }
    assert [name for name, _ in card.written][:2] == ["SNAPSHOT", "COUNTER_ADDRESS"]
    assert {name for name, _ in card.written} == {"SNAPSHOT", "COUNTER_ADDRESS"}


def test_a_snapshot_that_never_becomes_whole():
    card = CardInMemory(SHAPE)
    card.snapshot_polls = 1 << 40
    with pytest.raises(HalfsilverError, match="does not become whole"):
        Driver(card).counters()


# Verdict ring

RECORDS = [
    VerdictRecord(7, Direction.EGRESS, Verdict.MIRRORED, 1500, eni=1, session=1, rule=2, copied=64, generation=3),
    VerdictRecord(8, Direction.EGRESS, Verdict.NO_ENI, 60),
    VerdictRecord(9, Direction.INGRESS, Verdict.NOT_ELIGIBLE, 60, Service.ARP, eni=0, generation=0xFFFF),
]


def test_verdicts_are_read_oldest_first():
    card = CardInMemory(SHAPE)
    driver = Driver(card)
    assert driver.read_verdicts() == []
    card.verdicts = [record.to_bytes() for record in RECORDS]
    assert driver.read_verdicts(2) == RECORDS[:2]
    assert driver.read_verdicts() == RECORDS[2:]


def test_what_the_ring_keeps():
    card = CardInMemory(SHAPE, RING_LOST=12)
    driver = Driver(card)
    driver.select_verdicts()
    driver.select_verdicts(every=1000, session=(1, 1))
    driver.select_verdicts(every=0)
    assert card.written == [("RING_SELECT", 1), ("RING_SELECT", 1 << 24 | 1 << 20 | 1 << 16 | 1000), ("RING_SELECT", 0)]
    assert driver.lost_verdicts() == 12


@pytest.mark.parametrize(("every", "session"), [(-1, None), (65536, None), (1, (2, 0)), (1, (0, 3)), (1, (-1, 0))])
def test_what_the_ring_cannot_keep_is_refused(every, session):
    card = CardInMemory(SHAPE)
    with pytest.raises(UsageError, match="one in|the card has"):
        Driver(card).select_verdicts(every, session)
    assert card.written == []


# A board's card

BOARD = {"CARD_ID": 0x48534331, "CARD_SHAPE": 2, "NET_LINK": 0b11101, "HOST_LINK": 0b00010, "LINE_REFUSED": 3}


def test_ports_and_line_of_a_board():
    card = CardInMemory(SHAPE, **BOARD, NET_RECEIVED_FCS=7, NET_RECEIVED_GOOD=9, HOST_SENT_DISCARDED=1 << 31)
    board = Driver(card).board()
    assert board is not None and card.written == []
    assert board.line == {"framing": 0, "refused": 3, "abandoned": 0}
    net, host = board.ports["net"], board.ports["host"]
    assert (net.up, net.clock, net.megabits, net.full_duplex) == (True, True, 1000, True)
    assert (host.up, host.clock, host.megabits, host.full_duplex) == (False, False, 100, False)
    assert (net.received["good"], net.received["fcs"], sum(net.received.values())) == (9, 7, 16)
    assert net.faults == {"received fcs": 7} and host.faults == {"sent discarded": 1 << 31}


def test_what_a_board_was_made_from():
    hashes = {"GIT_HASH": 0x0691682D, "BUILD_HASH": 0x8C043FDC}
    card = Driver(CardInMemory(SHAPE, **BOARD, **hashes)).card
    assert (card.git, card.build) == ("0691682d", "8c043fdc")
    assert card.detail.startswith("gateware 0.1.0, git 0691682d, build 8c043fdc, 32 bit")
    core = Driver(CardInMemory(SHAPE, **hashes)).card  # no card's ID: those addresses are somebody else's
    assert (core.git, core.build) == ("00000000", "00000000") and "git" not in core.detail


@pytest.mark.parametrize("word", [-1, 1 << 32])
def test_a_hash_is_a_word(word):
    with pytest.raises(ValueError, match="build must be a word of 32 bits"):
        Origin(build=word)


def test_a_card_of_one_port():
    board = Driver(CardInMemory(SHAPE, **BOARD | {"CARD_SHAPE": 1})).board()
    assert board is not None and list(board.ports) == ["net"]


def test_a_core_without_ports_has_no_board():
    assert Driver(CardInMemory(SHAPE)).board() is None


def test_something_else_where_the_boards_registers_should_be():
    with pytest.raises(WrongCard, match="CARD_ID register reads 0x12345678"):
        Driver(CardInMemory(SHAPE, CARD_ID=0x12345678)).board()
