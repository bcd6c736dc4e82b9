"""What an operation is: the word between the HTTP side, the authorization and the functions that do the work.

An operation is a function ``(context, parameters) -> result`` under the decorator ``operation``. Parameters and
result have the member names and Python types of botocore's shapes (what boto3 takes and gives); a member that the
client did not send is not there, and a member without a value is left out of the result.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from halfsilver.harness.control.operations.call import Call, Caller, Parameters, Settings
from halfsilver.harness.control.operations.resources import Resource
from halfsilver.harness.control.state.store import Transaction

__all__ = ["OPERATIONS", "Assumed", "Context", "Handler", "Operation", "Roles", "operation"]


@dataclass(frozen=True, slots=True)
class Assumed:
    """Who somebody is with temporary credentials, and what they sign with until when."""

    caller: Caller
    key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires: datetime


class Roles(Protocol):
    """Who knows all users and roles, and gives out temporary credentials (``iam.assuming.RoleKeeper``)."""

    def assume(
        self,
        context: Context,
        arn: str,
        name: str,
        known: Mapping[str, tuple[str, ...]],
        lasting: timedelta | None,
        policies: tuple[str, ...],
    ) -> Assumed:
        """A session of that name, bound by those policies too; ApiError where the caller may not, or not for so long.

        ``known`` are condition keys of the request.
        """

    def session(self, context: Context, lasting: timedelta) -> Assumed:
        """Temporary credentials of the caller's own; ApiError for who has only temporary ones."""

    def described(self, account: str) -> dict[str, list[dict[str, Any]]]:
        """The users, groups, roles, policies and keys' ids of an account, as IAM's lists have them."""


@dataclass(slots=True)
class Context:
    """What an operation works with. Nothing that it writes is kept unless the transaction commits."""

    transaction: Transaction
    call: Call
    settings: Settings
    random: random.Random
    roles: Roles | None = None
    """None: there are none."""

    @property
    def caller(self) -> Caller:
        return self.call.caller


Handler = Callable[[Context, Parameters], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the API.

    writes    it changes the store: one at a time, over all servers that share the store
    mirrors   it may change what the data plane does: the engine is told before the commit
    on        the resources that IAM's policies are asked about; none: they allow it on ``*``
    """

    service: str
    name: str
    handler: Handler
    writes: bool
    mirrors: bool
    on: tuple[Resource, ...]


OPERATIONS: dict[tuple[str, str], Operation] = {}
"""By service and operation name. ``halfsilver.harness.control.catalogue`` imports all modules that fill it."""


def operation(
    service: str, name: str, *, writes: bool = False, mirrors: bool = False, on: tuple[Resource, ...] = ()
) -> Callable[[Handler], Handler]:
    """Register a function as an operation."""

    def register(handler: Handler) -> Handler:
        if (service, name) in OPERATIONS:
            raise ValueError(f"{service}:{name} is registered twice")
        OPERATIONS[service, name] = Operation(service, name, handler, writes or mirrors, mirrors, on)
        return handler

    return register
