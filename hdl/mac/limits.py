"""Numbers of Ethernet, and the depths and thresholds that follow from them. Octets, unless said otherwise.

Sources: IEEE Std 802.3-2022 clause 3 (frame), 4.2.8 (inter-packet gap), 4.4.2 (parameters and notes), 35.2.3 (GMII
stream). A clock is within 100 ppm of its rate (35.4.1, 40.6.1.2.6), so two differ by 200 ppm at most.
"""

from math import ceil

__all__ = [
    "FCS",
    "GAP",
    "GAP_CREDIT",
    "PREAMBLE",
    "PPM",
    "SHORTEST",
    "SHORTEST_GAP",
    "crossing_words",
    "elastic_octets",
    "receive_crossing_words",
    "start_words",
    "store_words",
]

PREAMBLE = 7
"""Octets 0x55 in front of the start frame delimiter (SFD)."""

FCS = 4

SHORTEST = 60
"""Frame without FCS; shorter ones are padded when they are sent, and runts when they come."""

GAP = 12
"""Between the last octet of a frame and the preamble of the next: 96 bit times."""

SHORTEST_GAP = 8
"""What a receiver must still take at 1 Gb/s: 64 bit times (4.4.2, note 4); at 10 Mb/s it is 47 bit times (note 3)."""

PPM = 200
"""Largest difference of two clocks, in parts per million."""

GAP_CREDIT = 4096
"""Each time so many octets have passed, one gap may be one octet shorter: 244 ppm, which is more than `PPM`."""

assert 1e6 / GAP_CREDIT > PPM, "gaps would not make up for the difference of the clocks"

_CROSSING = 8
"""By so many octets of 1 Gb/s a beat may be later than the one before it, however steadily octets arrive: one clock of
the core (2 octets at 62.5 MHz), one of each side of the two crossings, and the last beat of a received frame, which
waits until its FCS was judged (2)."""


def elastic_octets(longest, ppm=PPM):
    """By how many octets two clocks that differ by ``ppm`` move apart within the longest frame."""
    return ceil((PREAMBLE + 1 + longest + FCS) * ppm / 1_000_000)


def start_words(octets, longest, hesitation, ppm=PPM):
    """Words of ``octets`` that must be there before a frame may start, so that it is not cut by an underrun.

    The sender may be slower by ``ppm``, its beats may be late by the crossings and by ``hesitation`` octets of
    the core's own; the preamble covers its own time.
    """
    owed = elastic_octets(longest, ppm) + _CROSSING + hesitation - (PREAMBLE + 1)
    return 1 + max(0, ceil(owed / octets))


def crossing_words(octets, longest, hesitation, ppm=PPM):
    """Depth of the transmit crossing, a power of two: a frame that waits for its start, and what is under way while
    the writer learns of words that were read (three clocks of each side, of at most two words of the core's)."""
    needed = start_words(octets, longest, hesitation, ppm) + ceil(elastic_octets(longest, ppm) / octets) + 6
    return 1 << (needed - 1).bit_length()


def receive_crossing_words(octets):
    """Depth of the receive crossing, a power of two. The core takes each word as it comes, which the writer sees four
    clocks of the core and five of the wire later: 9 words of one octet, 5 of two, if the core is as fast as the
    wire; 4 wider ones, if it is twice as fast. Three words and one in the output register are never used."""
    return 16 if octets < 4 else 8


def store_words(octets, longest):
    """Least depth of the receive store: one more than the words of the longest frame. Then a frame of which the core
    already took a part always finds room, and one that does not can be taken back whole."""
    return ceil(longest / octets) + 1
