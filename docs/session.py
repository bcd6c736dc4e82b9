"""The session with `halfsilver serve` that docs/how_to/aws_tools.md shows: real tools, a real server, what they print.

A part is a list of commands, typed into one shell from the first part to the last. Ids are random, and so are port and
folder: in the transcript, ids are numbered in the order in which they appear, and port and folder are those that a
user would have.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["SessionError", "ToolMissing", "transcripts"]

ROOT = Path(__file__).resolve().parent.parent
COMMAND_SECONDS = 300
SHOWN_FOLDER, SHOWN_URL = "/home/you/halfsilver", "http://127.0.0.1:4510"
SERVE = ".venv/bin/halfsilver serve --inventory examples/inventory.json"

CLI = (
    """\
filter=$(aws ec2 create-traffic-mirror-filter --description "HTTP to the web server" \\
    --query TrafficMirrorFilter.TrafficMirrorFilterId --output text)""",
    """\
aws ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id $filter --traffic-direction ingress \\
    --rule-number 100 --rule-action accept --protocol 6 --destination-port-range FromPort=80,ToPort=80 \\
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 --query TrafficMirrorFilterRule.RuleNumber""",
    """\
target=$(aws ec2 create-traffic-mirror-target --network-interface-id eni-0a1b2c3d4e5f60100 \\
    --query TrafficMirrorTarget.TrafficMirrorTargetId --output text)""",
    """\
aws ec2 create-traffic-mirror-session --network-interface-id eni-0a1b2c3d4e5f60010 --session-number 1 \\
    --traffic-mirror-filter-id $filter --traffic-mirror-target-id $target --virtual-network-id 4660 \\
    --query TrafficMirrorSession""",
    "aws ec2 delete-traffic-mirror-target --traffic-mirror-target-id $target",
)

FRAMES = (
    """\
.venv/bin/python -c 'from scapy.all import *; wrpcap("two.pcap", [
    Ether(dst="0a:3b:5c:00:00:10") / IP(src="198.51.100.7", dst="10.0.1.10") / TCP(dport=p) for p in (80, 22)])'""",
    "key=$(aws configure get aws_access_key_id):$(aws configure get aws_secret_access_key)",
    """\
send() { curl -sS --fail-with-body --aws-sigv4 aws:amz:us-east-1:ec2 --user $key --data-binary @two.pcap \\
    -o copies.pcapng -w '%header{x-halfsilver-verdicts}\\n' $AWS_ENDPOINT_URL/halfsilver/frames; }""",
    "send",
    """.venv/bin/python -c 'from scapy.all import *; rdpcap("copies.pcapng").summary()'""",
    """\
aws ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id $filter --traffic-direction ingress \\
    --rule-number 200 --rule-action accept --protocol 6 --destination-port-range FromPort=22,ToPort=22 \\
    --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 --query TrafficMirrorFilterRule.RuleNumber""",
    "send",
)

BOTO3 = ("cat mirror.py", ".venv/bin/python mirror.py")
MIRROR_PY = """\
import boto3

ec2, elbv2 = boto3.client("ec2"), boto3.client("elbv2")
sensors = elbv2.describe_load_balancers(Names=["sensors"])["LoadBalancers"][0]
target = ec2.create_traffic_mirror_target(NetworkLoadBalancerArn=sensors["LoadBalancerArn"])["TrafficMirrorTarget"]
dns = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]
ec2.modify_traffic_mirror_filter_network_services(
    TrafficMirrorFilterId=dns["TrafficMirrorFilterId"], AddNetworkServices=["amazon-dns"])
ec2.create_traffic_mirror_session(
    NetworkInterfaceId="eni-0a1b2c3d4e5f60020", SessionNumber=1, VirtualNetworkId=22136,
    TrafficMirrorFilterId=dns["TrafficMirrorFilterId"], TrafficMirrorTargetId=target["TrafficMirrorTargetId"],
    TagSpecifications=[{"ResourceType": "traffic-mirror-session", "Tags": [{"Key": "Name", "Value": "DNS"}]}])
for page in ec2.get_paginator("describe_traffic_mirror_sessions").paginate():
    for session in page["TrafficMirrorSessions"]:
        print(session["NetworkInterfaceId"], session["VirtualNetworkId"], session.get("PacketLength"), session["Tags"])
try:
    ec2.delete_traffic_mirror_filter(TrafficMirrorFilterId=dns["TrafficMirrorFilterId"])
except ec2.exceptions.ClientError as error:
    print(error)
"""

TERRAFORM = (
    "cat main.tf",
    "terraform init > init.log",
    "terraform apply -auto-approve | tail -n 5",
    "terraform plan | tail -n 4",
    "terraform apply -auto-approve -var length=256 | grep complete",
    "terraform destroy -auto-approve | grep complete",
)
MAIN_TF = """\
provider "aws" {}

variable "length" { default = 128 }

resource "aws_ec2_traffic_mirror_filter" "postgres" {}

resource "aws_ec2_traffic_mirror_filter_rule" "postgres" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.postgres.id
  traffic_direction        = "ingress"
  rule_number              = 1
  rule_action              = "accept"
  protocol                 = 6
  source_cidr_block        = "10.0.0.0/16"
  destination_cidr_block   = "0.0.0.0/0"
  destination_port_range {
    from_port = 5432
    to_port   = 5432
  }
}

resource "aws_ec2_traffic_mirror_target" "collector" {
  network_interface_id = "eni-0a1b2c3d4e5f60101"
  tags                 = { Name = "second collector" }
}

resource "aws_ec2_traffic_mirror_session" "database" {
  network_interface_id     = "eni-0a1b2c3d4e5f60020"
  session_number           = 2
  packet_length            = var.length
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.postgres.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.collector.id
}

output "session" { value = aws_ec2_traffic_mirror_session.database.id }
"""

PARTS = {"cli": CLI, "frames": FRAMES, "boto3": BOTO3, "terraform": TERRAFORM}
NEEDED = {"cli": ("aws",), "frames": ("aws", "curl"), "boto3": (), "terraform": ("terraform",)}
"""Programs that a part needs. A part without them is left out, and the others are made all the same."""
REFUSED = {"aws ec2 delete-traffic-mirror-target"}
"""Beginnings of commands that the server must refuse."""


class SessionError(Exception):
    """The session did not go as it must, in one line."""


class ToolMissing(Exception):
    """A part needs a program that is not installed, in one line."""


def transcripts() -> dict[str, str | ToolMissing]:
    """What was typed and printed, by part: "serve" first, then those of PARTS. SessionError."""
    found: dict[str, str | ToolMissing] = {}
    with tempfile.TemporaryDirectory(prefix="halfsilver-docs-") as name:
        folder = Path(name)
        for link in (".venv", "examples"):
            (folder / link).symlink_to(ROOT / link)
        (folder / "mirror.py").write_text(MIRROR_PY)
        (folder / "main.tf").write_text(MAIN_TF)
        with _server(folder) as said, _Shell(folder, said) as shell:
            plain = _Plain(folder, said)
            found["serve"] = plain.block(SERVE, said)
            for part, commands in PARTS.items():
                missing = [tool for tool in NEEDED[part] if shutil.which(tool, path=shell.path) is None]
                if missing:
                    found[part] = ToolMissing(f"{missing[0]} is not installed")
                else:
                    found[part] = plain.console((command, shell.run(command)) for command in commands)
    return found


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """A server in the folder; what it said when it was ready."""
    log = folder / "server.log"
    command = [*SERVE.split(), "--port", "0", "--json"]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stderr=errors, stdout=subprocess.PIPE
        ) as server,
    ):
        try:
            assert server.stdout is not None
            if not server.stdout.readline():
                raise SessionError(f"the server did not start: {log.read_text().strip()}")
            yield log.read_text()
        finally:
            server.terminate()
            server.wait(COMMAND_SECONDS)


class _Shell:
    """One bash, in which the lines are typed that the server says a client needs."""

    def __init__(self, folder: Path, said: str) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "MAKE", "MFLAGS", "TF_")) or name == "TF_CLI_CONFIG_FILE"
        }
        self.path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {
            **kept,
            "PATH": self.path,
            "COLUMNS": "110",
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "AWS_PAGER": "",
            "AWS_CONFIG_FILE": str(folder / "none"),
            "TF_CLI_ARGS": "-no-color",
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            **_terraform_plugins(folder, kept),
        }
        self._bash = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for line in re.findall(r"^ +(export .*)$", said, re.MULTILINE):
            self.run(line)

    def __enter__(self) -> _Shell:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.close()
        self._bash.wait(COMMAND_SECONDS)

    def run(self, command: str) -> str:
        """What it prints. SessionError if it fails, or does not where it must."""
        assert self._bash.stdin is not None and self._bash.stdout is not None
        mark = uuid.uuid4().hex
        self._bash.stdin.write(f"set -o pipefail; {{ {command}\n}} < /dev/null; echo {mark}$?\n")
        self._bash.stdin.flush()
        lines = []
        for line in self._bash.stdout:
            before, found, status = line.partition(mark)
            lines.append(before if found else line)
            if found:
                break
        else:
            raise SessionError(f"the shell ended at: {command}")
        printed = "".join(lines)
        refused = any(command.startswith(each) for each in REFUSED)
        if (int(status) != 0) != refused:
            raise SessionError(f"'{command}' ended with status {status.strip()}: {printed.strip()}")
        return printed


def _terraform_plugins(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Where Terraform finds the AWS provider, if a mirror of the registry is below /opt; else as it is set up."""
    plugins = glob.glob("/opt/*/registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws_v*")
    if not plugins or Path(environment.get("TF_CLI_CONFIG_FILE", "")).is_file():
        return {}
    configuration = folder / "terraform.rc"
    configuration.write_text(
        f'provider_installation {{\n  filesystem_mirror {{ path = "{Path(plugins[0]).parents[5]}" }}\n}}\n'
    )
    return {"TF_CLI_CONFIG_FILE": str(configuration)}


class _Plain:
    """Makes a text the same on every run."""

    def __init__(self, folder: Path, said: str) -> None:
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        if found is None:
            raise SessionError(f"the server did not say where it is: {said}")
        self._replaced = {str(folder): SHOWN_FOLDER, found[0]: SHOWN_URL}
        self._ids: dict[str, dict[str, str]] = {}

    def console(self, lines: Iterator[tuple[str, str]]) -> str:
        """Commands and what they print, as one block."""
        return "\n".join(["```console", *(self._typed(*each) for each in lines), "```", ""])

    def block(self, command: str, printed: str) -> str:
        return self.console(iter([(command, printed)]))

    def _typed(self, command: str, printed: str) -> str:
        for real, shown in self._replaced.items():
            printed = printed.replace(real, shown)
        printed = re.sub(r"\b(tmf|tmfr|tms|tmt)-([0-9a-f]{17})\b", self._number, printed).strip("\n")
        return "\n".join([f"$ {command}", *(line.rstrip() for line in printed.splitlines())])

    def _number(self, found: re.Match[str]) -> str:
        """``tms-00000000000000001`` for the first session, and so on."""
        numbers = self._ids.setdefault(found[1], {})
        return f"{found[1]}-{numbers.setdefault(found[2], f'{len(numbers) + 1:017}')}"
