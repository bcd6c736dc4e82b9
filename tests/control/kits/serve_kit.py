"""Real servers in processes of their own, and real clients of them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw
from scapy.utils import PcapNgReader, PcapWriter

ROOT = Path(__file__).parents[3]
HALFSILVER = Path(sys.executable).with_name("halfsilver")
INVENTORY = ROOT / "examples" / "inventory.json"
WEB, DATABASE, COLLECTOR = "eni-0a1b2c3d4e5f60010", "eni-0a1b2c3d4e5f60020", "eni-0a1b2c3d4e5f60100"
REGION = "us-east-1"
ANYWHERE = {"SourceCidrBlock": "0.0.0.0/0", "DestinationCidrBlock": "0.0.0.0/0"}
QUICK = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
"""A client that says what happened to a request, instead of sending it again."""

MACS = {
    each["NetworkInterfaceId"]: each["MacAddress"] for each in json.loads(INVENTORY.read_text())["NetworkInterfaces"]
}


@dataclass
class Served:
    """Where a server is and who may talk to it."""

    url: str
    credentials: Path
    sessions: dict[str, Any] = field(default_factory=dict)

    def session(self, profile: str) -> Any:
        if profile not in self.sessions:
            saved = os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
            os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(self.credentials)
            try:
                made = boto3.session.Session(profile_name=profile, region_name=REGION)
                made.get_credentials()
                self.sessions[profile] = made
            finally:
                os.environ.pop("AWS_SHARED_CREDENTIALS_FILE")
                if saved is not None:
                    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = saved
        return self.sessions[profile]

    def client(self, service: str = "ec2", profile: str = "default", **options: Any) -> Any:
        return self.session(profile).client(service, endpoint_url=self.url, config=QUICK, **options)

    def request(self, method: str, path: str, body: bytes = b"", profile: str = "default") -> tuple[int, Any, bytes]:
        """A signed request beside the API: status, headers, body."""
        request = AWSRequest(method, self.url + path, data=body)
        SigV4Auth(self.session(profile).get_credentials(), "ec2", REGION).add_auth(request)
        prepared = request.prepare()
        asked = urllib.request.Request(prepared.url, data=body or None, headers=dict(prepared.headers), method=method)
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def status(self) -> Any:
        code, _, body = self.request("GET", "/halfsilver/status")
        assert code == 200, body
        return json.loads(body)

    def push(self, frames: Sequence[Packet], query: str = "", profile: str = "default") -> tuple[str, list[Packet]]:
        """The counts of verdicts, and the copies."""
        code, headers, body = self.request("POST", "/halfsilver/frames" + query, capture(frames), profile)
        assert code == 200, body
        return headers["x-halfsilver-verdicts"], list(PcapNgReader(io.BytesIO(body)))


def capture(frames: Sequence[Packet]) -> bytes:
    stream = io.BytesIO()
    writer = PcapWriter(stream, linktype=1)
    writer.write(list(frames))
    writer.flush()
    return stream.getvalue()


def to_web(port: int, eni_id: str = WEB, payload: bytes = b"x" * 60) -> Packet:
    """A TCP segment that the network brings to an interface."""
    return (
        Ether(src="0a:00:00:00:00:99", dst=MACS[eni_id])
        / IP(src="10.9.9.9", dst="10.0.1.10")
        / TCP(sport=1234, dport=port)
        / Raw(payload)
    )


def vnis(copies: Sequence[Packet]) -> list[int]:
    return [copy[VXLAN].vni for copy in copies]


class Server:
    """``halfsilver serve`` in a process; ends with the block. ``lines`` has what it said on stderr.

    ``program`` is another one that takes the same options.
    """

    def __init__(
        self,
        state: Path,
        *options: str,
        inventory: Path | None = INVENTORY,
        environment: dict[str, str] | None = None,
        program: Sequence[str] = (str(HALFSILVER), "serve"),
        port: int = 0,
    ) -> None:
        self.state = state
        arguments = [*program, "--state", str(state), "--port", str(port), "--json", *options]
        if inventory is not None:
            arguments += ["--inventory", str(inventory)]
        self.log = state.with_suffix(".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                arguments,
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(30)
            raise AssertionError(f"the server ended with {self.process.returncode}: {self.log.read_text()}")
        self.ready = json.loads(line)
        self.served = Served(self.ready["url"], Path(self.ready["credentials"]))

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(signal.SIGKILL if error is not None else signal.SIGTERM)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(30)


def make_filter(client: Any, *ports: int, direction: str = "ingress") -> str:
    """A filter that accepts TCP to these ports."""
    identifier: str = client.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    for number, port in enumerate(ports, 1):
        client.create_traffic_mirror_filter_rule(
            TrafficMirrorFilterId=identifier,
            TrafficDirection=direction,
            RuleNumber=number,
            RuleAction="accept",
            Protocol=6,
            DestinationPortRange={"FromPort": port, "ToPort": port},
            **ANYWHERE,
        )
    return identifier


def make_target(client: Any, eni_id: str = COLLECTOR) -> str:
    made = client.create_traffic_mirror_target(NetworkInterfaceId=eni_id)
    identifier: str = made["TrafficMirrorTarget"]["TrafficMirrorTargetId"]
    return identifier


def make_session(
    client: Any, filter_id: str, target_id: str, *, number: int = 1, eni_id: str = WEB, **members: Any
) -> str:
    made = client.create_traffic_mirror_session(
        NetworkInterfaceId=eni_id,
        TrafficMirrorFilterId=filter_id,
        TrafficMirrorTargetId=target_id,
        SessionNumber=number,
        **members,
    )
    identifier: str = made["TrafficMirrorSession"]["TrafficMirrorSessionId"]
    return identifier
