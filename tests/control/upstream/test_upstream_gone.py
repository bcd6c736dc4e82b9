"""A look-alike that goes, comes back, or comes back without what it had."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGHUP

import pytest

from halfsilver.harness.cli import main
from halfsilver.harness.control.upstream.moto import moto_server
from halfsilver.harness.errors import EXIT_ENVIRONMENT, EXIT_USAGE
from tests.control.kits.serve_kit import ANYWHERE, INVENTORY, Server
from tests.control.kits.server_kit import error_of
from tests.control.kits.upstream_kit import IMAGE, Relay, look_alike


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
    ("options", "code", "line"),
    [
        (("--upstream", "localhost:5000"), EXIT_USAGE, "must be the address of an AWS look-alike"),
        (("--upstream", "http://127.0.0.1:1"), EXIT_ENVIRONMENT, "http://127.0.0.1:1 does not answer"),
        (("--upstream", "http://127.0.0.1:1", "--with-moto"), EXIT_USAGE, "give only one of them"),
        (("--upstream", "http://127.0.0.1:1", "--inventory", str(INVENTORY)), EXIT_USAGE, "it may have Accounts only"),
    ],
)
def test_a_server_that_cannot_begin_says_why(
    options: tuple[str, ...], code: int, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--state", str(tmp_path / "state"), "--port", "0", *options]) == code
    assert line in capsys.readouterr().err
    assert not (tmp_path / "state").exists()
