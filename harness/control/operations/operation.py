"""What an operation is: the words between the HTTP side, the authorization and the functions that do the work.

An operation is a function ``(context, parameters) -> result`` under the decorator ``operation``. Parameters and
result have the member names and Python types of botocore's shapes (what boto3 takes and gives); a member that the
client did not send is not there, and a member without a value is left out of the result.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from halfsilver.harness.control.operations.quotas import Quotas

__all__ = [
    "Call",
    "Caller",
    "Context",
    "Handler",
    "OPERATIONS",
    "Operation",
    "Parameters",
    "Record",
    "Settings",
    "Transaction",
    "operation",
]

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is: twelve digits of account, ARN and unique id of the user, name of the user."""

    account: str
    arn: str
    user_id: str
    user_name: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server is started with and never changes."""

    region: str = "us-east-1"
    partition: str = "aws"
    quotas: Quotas = field(default_factory=Quotas)

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


@dataclass(slots=True)
class Record:
    """One object of the store.

    kind      "filter", "rule", "target", "session", "interface", "load-balancer", ... (module ``store`` lists them)
    id        AWS's id, or ARN where that is the id; unique over all kinds and accounts
    account   the owner
    document  the object as AWS describes it, without its tags (``Tags``, ``TagSet``) and without what other records say
              (a filter's rules)
    tags      in the order in which they were made
    parent    what it belongs to: the filter of a rule, the source interface of a session; else ""
    slot      unique beside ``kind`` and ``parent`` where not "": the number of a session, direction and number of a
              rule. This is what makes exactly one of two simultaneous requests win.
    note      what AWS's API has no place for, e.g. why a session is stopped
    """

    kind: str
    id: str
    account: str
    document: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    parent: str = ""
    slot: str = ""
    note: dict[str, Any] = field(default_factory=dict)
    serial: int = 0
    """Order of creation, set by the store; paging goes by it."""


class Transaction(Protocol):
    """The store while one operation runs. Nothing is kept unless it commits. ``store`` says more."""

    def get(self, kind: str, identifier: str) -> Record | None: ...

    def find(
        self,
        kind: str | Collection[str],
        *,
        account: str | None = None,
        parent: str | Collection[str] | None = None,
        identifiers: Sequence[str] | None = None,
        where: tuple[str, object] | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Record]:
        """Records in order of creation, of one account (all: None), some parents, some ids, behind a serial.

        ``where`` is a member of the document and its value, such as ("TrafficMirrorTargetId", "tmt-...").
        """

    def count(
        self,
        kind: str,
        *,
        account: str | None = None,
        parent: str | None = None,
        where: tuple[str, object] | None = None,
    ) -> int: ...

    def insert(self, record: Record) -> None:
        """``store.SlotTaken`` and ``store.IdTaken`` say that there is such a record; clients get an ApiError."""

    def update(self, record: Record) -> None:
        """``store.SlotTaken``: another record has the slot."""

    def delete(self, record: Record) -> None: ...

    def generation(self) -> int: ...

    def advance(self) -> int: ...


@dataclass(slots=True)
class Context:
    """What an operation works with."""

    transaction: Transaction
    call: Call
    settings: Settings
    random: random.Random

    @property
    def caller(self) -> Caller:
        return self.call.caller


Handler = Callable[[Context, Parameters], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the API.

    writes    it changes the store: one at a time, over all servers that share the store
    mirrors   it may change what the data plane does: the engine is told before the commit
    """

    service: str
    name: str
    handler: Handler
    writes: bool
    mirrors: bool


OPERATIONS: dict[tuple[str, str], Operation] = {}
"""By service and operation name. ``halfsilver.harness.control.catalogue`` imports all modules that fill it."""


def operation(service: str, name: str, *, writes: bool = False, mirrors: bool = False) -> Callable[[Handler], Handler]:
    """Register a function as an operation."""

    def register(handler: Handler) -> Handler:
        if (service, name) in OPERATIONS:
            raise ValueError(f"{service}:{name} is registered twice")
        OPERATIONS[service, name] = Operation(service, name, handler, writes or mirrors, mirrors)
        return handler

    return register
