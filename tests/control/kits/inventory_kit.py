"""The example inventory behind real boto3 clients: they sign and parse, protocols and store answer, no socket."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from halfsilver.harness.control.catalogue import OPERATIONS
from halfsilver.harness.control.http.exchange import Exchange, Peer
from halfsilver.harness.control.http.protocols import load
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.inventory import inventory_file
from halfsilver.harness.control.metrics.book import Clock, utc_now
from halfsilver.harness.control.operations.call import Call, Caller, Settings
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.state.record import Record
from halfsilver.harness.control.state.store import Store
from halfsilver.harness.control.trail.audit_file import AuditFile
from halfsilver.harness.control.trail.recorder import Recorder

EXAMPLE = Path(__file__).parents[3] / "examples" / "inventory.json"
OWNER, SECURITY, PARTNER = "111122223333", "222233334444", "444455556666"
WEB, DATABASE, BATCH, CACHE, SCANNER, APPLICATION = (f"eni-0a1b2c3d4e5f600{number}0" for number in range(1, 7))
COLLECTOR, SECOND_COLLECTOR = "eni-0a1b2c3d4e5f60100", "eni-0a1b2c3d4e5f60101"
SECURITY_COLLECTOR = "eni-0a1b2c3d4e5f60110"
ENDPOINT, ENDPOINT_ENI = "vpce-0a1b2c3d4e5f60001", "eni-0a1b2c3d4e5f60104"
_ELB = f"arn:aws:elasticloadbalancing:us-east-1:{OWNER}"
SENSORS = f"{_ELB}:loadbalancer/net/sensors/50dc6c495c0c9188"
WEBSHOP = f"{_ELB}:loadbalancer/net/webshop/6a1f0b9d3c2e4471"
SENSORS_LISTENER = f"{_ELB}:listener/net/sensors/50dc6c495c0c9188/f2f7dc8efc522ab2"
SENSORS_TARGETS = f"{_ELB}:targetgroup/sensors/943f017f100becff"
ORGANISATION = "arn:aws:organizations::999988887777:organization/o-halfsilver01"


ABROAD, ABROAD_ZONES = "eu-west-1", "euw1"
ABROAD_SENSORS = SENSORS.replace("us-east-1", ABROAD)


def there(identifier: str) -> str:
    """What an object of the example is called in the other region."""
    return identifier.replace("-0a1b", "-0e1b")


def abroad() -> dict[str, Any]:
    """The lists of the example as another region has them: nothing has the same id, and nothing is carried."""
    text = json.dumps({name: each for name, each in example().items() if name not in ("Accounts", "Nic")})
    text = text.replace("us-east-1", ABROAD).replace("use1", ABROAD_ZONES).replace("-0a1b", "-0e1b")
    found: dict[str, Any] = json.loads(text.replace('"0a:3b:', '"0e:3b:'))
    return found


@cache
def _example() -> Any:
    return json.loads(EXAMPLE.read_text())


def example(**lists: Any) -> dict[str, Any]:
    """The documents of the example inventory; ``lists`` replaces top-level members, None leaves one out."""
    documents = {**copy.deepcopy(_example()), **lists}
    return {key: value for key, value in documents.items() if value is not None}


def broken(name: str, index: int, **members: Any) -> Any:
    """The example with some members of one object changed; None takes one away."""
    documents = example()
    changed = {**documents[name][index], **members}
    documents[name][index] = {key: value for key, value in changed.items() if value is not None}
    return documents


def without(documents: dict[str, Any], name: str, identifier: str) -> dict[str, Any]:
    """The same without one object of a list."""
    return {**documents, name: [each for each in documents[name] if identifier not in each.values()]}


def with_target_group(folder: Path) -> Path:
    """An inventory file: the example, whose load balancer also has a target group with one healthy target."""
    target = {"Target": {"Id": "i-0a1b2c3d4e5f60100", "Port": 4789}, "TargetHealth": {"State": "healthy"}}
    group = {
        "TargetGroupArn": SENSORS_TARGETS,
        "TargetGroupName": "sensors",
        "Protocol": "UDP",
        "Port": 4789,
        "LoadBalancerArns": [SENSORS],
        "TargetHealthDescriptions": [target],
    }
    path = folder / "inventory.json"
    path.write_text(json.dumps(example(TargetGroups=[group])))
    return path


@cache
def _services() -> Any:
    return load(OPERATIONS)


@cache
def _session() -> Any:
    return boto3.session.Session()


class Lab:
    """A store with an inventory, and clients of several accounts. ``later`` is added to the clock."""

    def __init__(
        self, documents: dict[str, Any] | None = None, url: str = "sqlite://", audit: AuditFile | None = None
    ) -> None:
        self.store = Store(url)
        self.settings = Settings(trail=audit)
        self.clock: Clock = utc_now
        self.later = timedelta()
        self._random = random.Random(7)
        self._clients: dict[tuple[str, str], Any] = {}
        recorder = None if audit is None else Recorder(audit, self.settings.region)
        self._exchange = Exchange(_services(), _caller, self, clock=self._now, audit=recorder)
        self.synchronize(documents or example())

    def _now(self) -> datetime:
        return self.clock() + self.later

    def synchronize(self, documents: dict[str, Any]) -> int:
        with self.store.begin(write=True) as transaction:
            return inventory_file.synchronize(transaction, inventory_file.from_documents(documents), self.settings)

    def execute(self, call: Call) -> Any:
        operation = OPERATIONS[call.service, call.operation]
        with self.store.begin(write=operation.writes) as transaction:
            return operation.handler(Context(transaction, call, self.settings, self._random), call.parameters)

    def client(self, service: str, account: str = OWNER) -> Any:
        if (service, account) not in self._clients:
            self._clients[service, account] = self._new_client(service, account)
        return self._clients[service, account]

    def _new_client(self, service: str, account: str) -> Any:
        client = _session().client(
            service,
            region_name="us-east-1",
            endpoint_url="http://127.0.0.1:1",
            aws_access_key_id=f"AKIA{account}",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )
        client.meta.events.register("before-send", self._send)
        return client

    def records(self, kind: str) -> list[Record]:
        with self.store.begin() as transaction:
            return transaction.find(kind)

    def stopped(self) -> dict[str, str]:
        """Why sessions are stopped, by id."""
        return {each.id: each.note["stopped"] for each in self.records("session") if "stopped" in each.note}

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        def text(value: Any) -> str:
            return value.decode() if isinstance(value, bytes) else value

        path, _, query = request.url.removeprefix("http://127.0.0.1:1").partition("?")
        body = request.body or b""
        headers = tuple((name.lower(), text(value)) for name, value in request.headers.items())
        answer = self._exchange.answer(
            Request(request.method, path, query, headers, body.encode() if isinstance(body, str) else body),
            Peer("127.0.0.1", False),
        )
        assert answer.status != 500, answer.body
        return AWSResponse(request.url, answer.status, dict(answer.headers), _Raw(answer.body))


class _Raw:
    """What botocore reads a body from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Any:
        yield self._body


def _caller(request: Request, service: str, region: str) -> Caller:
    account = (request.header("authorization") or "").partition("Credential=AKIA")[2][:12]
    return Caller(account, f"arn:aws:iam::{account}:user/ann", "AIDAEXAMPLE", "ann")


@contextmanager
def refused(code: str, message: str = "", status: int = 400) -> Iterator[None]:
    """``with refused("Code", "part of the message"):`` the call inside is refused with exactly this code."""
    with pytest.raises(ClientError) as info:
        yield
    error = info.value.response["Error"]
    assert (error["Code"], info.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), error
    assert message in error["Message"]
