"""Etherbone over UDP: loads over a network that loses, doubles and delays, and ways not to find a card."""

import contextlib
import os
import random
import socket

import pytest

from halfsilver.harness.errors import CardUnreachable, RigError, TransferDamaged, WrongCard
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.image import policy_image, table_writes
from halfsilver.harness.nic.transport import READ_ONCE, AnswerLost
from halfsilver.harness.nic.transports.etherbone import answer_words, read_record, write_record
from halfsilver.harness.nic.transports.opening import open_transport
from halfsilver.harness.nic.transports.runs import runs
from halfsilver.harness.nic.transports.udp import TRIES, EtherboneTransport
from halfsilver.harness.records import DEFAULT_FLAGS
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.registers import REGISTERS
from tests.harness.golden.golden_kit import interface, policy, rule, session
from tests.harness.nic.card_kit import CardInMemory, loaded_words
from tests.harness.nic.transports.etherbone_card_kit import EtherboneCard, Lossy, Network, on_udp

SHAPE = NicShape(width=8, enis=1, sessions=1, rules=1, lookup_clocks=8)
ONE = policy(interface(session([rule(protocol=6)])))
OTHER = policy(interface(session([rule(protocol=6)], vni=77)))
COUNT, DATA, ADDRESS = (REGISTERS.address(name) for name in ("TABLE_COUNT", "TABLE_DATA", "TABLE_ADDRESS"))
TABLE = [(ADDRESS, 0x20000003), *((DATA, word) for word in range(300))]


def opened(port, patience=0.2):
    return contextlib.closing(EtherboneTransport("127.0.0.1", port, patience=patience))


def test_a_card_that_answers():
    card = EtherboneCard(CardInMemory(SHAPE))
    with on_udp(card) as port, contextlib.closing(open_transport(f"udp://127.0.0.1:{port}")) as transport:
        driver = Driver(transport)
        assert driver.card.shape == SHAPE
        assert driver.load(ONE) == 1
    assert card.card.active_words() == loaded_words(SHAPE, ONE)
    words = len(table_writes(policy_image(ONE, DEFAULT_FLAGS, SHAPE), {}))
    assert len(card.datagrams) < words / 100


def test_one_datagram_in_ten_is_lost_each_way():
    """And no load is in vain: what is lost is sent again, what only was not answered is not."""
    card, network = EtherboneCard(CardInMemory(SHAPE)), Lossy(random.Random(1), 0.1)
    with on_udp(card, network) as port, opened(port) as transport:
        driver = Driver(transport)
        for generation, each in enumerate((ONE, OTHER, ONE, OTHER), 1):
            assert driver.load(each) == generation
    assert network.lost > 10
    assert card.card.active_words() == loaded_words(SHAPE, ONE, OTHER, ONE, OTHER)
    assert card.card.refused == 0


class AnswersLost(Network):
    """Of datagrams that write table words every answer is lost, and ``requests`` of them before they arrive."""

    def __init__(self, requests=0):
        self.requests, self.writing = requests, False

    def to_card(self, datagram):
        self.writing = len(datagram) > 8 and datagram[10] > 0
        if self.writing and self.requests:
            self.requests -= 1
            return []
        return [datagram]

    def to_host(self, datagram):
        return [] if self.writing else [datagram]


@pytest.mark.parametrize("requests", [0, 1, TRIES - 1])
def test_table_words_are_written_once_whatever_is_lost(requests):
    card = CardInMemory(SHAPE)
    with on_udp(EtherboneCard(card), AnswersLost(requests)) as port, opened(port) as transport:
        transport.write(TABLE)
        assert transport.read([COUNT]) == [300]
    assert card.banks[1] == {(2, 3 + number): number for number in range(300)}


def test_a_datagram_that_comes_twice_costs_a_load_and_no_more():
    """The card counts what it got, so the load is tried again."""
    doubled = []

    class Doubling(Network):
        def to_card(self, datagram):
            if len(datagram) > 1000 and not doubled:
                doubled.append(datagram)
                return [datagram, datagram]
            return [datagram]

    card = EtherboneCard(CardInMemory(SHAPE))
    with on_udp(card, Doubling()) as port, opened(port) as transport:
        assert Driver(transport).load(ONE) == 1
    assert doubled and card.card.active_words() == loaded_words(SHAPE, ONE)


def test_some_of_the_words_of_a_datagram():
    """A card that did half of a datagram and does not answer: nothing that could be written again would be right."""

    class Half(CardInMemory):
        def write(self, pairs):
            super().write(pairs[: len(pairs) // 2])

    refused = pytest.raises(TransferDamaged, match="of 255 table words 127 arrived")
    with on_udp(EtherboneCard(Half(SHAPE)), AnswersLost()) as port, opened(port) as transport, refused:
        transport.write(TABLE[1:256])


def test_answers_that_come_late_or_twice_are_not_taken_for_others():
    held = []

    class Late(Network):
        def to_host(self, datagram):
            if datagram[2] & 3:
                return [datagram]
            held.append(datagram)
            return held[-2:]  # the one before, and this one

    card = CardInMemory(SHAPE, ID=1, VERSION=2)
    with on_udp(EtherboneCard(card), Late()) as port, opened(port) as transport:
        for _ in range(3):
            assert [transport.read([REGISTERS.address(name)])[0] for name in ("ID", "VERSION")] == [1, 2]


def test_an_answer_of_another_form_is_none():
    header = bytes.fromhex("4e6f104400000000")
    good = header + bytes.fromhex("000f0200 00000007 cafe0001 cafe0002")
    assert answer_words(good, 2, 7) == [0xCAFE0001, 0xCAFE0002]
    assert answer_words(good, 2, 8) is None and answer_words(good, 1, 7) is None
    for bad in (good[:-1], good + b"\0", b"\0" + good[1:], header, b"", good.replace(b"\x0f\x02", b"\x0f\x01")):
        assert answer_words(bad, 2, 7) is None


def test_records_are_what_the_protocol_says():
    """Written out, by the table of LiteX's Etherbone."""
    pairs = [(0x20, 1), (0x24, 2), (0x24, 3), (0x24, 4)]
    assert b"".join(map(write_record, runs(pairs))).hex() == (
        "000f0200000000200000000100000002" + "400f0200000000240000000300000004"
    )
    assert read_record([0x44, 0x48], 9).hex() == "000f0002000000090000004400000048"
    for count in (0, 256):
        with pytest.raises(ValueError, match=f"1 to 255 reads, not {count}"):
            read_record([0] * count, 0)


def test_what_is_shown_once_is_asked_for_once():
    class NoAnswers(Network):
        def to_host(self, datagram):
            return [datagram] if datagram[2] & 3 else []

    (place,) = READ_ONCE
    card = EtherboneCard(CardInMemory(SHAPE))
    with on_udp(card, NoAnswers()) as port, opened(port) as transport:
        probes = len(card.datagrams)
        with pytest.raises(AnswerLost):
            transport.read([place - 4, place])
        assert len(card.datagrams) == probes + 1
        with pytest.raises(CardUnreachable, match="no answer"):
            transport.read([place - 4])
        assert len(card.datagrams) == probes + 1 + TRIES


# Ways not to find a card


def refusal(address):
    with pytest.raises(RigError) as caught:
        Driver(open_transport(address))
    assert caught.value.exit_code == 4 and "\n" not in str(caught.value)
    return str(caught.value)


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_nobody_listens():
    port = free_udp_port()
    assert refusal(f"udp://127.0.0.1:{port}").startswith(
        f"127.0.0.1, UDP port {port}: Connection refused: that host is there, and no card: see that"
    )


def test_nobody_answers():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        said = refusal(f"udp://127.0.0.1:{deaf.getsockname()[1]}")
    assert "no answer: see that the card is on, has Etherbone in its bitstream" in said


def test_no_such_host():
    assert "no such host" in refusal("udp://nowhere.invalid")


def test_an_address_that_is_not_allowed():
    assert "255.255.255.255, UDP port 1234: Permission denied: this machine's firewall" in refusal(
        "udp://255.255.255.255"
    )


def test_another_core():
    refused = pytest.raises(WrongCard, match="the ID register reads 0x00000000")
    with on_udp(EtherboneCard(CardInMemory(SHAPE, ID=0))) as port, refused, opened(port) as transport:
        Driver(transport)


def test_a_second_driver_is_refused():
    with on_udp(EtherboneCard(CardInMemory(SHAPE))) as port:
        with opened(port):
            assert f"udp 127.0.0.1 {port} is in use by" in (said := refusal(f"udp://127.0.0.1:{port}"))
            assert f"(process {os.getpid()})" in said
        with opened(port) as transport:
            Driver(transport)


def test_a_card_that_goes_in_a_load():
    class Going(Network):
        def __init__(self):
            self.left = 12

        def to_card(self, datagram):
            self.left -= 1
            return [datagram] if self.left > 0 else []

    card = CardInMemory(SHAPE)
    with on_udp(EtherboneCard(card), Going()) as port, opened(port) as transport:
        driver = Driver(transport)
        with pytest.raises(CardUnreachable, match="no answer: .*; the rule set before it stays in force") as caught:
            driver.load(ONE)
        assert "\n" not in str(caught.value)
    assert card.generation == 0
