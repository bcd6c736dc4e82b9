"""MAC addresses for frames that were captured without Ethernet header, by their IP addresses.

``harness/capture/link.py`` puts MADE_UP_MAC where no interface of a policy has the address. Before there is a policy, a
stand-in for each address tells the stations apart; when there is one, its interfaces get their frames by address.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

from halfsilver.harness.capture.link import MADE_UP_MAC, ip_addresses

__all__ = ["is_stand_in", "with_policy", "with_stand_ins"]

_PREFIXES = {4: b"\x02\x04", 16: b"\x02\x06"}
"""How a stand-in begins, by the bytes of the address: locally administered."""


def with_stand_ins(frame: bytes) -> bytes:
    """The frame, with a stand-in for each MADE_UP_MAC; any other frame as it is."""
    return _named(frame, lambda address: None)


def with_policy(frame: bytes, stations: Mapping[bytes, bytes]) -> bytes:
    """A frame of ``with_stand_ins`` as a run with the policy has it: ``stations`` gives MACs by address."""
    if not (is_stand_in(frame[0:6]) or is_stand_in(frame[6:12])):
        return frame
    return _named(frame, stations.get, everywhere=True)


def is_stand_in(mac: bytes) -> bool:
    """Whether it is one; a station of a capture could have it only by chance."""
    return mac[0:2] in _PREFIXES.values()


def _named(frame: bytes, known: Callable[[bytes], bytes | None], everywhere: bool = False) -> bytes:
    """The frame with the MAC that is known of each address, else a stand-in; ``everywhere``: of a station's too."""
    if not everywhere and MADE_UP_MAC not in (frame[0:6], frame[6:12]):
        return frame
    macs = [frame[0:6], frame[6:12]]
    source, destination = ip_addresses(int.from_bytes(frame[12:14]), frame[14:])
    for place, address in enumerate((destination, source)):
        named = known(address)
        if named is not None and not macs[place][0] & 1:
            macs[place] = named
        elif macs[place] == MADE_UP_MAC and len(address) in _PREFIXES:
            macs[place] = _PREFIXES[len(address)] + (address if len(address) == 4 else zlib.crc32(address).to_bytes(4))
    return macs[0] + macs[1] + frame[12:]
