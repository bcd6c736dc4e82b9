"""What travels inside the MAC: GMII octets, words of frames, and what became of a frame."""

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.ports import COUNT_BITS, ReceivedCode, SentCode, SpeedCode
from halfsilver.hdl.structs import enum_of

__all__ = [
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

Speed = enum_of(SpeedCode, 2)
Received = enum_of(ReceivedCode, 3)
Sent = enum_of(SentCode, 2)

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
