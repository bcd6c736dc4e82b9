"""Serial ports and what may be behind them: found out before any work, told in one line, and never a silent 0."""

import contextlib
import os
import random
import tempfile
import time

import pytest

from halfsilver.harness.errors import CardUnreachable, RigError, TransferDamaged, UsageError, WrongCard
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.transport import READ_ONCE, AnswerLost
from halfsilver.harness.nic.transports.opening import open_serial, open_transport
from halfsilver.harness.nic.transports.uartbone import TRIES, UartboneTransport
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.registers import REGISTERS
from tests.harness.golden.golden_kit import interface, policy, rule, session
from tests.harness.nic.card_kit import CardInMemory, loaded_words
from tests.harness.nic.transports.boards_kit import Saying, Silent, Uartbone, on_port_server, on_tcp, on_terminal

SHAPE = NicShape(width=8, enis=1, sessions=1, rules=1, lookup_clocks=8)
ONE = policy(interface(session([rule(protocol=6)])))
OTHER = policy(interface(session([rule(protocol=17)], vni=77)))
BAUD = 3_000_000
PATIENCE = 0.3


def opened(url, baud=BAUD, patience=2.0):
    return contextlib.closing(open_serial(url, baud, patience=patience))


def refusal(url, baud=BAUD):
    """What is said of a port, in one line and in time, with exit code 4."""
    begin = time.monotonic()
    with pytest.raises(RigError) as caught, opened(url, baud, PATIENCE) as transport:
        Driver(transport)
    assert time.monotonic() - begin < 20
    assert caught.value.exit_code == 4 and "\n" not in str(caught.value)
    assert url.removeprefix("rfc2217://") in str(caught.value) or isinstance(caught.value, WrongCard)
    return str(caught.value)


# What is there


def test_a_card_behind_a_terminal():
    card = CardInMemory(SHAPE)
    with on_terminal(Uartbone(card)) as path, opened(path) as transport:
        assert Driver(transport).load(ONE) == 1
    assert card.active_words()


def test_nothing_answers():
    with on_terminal(Silent()) as path:
        assert "at 3,000,000 baud: nothing answers: see that the board has power" in refusal(path)


def test_another_core_answers():
    with on_terminal(Uartbone(CardInMemory(SHAPE, ID=0x4C495445))) as path:
        assert "the ID register reads 0x4c495445, not 0x48534d31: no Halfsilver core" in refusal(path)


def test_a_board_that_reads_0_is_no_card():
    """As LiteX's client says of a dead board: here somebody did answer."""
    with on_terminal(Uartbone(CardInMemory(SHAPE, ID=0))) as path:
        assert "the ID register reads 0x00000000" in refusal(path)


def test_a_loop():
    with on_terminal(Saying(bytes)) as path:
        assert "sends back what it is sent" in refusal(path)


@pytest.mark.parametrize("says", [lambda octets: os.urandom(4), lambda octets: b"?\r\n"])
def test_what_answers_is_no_card(says):
    with on_terminal(Saying(says)) as path:
        assert "what answers are no words" in refusal(path)


def test_what_speaks_unasked():
    with on_terminal(Silent(), babble=b"[ 1.2] eth0 up\r\n") as path:
        said = refusal(path)
    assert "speaks without being asked" in said and "eth0 up" in said


def test_no_port():
    assert refusal("/dev/ttyUSB77") == (
        "there is no serial port /dev/ttyUSB77: `halfsilver list` shows those there are"
    )


def test_no_serial_port(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be opened as a serial port" in refusal(str(tmp_path / "file"))


@contextlib.contextmanager
def nobody_special():
    """Root may open everything."""
    if os.geteuid():
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@pytest.mark.parametrize(("mode", "says"), [(0o060, "become a member of its group, "), (0o000, "only its owner, ")])
def test_no_permission(mode, says):
    with tempfile.NamedTemporaryFile() as file:
        os.chmod(file.name, mode)
        with nobody_special():
            assert f"{file.name} may not be opened by this user: {says}" in refusal(file.name)


@pytest.mark.parametrize(
    ("address", "baud", "says"),
    [
        ("/dev/null", 0, "0 baud: must be at least 1"),
        ("socket://nowhere", BAUD, "socket://nowhere"),
        ("telepathy://card", BAUD, "protocol 'telepathy' not known"),
        ("udp://", BAUD, "must be udp://HOST"),
        ("udp://card/path", BAUD, "must be udp://HOST"),
        ("udp://card:99999", BAUD, "Port out of range"),
    ],
)
def test_addresses_that_cannot_be(address, baud, says):
    with pytest.raises((UsageError, CardUnreachable), match=says):
        open_transport(address, baud)


# What becomes of answers


def test_an_answer_that_is_cut_is_asked_for_again():
    cuts = []

    def spoil(answer):
        cuts.append(len(answer))
        return answer[:-1] if len(cuts) in (3, 4) else answer

    with on_terminal(Uartbone(CardInMemory(SHAPE), spoil)) as path, opened(path, patience=PATIENCE) as transport:
        assert Driver(transport).card.shape == SHAPE
    assert len(cuts) > 4


def test_bytes_that_nobody_asked_for_are_no_answer():
    """Two too many behind an answer do not become part of the next."""
    board = Uartbone(CardInMemory(SHAPE), lambda answer: answer + b"\xff\xff")
    with on_terminal(board) as path, opened(path) as transport:
        assert Driver(transport).card.shape == SHAPE


def test_answers_that_never_are_whole():
    answers = []

    def spoil(answer):
        answers.append(answer)
        return answer if len(answers) < 3 else answer[:2]

    board = Uartbone(CardInMemory(SHAPE), spoil)
    refused = pytest.raises(CardUnreachable, match=f"{TRIES} times .2 of 4 bytes came in time.")
    with on_terminal(board) as path, opened(path, patience=PATIENCE) as transport, refused:
        for _ in range(5):
            transport.read([0])


@pytest.mark.parametrize("seed", range(4))
def test_answers_that_are_changed_on_their_way(seed):
    """Uartbone has no check of its own. Whatever is read, no card judges by what nobody loaded."""
    source = random.Random(seed)

    def spoil(answer):
        place, change = source.randrange(len(answer)), source.choice([0, 0, 0, 1 << source.randrange(8)])
        return answer[:place] + bytes([answer[place] ^ change]) + answer[place + 1 :]

    card = CardInMemory(SHAPE)
    Driver(card).load(ONE)
    with on_terminal(Uartbone(card, spoil)) as path, contextlib.suppress(RigError), opened(path) as transport:
        Driver(transport).load(OTHER)
    assert card.active_words() in (loaded_words(SHAPE, ONE), loaded_words(SHAPE, ONE, OTHER))


@pytest.mark.parametrize("times", [1, 1000])
def test_a_bit_of_the_shape_is_wrong(times):
    """Tables of another shape could arrive whole at this card, and be committed."""
    spoilt = []

    def spoil(answer):
        if len(answer) < 20 or len(spoilt) == times:
            return answer
        spoilt.append(answer)
        return answer[:9] + bytes([answer[9] ^ 2 * (len(spoilt) % 2)]) + answer[10:]

    with on_terminal(Uartbone(CardInMemory(SHAPE), spoil)) as path, opened(path) as transport:
        if times == 1:
            assert Driver(transport).card.shape == SHAPE
        else:
            with pytest.raises(TransferDamaged, match="never the same twice"):
                Driver(transport)
    assert spoilt


class Counting:
    """A line that says nothing, and counts what it was asked."""

    name = "a line"

    def __init__(self):
        self.asked = self.settled = 0

    def ask(self, octets, count):
        self.asked += 1
        return b""

    def settle(self):
        self.settled += 1


def test_what_is_shown_once_is_asked_for_once():
    """Asked for again, the verdict ring would show the next one, and one would be missing without a word."""
    (place,) = READ_ONCE
    for addresses, tries in (([place - 4, place], 1), ([place - 8, place - 4], TRIES)):
        line = Counting()
        with pytest.raises(AnswerLost if tries == 1 else CardUnreachable):
            UartboneTransport(line).read(addresses)
        assert (line.asked, line.settled) == (tries, tries)
    assert issubclass(AnswerLost, TransferDamaged)


# Over TCP


def test_a_card_behind_a_socket():
    card = CardInMemory(SHAPE)
    with on_tcp(Uartbone(card)) as place, opened(f"socket://{place}") as transport:
        assert Driver(transport).load(ONE) == 1
        with pytest.raises(CardUnreachable, match=f"in use by .* .process {os.getpid()}."):
            open_serial(f"socket://{place}", BAUD)
    assert card.active_words()


def test_a_socket_that_is_closed_in_a_load():
    card = CardInMemory(SHAPE)
    with on_tcp(Uartbone(card), leave_after=9000) as place, opened(f"socket://{place}") as transport:
        driver = Driver(transport)
        with pytest.raises(CardUnreachable, match="went away .*; the rule set before it stays in force"):
            driver.load(ONE)
    assert card.generation == 0


def test_nobody_listens():
    with on_tcp(Silent()) as place:
        pass
    assert "cannot be opened" in refusal(f"socket://{place}") and "refused" in refusal(f"socket://{place}")


def test_nothing_answers_behind_a_socket():
    """Which rate it has is not ours to try."""
    with on_tcp(Silent()) as place:
        assert refusal(f"socket://{place}").startswith(f"socket://{place}: nothing answers")


def test_a_card_behind_a_port_server():
    """The rate is set there (RFC 2217), and bytes that mean something to telnet are quoted."""
    card = CardInMemory(SHAPE)
    with (
        on_terminal(Uartbone(card)) as device,
        on_port_server(device) as place,
        opened(f"rfc2217://{place}") as transport,
    ):
        assert Driver(transport).card.shape == SHAPE
        transport.write([(REGISTERS.address("EXPECTED_CRC"), 0xFFFF00FF)])
        assert Driver(transport).load(ONE) == 1
    assert ("EXPECTED_CRC", 0xFFFF00FF) in card.written and card.active_words()
