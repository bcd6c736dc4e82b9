"""What every operation is asked with: the request, whose it is, and what the server was started with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from halfsilver.harness.control.operations.quotas import Quotas

__all__ = ["Call", "Caller", "DEFAULT_REGION", "Parameters", "RoleSession", "Settings", "SignIn", "Trail"]

DEFAULT_REGION = "us-east-1"
"""AWS's first region: a server's where nothing names another."""

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RoleSession:
    """A role while somebody has assumed it: its ARN, the session's name, when it began.

    policies    documents, as JSON, that bind the session beside those of the role: it may do what both allow. Empty:
                those of the role alone
    """

    role: str
    name: str
    began: datetime
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is: twelve digits of account, ARN and unique id of the user, name of the user.

    session     with a role's temporary credentials: its session, whose ARN and id the others are, and no user's name
    temporary   with a user's own temporary credentials, which are good for everything but more of them
    """

    account: str
    arn: str
    user_id: str
    user_name: str
    session: RoleSession | None = None
    temporary: bool = False

    @property
    def principal(self) -> str:
        """The ARN of the user, or of the role that is assumed."""
        return self.arn if self.session is None else self.session.role


@dataclass(frozen=True, slots=True)
class SignIn:
    """An attempt to sign in to the console.

    caller  whose access key it was, None where there is no such key
    done    whether the secret was right
    url     what the browser was going to
    """

    caller: Caller | None
    key: str | None
    done: bool
    source_ip: str
    user_agent: str | None
    now: datetime
    url: str


class Trail(Protocol):
    """What has been recorded of requests (``trail.audit_file``)."""

    def newest_first(self, having: Sequence[str] = ()) -> Iterator[Mapping[str, Any]]:
        """The records as CloudTrail writes them, of those that have all these texts somewhere."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server is started with and never changes. Without ``trail`` it records nothing."""

    region: str = DEFAULT_REGION
    partition: str = "aws"
    quotas: Quotas = field(default_factory=Quotas)
    trail: Trail | None = None
    regions: tuple[str, ...] = ()
    """Other regions whose requests are taken."""

    def within(self, region: str) -> Settings:
        """The same as a request of that region sees it; empty: of the server's own."""
        if not region:
            return self
        others = tuple(each for each in self.regions if each != region)
        return replace(self, region=region, regions=(self.region, *others))

    def arn(self, service: str, account: str, resource: str) -> str:
        """``arn:aws:ec2:us-east-1:123456789012:traffic-mirror-filter/tmf-...``"""
        return f"arn:{self.partition}:{service}:{self.region}:{account}:{resource}"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has been authenticated and parsed. ``service`` is botocore's name: ec2, elbv2, ram, sts."""

    service: str
    operation: str
    parameters: Parameters
    caller: Caller
    request_id: str
    source_ip: str
    now: datetime
    secure: bool = False
    """It came over TLS (condition key ``aws:SecureTransport``)."""
    region: str = ""
    """Another region than the server's own, empty for that."""
