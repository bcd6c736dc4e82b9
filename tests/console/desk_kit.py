"""The console in this process, on a control plane with the example's inventory: no server, no sockets, milliseconds."""

from __future__ import annotations

import email.message
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from halfsilver.harness.console.console import Console
from halfsilver.harness.control.catalogue import OPERATIONS
from halfsilver.harness.control.control import Control
from halfsilver.harness.control.http.exchange import Exchange, Peer
from halfsilver.harness.control.http.protocols import Services, load
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.iam.access_keys import AccessKey
from halfsilver.harness.control.iam.policies import ADMINISTRATOR, Policies
from halfsilver.harness.control.inventory import inventory_file
from halfsilver.harness.control.operations.call import Caller, Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.plane.data_plane import DataPlane
from halfsilver.harness.control.serving import Parts
from halfsilver.harness.control.state.store import Store
from halfsilver.harness.engines.golden import GoldenEngine
from tests.console.console_kit import Answer, Client, sign_in
from tests.control.kits.authorization_kit import allow, policies
from tests.control.kits.inventory_kit import example

__all__ = ["OWNER", "PARTNER", "SECURITY", "Desk", "Visitor", "desk", "services"]

OWNER, SECURITY, PARTNER = "111122223333", "222233334444", "444455556666"
PEER = Peer("127.0.0.1", False)
NEVER = 3600.0
"""Seconds between two looks of a control plane's own thread, which would use the one connection to a store in memory at
the end of a minute, whoever is using it.
"""


@cache
def services() -> Services:
    """The protocols of all that is served."""
    return load(OPERATIONS)


@dataclass
class Visitor(Client):
    """A browser whose requests are function calls."""

    console: Any = None

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        place, _, query = path.partition("?")
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = (("cookie", jar), *headers.items())
        response = self.console.answer(Request(method, place, query, sent, body or b""), PEER)
        assert response.status != 500, response.body
        message: Any = email.message.Message()
        for name, value in response.headers:
            message[name] = value
            if name == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return Answer(response.status, message, response.body.decode())


@dataclass
class Desk:
    """A console, and who may visit it: every account's ``admin``, and users who are added."""

    control: Control
    exchange: Exchange
    keys: dict[str, AccessKey] = field(default_factory=dict)
    rules: dict[str, Policies] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.console = Console(Parts(self.exchange, self.control, self))  # type: ignore[arg-type]

    def find(self, key_id: str) -> AccessKey | None:
        return self.keys.get(key_id)

    def visitor(self, account: str = OWNER, user: str = "admin", *actions: str) -> Visitor:
        """Signed in; with ``actions``, somebody who may do these and nothing else."""
        caller = Caller(account, f"arn:aws:iam::{account}:user/{user}", f"AIDA{user}", user)
        key = AccessKey(f"AKIA{account}{user}", "s" * 40, caller)
        self.keys[key.id] = key
        if actions:
            self.rules[caller.arn] = policies(allow(list(actions)))
        visitor = Visitor("http://desk", console=self.console)
        sign_in(visitor, (key.id, key.secret))
        return visitor

    def ask(self, action: str, account: str = OWNER, service: str = "ec2", region: str = "", **parameters: Any) -> Any:
        """What the API answers to an account's administrator; parameters by botocore's names."""
        from tests.control.test_control import invoke

        return invoke(self.control, action, account, service, region, **parameters)


@contextmanager
def desk(*regions: str, **lists: Any) -> Iterator[Desk]:
    """With other ``regions`` than the server's own, and other ``lists`` than the example's in the inventory."""
    inventory = inventory_file.from_documents(example(**lists))
    made: dict[str, Policies] = {}
    with ExitStack() as stack:
        store = stack.enter_context(closing(Store("sqlite://")))
        plane = stack.enter_context(closing(DataPlane(GoldenEngine, inventory.nic)))

        def bound(caller: Caller) -> Policies:
            return made.get(caller.arn, ADMINISTRATOR)

        control = stack.enter_context(
            closing(Control(store, inventory, Settings(regions=regions), plane, bound, poll=NEVER))
        )
        yield Desk(control, Exchange(services(), _nobody, control), rules=made)


def _nobody(request: Request, service: str, region: str) -> Caller:
    raise ApiError("AuthFailure", "Nothing is signed here.", 403)
