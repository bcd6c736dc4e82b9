"""Step 6: the flow hash that spreads copies over UDP source ports (``docs/mirroring.md`` section 7).

Toeplitz as in Microsoft's receive-side scaling: input is source address, destination address, source port,
destination port. With the key 0x6d5a repeated, the hash is the same for both directions of a flow.
"""

from __future__ import annotations

from functools import lru_cache

from halfsilver.harness.golden.parse import Headers, Kind

__all__ = ["SYMMETRIC_KEY", "Toeplitz", "flow_hash"]

SYMMETRIC_KEY = bytes.fromhex("6d5a") * 20

_WINDOW_BITS = 32
_LONGEST_INPUT = 36
_FLOWS_KEPT = 1 << 16
_ADDRESS_BYTES = {Kind.IPV4: 4, Kind.IPV6: 16}


class Toeplitz:
    """Toeplitz hash, 32 bits, of up to 36 bytes. ``key`` is at least 40 bytes: ValueError if shorter.

    The hashes of the last ``_FLOWS_KEPT`` flows are kept: a capture has far more frames than flows.
    """

    def __init__(self, key: bytes = SYMMETRIC_KEY) -> None:
        if len(key) < _LONGEST_INPUT + _WINDOW_BITS // 8:
            raise ValueError(f"a Toeplitz key is at least 40 bytes, not {len(key)}")
        key_bits = len(key) * 8
        number = int.from_bytes(key, "big")
        # windows[i]: the 32 bits of the key that begin at its bit i, counted from the left.
        self._windows = [number >> (key_bits - _WINDOW_BITS - i) & 0xFFFFFFFF for i in range(_LONGEST_INPUT * 8)]
        self.hash = lru_cache(_FLOWS_KEPT)(self._hash)

    def _hash(self, data: bytes) -> int:
        """XOR of the key's windows at those bit positions where ``data`` has a 1."""
        result = 0
        bits = f"{int.from_bytes(data, 'big'):0{len(data) * 8}b}"
        for bit, window in zip(bits, self._windows, strict=False):
            if bit == "1":
                result ^= window
        return result


def flow_hash(toeplitz: Toeplitz, headers: Headers) -> int:
    """Hash of the flow an IP frame belongs to, 32 bits: Toeplitz, then XOR the protocol (0 if there is none).

    Ports are 0 for a frame without ports and for every fragment; an ICMP echo has its identifier as source port and
    0 as destination port.
    """
    ports = (0, 0)
    if not headers.fragment:
        if headers.ports is not None:
            ports = headers.ports
        elif headers.echo is not None:
            ports = (headers.echo, 0)
    size = _ADDRESS_BYTES[headers.kind]
    data = (
        headers.source.to_bytes(size, "big")
        + headers.destination.to_bytes(size, "big")
        + ports[0].to_bytes(2, "big")
        + ports[1].to_bytes(2, "big")
    )
    return toeplitz.hash(data) ^ (headers.protocol or 0)
