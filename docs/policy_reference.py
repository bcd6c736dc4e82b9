"""``docs/mirror_json.md``: every member of a policy that is read, from the fields that the reader reads through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from halfsilver.harness.policy.fields import Field, Object, Objects
from halfsilver.harness.policy.reader import LISTS
from halfsilver.harness.policy.schema import CANNOT_SAY

__all__ = ["policy_reference"]

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "minimal.json"
PRINTED_BY = {
    "TrafficMirrorFilters": "aws ec2 describe-traffic-mirror-filters",
    "TrafficMirrorSessions": "aws ec2 describe-traffic-mirror-sessions",
    "TrafficMirrorTargets": "aws ec2 describe-traffic-mirror-targets",
    "NetworkInterfaces": "aws ec2 describe-network-interfaces",
    "LoadBalancers": "aws elbv2 describe-load-balancers",
    "Listeners": "aws elbv2 describe-listeners",
    "TargetGroups": "aws elbv2 describe-target-groups",
    "VpcEndpoints": "aws ec2 describe-vpc-endpoints",
    "Vpcs": "aws ec2 describe-vpcs",
    "SecurityGroups": "aws ec2 describe-security-groups",
    "NetworkAcls": "aws ec2 describe-network-acls",
    "RouteTables": "aws ec2 describe-route-tables",
    "VpcPeeringConnections": "aws ec2 describe-vpc-peering-connections",
    "TransitGatewayVpcAttachments": "aws ec2 describe-transit-gateway-vpc-attachments",
}
HEAD = """# mirror.json

<!-- Made by docs/policy_reference.py from the fields of harness/policy; `make docs` writes it. -->

What is mirrored, from where and to where, in AWS's words: the lists that `aws ec2 describe-*` prints, in one JSON
object. What a real account prints is taken as it is, in one file or, as `-c DIR` and `halfsilver check a.json b.json`,
in several; `halfsilver init --from-aws DIR` joins them. `halfsilver init CAPTURE` writes one for a capture. What the
members do with frames is the law, [mirroring.md](mirroring.md).

- `halfsilver check mirror.json` says all that is wrong at once; `halfsilver check --schema` prints a JSON Schema.
- Members of AWS's that are not listed here are taken and not read. A member that AWS does not have is an error in
  filters, rules, sessions, targets, permissions and ACL entries; elsewhere it is an error if it looks like a
  misspelling, else a warning.
- `null` counts as absent.
- Protocols are numbers where AWS prints numbers: `"Protocol": "tcp"` in a rule is refused, and the message has the
  number. A security group's `IpProtocol` has names as AWS prints them; an ACL entry's `Protocol` also takes the AWS
  CLI's.

## An example

`examples/minimal.json`: what comes in to port 443 of one interface goes to another, as VXLAN 7.

```json
"""


def policy_reference() -> str:
    """The text of the page."""
    lines = [HEAD + EXAMPLE.read_text(encoding="utf-8") + "```", ""]
    for name, fields in LISTS.items():
        lines += [f"## {name}", "", f"As `{PRINTED_BY[name]}` prints them.", ""]
        lines += ["| member | | must be | what for |", "|---|---|---|---|", *_rows(fields, ""), ""]
    lines += ["## What the JSON Schema cannot say", "", *(f"- {each}" for each in CANNOT_SAY)]
    return "\n".join([*lines, ""])


def _rows(fields: Sequence[Field], path: str) -> Iterator[str]:
    for field in fields:
        need = "needed" if field.required else ""
        yield f"| `{path}{field.name}` | {need} | {field.form} | {field.meaning} |"
        if isinstance(field, Object | Objects):
            yield from _rows(field.fields, f"{path}{field.name}{'[]' * isinstance(field, Objects)}.")
