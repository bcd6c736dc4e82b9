"""One server as AWS is to its users: several accounts, users of any policy, boto3 clients, shell environments."""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from halfsilver.harness.control.iam.access_keys import create_user
from halfsilver.harness.control.state.private_files import write_private
from tests.control.kits.inventory_kit import OWNER, PARTNER, SECURITY
from tests.control.kits.serve_kit import REGION, Server
from tests.control.kits.signing_kit import role

ADMIN = "admin"
Key = tuple[str, str]
_ONCE: Mapping[str, Any] = {"retries": {"total_max_attempts": 1}, "connect_timeout": 5, "read_timeout": 20}


class Cloud:
    """A server, and all that its users need. Clients are made once and kept."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = server.served.url
        self.keys: dict[tuple[str, str], Key] = {}
        profiles = configparser.ConfigParser()
        profiles.read(server.served.credentials)
        for account in (OWNER, SECURITY, PARTNER):
            self.keys[account, ADMIN] = (
                profiles[account]["aws_access_key_id"],
                profiles[account]["aws_secret_access_key"],
            )
        self.session = boto3.session.Session(region_name=REGION)
        self._clients: dict[tuple[str, str, str], Any] = {}

    def client(self, service: str = "ec2", account: str = OWNER, user: str = ADMIN) -> Any:
        """An unmodified boto3 client of a user, always the same one."""
        name = (service, account, user)
        if name not in self._clients:
            self._clients[name] = self.new_client(*name)
        return self._clients[name]

    def new_client(
        self,
        service: str = "ec2",
        account: str = OWNER,
        user: str = ADMIN,
        *,
        key: Key | None = None,
        region: str = REGION,
        **options: Any,
    ) -> Any:
        """Another client; ``options`` are those of botocore's Config. It says what happened and does not try again."""
        key_id, secret = key or self.keys[account, user]
        return self.session.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            config=Config(**{**_ONCE, **options}),
        )

    def resource(self, account: str = OWNER) -> Any:
        """boto3's own objects for EC2."""
        key_id, secret = self.keys[account, ADMIN]
        return self.session.resource(
            "ec2", endpoint_url=self.url, aws_access_key_id=key_id, aws_secret_access_key=secret, config=Config(**_ONCE)
        )

    def add_user(self, name: str, *statements: Mapping[str, Any], account: str = OWNER) -> None:
        """A user who may do what the statements say."""
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        key = create_user(self.server.state / "keys.json", account, name, policy=policy)
        self.keys[account, name] = (key.id, key.secret)

    def add_role(self, name: str, *, account: str = OWNER) -> None:
        """A role that everybody in its account may assume, and that may do everything."""
        path = self.server.state / "keys.json"
        document = json.loads(path.read_text())
        document.setdefault("Roles", []).append(role(name, account=account, trusts={"AWS": account}))
        write_private(path, json.dumps(document).encode())

    def environment(self, account: str = OWNER) -> dict[str, str]:
        """What somebody has in the shell who works with an account, and nothing else of AWS."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
        return {
            **kept,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_PROFILE": account,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.server.served.credentials),
            "AWS_PAGER": "",
            "AWS_CONFIG_FILE": str(self.server.state / "no-such-config"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def everything(self) -> dict[str, list[Any]]:
        """What each account has, as its own clients see it."""
        found = {}
        for account in (OWNER, SECURITY, PARTNER):
            ec2 = self.client(account=account)
            found[account] = [
                ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"],
                ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"],
                ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"],
                self.client("ram", account).get_resource_shares(resourceOwner="SELF", resourceShareStatus="ACTIVE")[
                    "resourceShares"
                ],
            ]
        return found

    def empty(self) -> None:
        """Delete all that can be made, as its owners would. What is left is an error of the server."""
        found = self.everything()
        for account, (_, _, sessions, shares) in found.items():
            for share in shares:
                self.client("ram", account).delete_resource_share(resourceShareArn=share["resourceShareArn"])
            for session in sessions:
                if session["OwnerId"] == account:
                    self.client(account=account).delete_traffic_mirror_session(
                        TrafficMirrorSessionId=session["TrafficMirrorSessionId"]
                    )
        for account, (filters, targets, _, _) in found.items():
            for each in filters:
                self.client(account=account).delete_traffic_mirror_filter(
                    TrafficMirrorFilterId=each["TrafficMirrorFilterId"]
                )
            for target in targets:
                if target["OwnerId"] == account:
                    self.client(account=account).delete_traffic_mirror_target(
                        TrafficMirrorTargetId=target["TrafficMirrorTargetId"]
                    )
        assert not any(any(lists) for lists in self.everything().values())


@contextmanager
def running(state: Path, *options: str, inventory: Path | None = None) -> Iterator[Cloud]:
    """A server of one's own. Whatever was sent to it, it had no internal error and stopped when it was told to."""
    audit = state.with_suffix(".audit")
    with Server(state, "--audit", str(audit), *options, **({"inventory": inventory} if inventory else {})) as server:
        cloud = Cloud(server)
        yield cloud
        assert server.end() == 0
        log = server.log.read_text()
        assert "Traceback" not in log and "internal error" not in log, log
        assert not any(secret in text for _, secret in cloud.keys.values() for text in (log, audit.read_text()))


def ids(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ids of described objects of one kind."""
    names = (
        "TrafficMirrorSessionId",
        "TrafficMirrorFilterRuleId",
        "TrafficMirrorFilterId",
        "TrafficMirrorTargetId",
        "NetworkInterfaceId",
    )
    return [next(each[name] for name in names if name in each) for each in objects]


def tags(kind: str, **pairs: str) -> list[dict[str, Any]]:
    """TagSpecifications of a ``traffic-mirror-...``."""
    return [
        {
            "ResourceType": f"traffic-mirror-{kind}",
            "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()],
        }
    ]


def error_of(call: Any, **parameters: Any) -> tuple[str, int, str]:
    """Code, HTTP status and message with which a call is refused."""
    with pytest.raises(ClientError) as info:
        call(**parameters)
    error = info.value.response["Error"]
    return error["Code"], info.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Message"]
