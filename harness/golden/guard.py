"""Step 3: what the security groups and the network ACL of an interface let in (``docs/mirroring.md`` section 14)."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from halfsilver.harness.golden.parse import Headers, Kind
from halfsilver.harness.golden.select import RuleTest
from halfsilver.harness.policy.policy import Guard, Rule

__all__ = ["GuardTest", "Refusal"]


class Refusal(enum.Enum):
    """Which of the two does not let a frame in."""

    GROUPS = "no rule of its security groups lets it in"
    ACL_ENTRY = "an entry of the network ACL denies it"
    ACL = "no entry of the network ACL allows it"


class GuardTest:
    """A guard, ready to be compared with frames."""

    def __init__(self, guard: Guard) -> None:
        self._groups = _tests(guard.groups)
        self._acl = _tests(guard.acl)

    def refusal(self, headers: Headers) -> Refusal | None:
        """Why the frame does not come in; None if it does, as all that is not IP does."""
        if headers.kind not in (Kind.IPV4, Kind.IPV6):
            return None
        if self._acl is not None:
            entry = next((test for test in self._acl if test.mismatch(headers) is None), None)
            if entry is None:
                return Refusal.ACL
            if not entry.accept:
                return Refusal.ACL_ENTRY
        if self._groups is not None and all(test.mismatch(headers) is not None for test in self._groups):
            return Refusal.GROUPS
        return None


def _tests(rules: Sequence[Rule] | None) -> list[RuleTest] | None:
    return None if rules is None else [RuleTest(rule) for rule in rules]
