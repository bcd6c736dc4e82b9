"""What a board's ports tell of themselves: how fast a link is, and what became of frames on the wire."""

from enum import IntEnum

__all__ = ["COUNT_BITS", "ReceivedCode", "SentCode", "SpeedCode"]

COUNT_BITS = 32
"""Of every counter of frames; it stays at its highest value."""


class SpeedCode(IntEnum):
    """Coded as in RGMII's in-band status (RGMII 2.0, table 4)."""

    M10 = 0
    M100 = 1
    M1000 = 2


class ReceivedCode(IntEnum):
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


class SentCode(IntEnum):
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
