"""EC2's request throttling, to rehearse how a client backs off: a bucket of tokens for each account and action.

Every request takes a token; a bucket without any refuses, and is refilled at a steady rate up to its size. Source: EC2
developer guide, "Request throttling for the Amazon EC2 API": the sizes and rates of its table, for the actions served
here. AWS publishes no such table for the other services; they are not throttled.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from halfsilver.harness.control.operations.call import Call
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["Rate", "Throttle", "rate_of"]


@dataclass(frozen=True, slots=True)
class Rate:
    """size  tokens of a full bucket
    refill  tokens per second
    """

    size: float
    refill: float


_READING = Rate(100, 20)
_READING_EVERYTHING = Rate(50, 10)
_CHANGING = Rate(50, 5)
_TAGGING = Rate(100, 10)
_LARGE = ("DescribeInstances", "DescribeNetworkInterfaces", "DescribeSecurityGroups")
"""Those that have a smaller bucket without a filter and without a page size."""


def rate_of(call: Call) -> Rate:
    """The bucket that a request of EC2 takes its token from."""
    if call.operation in ("CreateTags", "DeleteTags"):
        return _TAGGING
    if not call.operation.startswith(("Describe", "Get", "List", "Search")):
        return _CHANGING
    narrowed = any(call.parameters.get(name) for name in ("Filters", "MaxResults"))
    return _READING_EVERYTHING if call.operation in _LARGE and not narrowed else _READING


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Throttle:
    """Threads may share it.

    factor  how much larger buckets and rates are than EC2's; a small one makes it easy to meet the limit
    clock   seconds
    """

    def __init__(self, factor: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._factor = factor
        self._clock = clock
        self._buckets: dict[tuple[str, str, Rate], _Bucket] = {}
        self._lock = threading.Lock()

    def take(self, call: Call) -> None:
        """A token for this request; RequestLimitExceeded if there is none."""
        if call.service != "ec2":
            return
        rate = rate_of(call)
        size, refill = max(1.0, rate.size * self._factor), rate.refill * self._factor
        now = self._clock()
        with self._lock:
            bucket = self._buckets.setdefault((call.caller.account, call.operation, rate), _Bucket(size, now))
            bucket.tokens = min(size, bucket.tokens + (now - bucket.filled_at) * refill)
            bucket.filled_at = now
            if bucket.tokens < 1:
                raise ApiError("RequestLimitExceeded", "Request limit exceeded.", 503)
            bucket.tokens -= 1
