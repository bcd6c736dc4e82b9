"""The driver's own Etherbone client against the gateware's server: frames in a simulation, tables in memory."""

import contextlib
import random

from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.transports.udp import EtherboneTransport
from halfsilver.hdl.layout.parameters import NicShape
from tests.harness.golden.golden_kit import interface, policy, rule, session
from tests.harness.nic.card_kit import CardInMemory
from tests.harness.nic.transports.etherbone_card_kit import Lossy, on_udp
from tests.hdl.bus.etherbone_kit import EtherboneBench, datagram, payload_of

SHAPE = NicShape(width=8, enis=1, sessions=1, rules=1, lookup_clocks=8)
ONE = policy(interface(session([rule(protocol=6)])))


class Gateware(EtherboneBench):
    """Datagrams through the server, to the registers of a card in memory."""

    def __init__(self, card):
        super().__init__(64, random.Random(1))
        self.card = card

    def told(self, payload):
        answers = self.exchange(datagram(payload))
        assert len(answers) <= 1
        return payload_of(answers[0]) if answers else None

    def wrote(self, address, word):
        self.card.write([(address, word)])

    def value(self, address):
        return self.card.read([address])[0]


def test_the_driver_loads_through_the_server():
    """A whole load, while a datagram in ten is lost each way."""
    card, expected = CardInMemory(SHAPE), CardInMemory(SHAPE)
    network = Lossy(random.Random(2), 0.1)
    with (
        on_udp(Gateware(card), network) as port,
        contextlib.closing(EtherboneTransport("127.0.0.1", port, patience=2.0)) as transport,
    ):
        driver, direct = Driver(transport), Driver(expected)
        assert driver.card == direct.card
        assert driver.load(ONE) == direct.load(ONE) == 1
    assert card.active_words() == expected.active_words()
    assert network.lost
    assert card.refused == 0
