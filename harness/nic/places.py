"""Where things of a policy stand in the tables, and how the tables hold bytes."""

from __future__ import annotations

from collections.abc import Iterator

from halfsilver.harness.policy.policy import Policy, Session

__all__ = ["policy_sessions", "wire_number"]


def policy_sessions(policy: Policy) -> Iterator[tuple[int, int, Session]]:
    """Every session with its ENI's place and its own at that ENI."""
    for eni, interface in enumerate(policy.interfaces):
        for number, session in enumerate(interface.sessions):
            yield eni, number, session


def wire_number(octets: bytes) -> int:
    """Bytes as the tables hold them: the first on the wire lowest."""
    return int.from_bytes(octets, "little")
