"""The parser: frame -> Headers, the match key, while the frame streams by.

It stands first in the pipeline, one bank per direction, beside the mirror queue that keeps the copy. Every
header of Ethernet, VLAN, IPv4 and IPv6 (with its extension headers) begins at a byte offset that is 2 modulo 4,
so one small machine that takes four bytes a clock, shifted by two, decides every field at a fixed place
(`word_parser`, in three stages: `view`, `walk`, `fields`). Wider data is dealt frame by frame to as many of them as
fit the width (`bank`, through `feeders`): each has as many clocks for a frame as the frame has words, which is line
rate at any width and any frame size.
"""
