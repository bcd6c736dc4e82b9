"""A look-alike that goes, comes back, or comes back without what it had."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from signal import SIGHUP
from typing import Any

import pytest

from halfsilver.harness.control.upstream.moto import moto_server
from tests.control.kits.serve_kit import ANYWHERE, Server
from tests.control.kits.server_kit import error_of
from tests.control.kits.upstream_kit import IMAGE, look_alike


class Relay:
    """Passes requests on to the look-alike at ``to``; None: it breaks the connection off."""

    to: str | None = None

    def __call__(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if self.to is None:
            handler.close_connection = True
            return
        headers = {name: value for name, value in handler.headers.items() if name.lower() != "connection"}
        asked = urllib.request.Request(self.to + handler.path, body or None, headers, method=handler.command)
        try:
            answer: Any = urllib.request.urlopen(asked, timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
        handler.send_response(answer.status)
        handler.send_header("content-type", answer.headers["content-type"])
        handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_gone_and_back_without_memory(tmp_path: Path) -> None:
    pytest.importorskip("moto", reason="moto is not installed")
    relay = Relay()
    with look_alike(relay) as url:
        with moto_server() as relay.to, Server(tmp_path / "state", "--upstream", url, inventory=None) as server:
            ec2 = server.served.client()
            subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
            asked = {"ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": 2, "MaxCount": 2, "SubnetId": subnet}
            made = [each["NetworkInterfaces"][0] for each in ec2.run_instances(**asked)["Instances"]]
            source, collector = (each["NetworkInterfaceId"] for each in made)
            target = ec2.create_traffic_mirror_target(NetworkInterfaceId=collector)["TrafficMirrorTarget"]
            filter_id = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
            ec2.create_traffic_mirror_session(
                NetworkInterfaceId=source,
                TrafficMirrorTargetId=target["TrafficMirrorTargetId"],
                TrafficMirrorFilterId=filter_id,
                SessionNumber=1,
            )

            relay.to = None
            code, status, message = error_of(ec2.describe_vpcs)
            assert (code, status) == ("ServiceUnavailable", 503) and "does not answer" in message
            assert error_of(server.served.client("logs").describe_log_groups)[:2] == ("ServiceUnavailable", 503)
            assert len(ec2.describe_network_interfaces()["NetworkInterfaces"]) == 2
            ec2.create_traffic_mirror_filter_rule(
                TrafficMirrorFilterId=filter_id,
                TrafficDirection="egress",
                RuleNumber=1,
                RuleAction="accept",
                **ANYWHERE,
            )

            with moto_server() as relay.to:
                ec2.create_vpc(CidrBlock="10.0.0.0/16")
                assert "has forgotten all that it had" in server.log.read_text()
                assert len(ec2.describe_network_interfaces()["NetworkInterfaces"]) == 2
                assert len(ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]) == 1
                server.process.send_signal(SIGHUP)
                until(lambda: not ec2.describe_network_interfaces()["NetworkInterfaces"])
                assert ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == []
        assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--upstream", "localhost:5000"), "must be the address of an AWS look-alike"),
        (("--upstream", "http://127.0.0.1:1"), "http://127.0.0.1:1 does not answer"),
        (("--upstream", "http://127.0.0.1:1", "--with-moto"), "give only one of them"),
    ],
)
def test_a_server_that_cannot_begin_says_why(tmp_path: Path, options: tuple[str, ...], line: str) -> None:
    with pytest.raises(AssertionError, match="the server ended with") as raised:
        Server(tmp_path / "state", *options, inventory=None)
    assert line in str(raised.value)
    assert not (tmp_path / "state").exists()


def test_an_inventory_beside_an_upstream_has_accounts_only(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="it may have Accounts only"):
        Server(tmp_path / "state", "--upstream", "http://127.0.0.1:1")
