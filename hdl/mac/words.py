"""What travels inside the MAC: GMII octets, words of frames, and what became of a frame."""

from amaranth.hdl import unsigned
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

__all__ = [
    "COUNT_BITS",
    "GmiiSignature",
    "Received",
    "RgmiiSignature",
    "Sent",
    "Speed",
    "Status",
    "counts_of",
    "received_word",
    "sent_word",
]

COUNT_BITS = 32
"""Of every counter of frames."""


class Speed(enum.Enum, shape=unsigned(2)):
    """Coded as in RGMII's in-band status (RGMII 2.0, table 4)."""

    M10 = 0
    M100 = 1
    M1000 = 2


class Received(enum.Enum, shape=unsigned(3)):
    """What became of a received frame; each is counted once, by the first that is true in the order given.

    GIANT      longer than the longest frame: its first octets are passed, marked bad, and the rest is not
    PREAMBLE   an octet that is neither preamble nor SFD in front: passed marked bad, or, if there is no SFD within
               8 octets, not at all
    SYMBOL     RX_ER within the frame: passed marked bad
    RUNT       shorter than 64 octets with FCS: passed marked bad; if there is nothing in front of the FCS, not at all
    FCS        passed marked bad
    OVERFLOW   the store was full: dropped whole
    STALL      the receive clock stopped within the frame: what was passed is ended marked bad, the rest is not passed
    GOOD       passed
    """

    GOOD = 0
    PREAMBLE = 1
    SYMBOL = 2
    RUNT = 3
    GIANT = 4
    FCS = 5
    OVERFLOW = 6
    STALL = 7


class Sent(enum.Enum, shape=unsigned(2)):
    """What became of a frame that was to be sent.

    GOOD       sent
    MARKED     came marked bad: sent with inverted FCS
    UNDERRUN   its beats came too late: ended with inverted FCS and TX_ER, the rest dropped
    DISCARDED  there was no link when it should have started: dropped
    """

    GOOD = 0
    MARKED = 1
    UNDERRUN = 2
    DISCARDED = 3


Status = data.StructLayout({"link": 1, "speed": Speed, "duplex": 1})
"""State of a link; ``duplex`` 1 is full. The MAC does not do half duplex: it only tells."""


def counts_of(outcome):
    """A counter for each member of `Received` or `Sent`, by its name in small letters."""
    return data.StructLayout({member.name.lower(): COUNT_BITS for member in outcome})


def received_word(width):
    """Octets in front of the FCS, first one lowest. ``outcome`` counts with ``last``; a word of no octets only tells
    the outcome of a frame of which nothing is passed."""
    return data.StructLayout({"data": width, "count": range(width // 8 + 1), "last": 1, "outcome": Received})


def sent_word(width):
    """A beat of a packet in as few bits as possible: ``tail`` is the count of the last word, less one."""
    return data.StructLayout({"data": width, "tail": range(width // 8), "last": 1, "bad": 1})


class GmiiSignature(wiring.Signature):
    """Octets of GMII (IEEE 802.3 clause 35), seen from who sends them; ``en`` is high in the clock of a new octet."""

    def __init__(self):
        super().__init__({"en": Out(1), "data": Out(8), "valid": Out(1), "error": Out(1)})


class RgmiiSignature(wiring.Signature):
    """The pins, behind plain buffers, seen from the MAC (Reduced Gigabit Media Independent Interface, version 2.0)."""

    def __init__(self):
        super().__init__(
            {"rx_clk": In(1), "rx_ctl": In(1), "rx_data": In(4), "tx_clk": Out(1), "tx_ctl": Out(1), "tx_data": Out(4)}
        )
