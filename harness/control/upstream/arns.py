"""ARNs of load balancers. moto writes ``loadbalancer/app/NAME/ID`` for all, AWS ``net`` and ``gwy`` for two types.

Types are learnt from DescribeLoadBalancers. To clients, an ARN has the kind of the load balancer's type; in a request
that goes to the look-alike, the kind that is written there. ARNs of listeners and rules have the same part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["BalancerArns"]

_KINDS = {"application": "app", "network": "net", "gateway": "gwy"}
_ARN = re.compile(
    rb"(arn(?P<c>:|%3A)[\w-]+(?P=c)elasticloadbalancing(?P=c)[\w-]+(?P=c)[0-9]{12}(?P=c)"
    rb"(?:loadbalancer|listener|listener-rule)(?P<s>/|%2F))(?P<kind>app|net|gwy)(?P<rest>(?P=s)[\w-]{1,64}(?P=s)\w{1,64})",
    re.ASCII,
)
"""As it is, and percent-encoded as in a form."""


@dataclass(frozen=True)
class BalancerArns:
    """Those of one look-alike. ``_right``: the kind that each load balancer is of; ``_written``: what is written there.

    A load balancer that is gone keeps its name here, so that requests about it still lead to the right refusal.
    """

    _right: dict[bytes, bytes] = field(default_factory=dict)
    _written: dict[bytes, bytes] = field(default_factory=dict)

    def learn(self, balancers: Iterable[Mapping[str, Any]]) -> None:
        """From load balancers as the look-alike describes them."""
        for each in balancers:
            found = _ARN.fullmatch(each.get("LoadBalancerArn", "").encode())
            if found is not None and each.get("Type") in _KINDS:
                key = _key(found)
                self._right[key] = _KINDS[each["Type"]].encode()
                self._written[key] = found["kind"]

    def to_clients(self, text: bytes) -> bytes:
        return _exchange(text, self._right)

    def to_upstream(self, text: bytes) -> bytes:
        return _exchange(text, self._written)


def _key(found: re.Match[bytes]) -> bytes:
    """Account, region, name and id: what the ARNs of a load balancer and its listeners have in common."""
    prefix = found[1].replace(b"%3A", b":").rpartition(b":")[0]
    return prefix + found["rest"].replace(b"%2F", b"/")


def _exchange(text: bytes, kinds: Mapping[bytes, bytes]) -> bytes:
    """``text`` with the kinds that are known; no ARN gets longer or shorter by that."""
    return _ARN.sub(lambda found: found[1] + kinds.get(_key(found), found["kind"]) + found["rest"], text)
