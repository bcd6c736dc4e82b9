"""The encapsulator: puts Ethernet, IPv4 or IPv6, UDP and VXLAN in front of each copy.

Stands between the mirror queue, which sends copied bytes and one ``CopyDescriptor`` per copy, and the egress.
The packet is that of ``docs/mirroring.md`` section 7. What is constant per session (addresses, VNI, checksum
seed) comes from a template memory that the host fills; ``OuterHeader`` completes the next header while
``Encapsulator`` still sends the copy before it.
"""
