"""The parser: frame -> Headers, the match key, while the frame streams by.

It stands first in the pipeline, one bank per direction, beside the mirror queue that keeps the copy. Every
header of Ethernet, VLAN, IPv4 and IPv6 (with its extension headers) begins at a byte offset that is 2 modulo 4,
and none but a tag is shorter than eight bytes. So one small machine takes eight bytes a clock, shifted by two, meets
the beginning of one header at most, and never has to wait (`word_parser`, in three stages: `view`, `walk`, and the
putting away). Up to 64 bits it reads at line rate whatever the headers are; of wider beats several of them read one in
turn (`turns`), at line rate as well.
"""
