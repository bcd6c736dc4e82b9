"""How many of each: the quotas of the Traffic Mirroring guide, and of tags."""

from __future__ import annotations

from dataclasses import dataclass, fields

from halfsilver.harness.policy.types import MAX_RULES, MAX_SESSIONS

__all__ = ["Quotas"]


MOST = 1_000_000
"""What a quota can be; as good as none."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """Defaults as documented (guide, "Quotas and considerations"); each can be set when the server starts."""

    sessions_per_interface: int = MAX_SESSIONS
    rules_per_filter: int = MAX_RULES
    sessions: int = 10_000
    targets: int = 10_000
    filters: int = 10_000
    sources_per_interface_target: int = 10
    sessions_per_target: int = MOST
    """AWS has an error for one too many, and no number: none, where none is asked for."""
    tags_per_resource: int = 50

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not 1 <= value <= MOST:
                raise ValueError(f"{each.name} must be 1 to {MOST:,}, not {value}")
