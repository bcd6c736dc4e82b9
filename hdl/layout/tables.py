"""Layouts of the policy tables that the host writes: session words and the general table.

Data only, for the gateware and for the host's image. Every table has two banks; the host writes the shadow
bank, a commit swaps them.
"""

from amaranth.lib import data, enum

__all__ = [
    "GENERAL_ENI_BASE",
    "GENERAL_ENI_STRIDE",
    "GENERAL_FLAGS",
    "GENERAL_SOURCE_PORT",
    "EniHigh",
    "GeneralFlags",
    "SessionWord",
    "SourcePort",
    "Table",
]


class Table(enum.Enum, shape=2):
    """Numbers of the tables in the register TABLE_ADDRESS."""

    LOOKUP = 0
    SESSIONS = 1
    OUTER = 2
    GENERAL = 3


class SessionWord(data.Struct):
    """One session of one ENI; index ``eni * 4 + session``. All zero: no session."""

    limit_ipv4: 14  # longest copy of an IPv4 frame, bytes (packet length, floor and MTU taken together)
    limit_ipv6: 14  # longest copy of an IPv6 frame, bytes
    valid: 1
    up: 1  # the target can be addressed
    amazon_dns: 1  # the filter has the network service
    outer_ipv6: 1  # the copy is carried over IPv6


class GeneralFlags(data.Struct):
    """Word GENERAL_FLAGS of the general table."""

    tap: 1
    terminal_reject: 1


class SourcePort(data.Struct):
    """Word GENERAL_SOURCE_PORT: the outer UDP source port is ``base | (hash & mask)``."""

    base: 16
    mask: 16


class EniHigh(data.Struct):
    """Second word of an ENI: upper MAC bytes and what is valid."""

    mac: 16
    valid: 1
    has_resolver: 1


GENERAL_FLAGS = 0
GENERAL_SOURCE_PORT = 1
GENERAL_ENI_BASE = 16
GENERAL_ENI_STRIDE = 4
"""ENI ``e`` has words BASE + STRIDE * e: + 0 MAC bytes 0-3 (first lowest), + 1 EniHigh, + 2 resolver IPv4."""
