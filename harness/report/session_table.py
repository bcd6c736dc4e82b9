"""The sessions of a policy as rows of Datadog's table ``aws.ec2_traffic_mirror_session``, for inventories and SQL.

Columns, their order and their types are those of Datadog's page (DDSQL Reference, Data Directory, "Traffic Mirror
Session"). Of ``_key`` and of the text of ``hstore_csv`` it says nothing more: here they are the session's ARN, and
PostgreSQL's text form of an hstore (``"key"=>"value", ...``) with the keys in the order of their code points. A session
is in a row for each account that describes it: its owner and, without tags, the owner of its target.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from halfsilver.harness.policy.network import region_of
from halfsilver.harness.policy.reader import read
from halfsilver.harness.policy.resolve import number_networks
from halfsilver.harness.policy.types import NLB_PACKET_LENGTH

__all__ = ["COLUMNS", "FORMATS", "MEMBERS", "TABLE", "Row", "regions", "rows", "tags_text"]

TABLE = "aws.ec2_traffic_mirror_session"
COLUMNS = {
    "_key": "string",
    "account_id": "string",
    "description": "string",
    "network_interface_id": "string",
    "owner_id": "string",
    "packet_length": "int64",
    "session_number": "int64",
    "tags": "hstore_csv",
    "traffic_mirror_filter_id": "string",
    "traffic_mirror_session_id": "string",
    "traffic_mirror_target_id": "string",
    "virtual_network_id": "int64",
}
"""Columns and their types, in the page's words and order."""
MEMBERS = {
    "description": "Description",
    "network_interface_id": "NetworkInterfaceId",
    "owner_id": "OwnerId",
    "packet_length": "PacketLength",
    "session_number": "SessionNumber",
    "traffic_mirror_filter_id": "TrafficMirrorFilterId",
    "traffic_mirror_session_id": "TrafficMirrorSessionId",
    "traffic_mirror_target_id": "TrafficMirrorTargetId",
    "virtual_network_id": "VirtualNetworkId",
}
"""The columns that are a member of AWS's TrafficMirrorSession, and which."""
SQL_TYPES = {"string": "TEXT", "int64": "BIGINT", "hstore_csv": "TEXT"}

Row = Mapping[str, str | int | None]
"""One row by column; None where AWS says nothing."""


def rows(documents: Mapping[str, Any], region: str) -> list[Row]:
    """The rows of a policy without errors, in order of ``_key`` and ``account_id``.

    What the policy leaves out and an engine decides (VNI, packet length to a load balancer) is as the engine has it.
    """
    described = read(documents)[0]
    networks = number_networks(described)
    owners = {each["TrafficMirrorTargetId"]: each.get("OwnerId") for each in documents.get("TrafficMirrorTargets", ())}
    found: list[Row] = []
    for session in documents.get("TrafficMirrorSessions", ()):
        members = {"VirtualNetworkId": networks[session["TrafficMirrorSessionId"]], **_stated(session)}
        target = described.targets.get(session["TrafficMirrorTargetId"])
        if target is not None and target.kind == "network-load-balancer":
            members.setdefault("PacketLength", NLB_PACKET_LENGTH)
        owner = members.get("OwnerId")
        others = {owners.get(session["TrafficMirrorTargetId"])} - {None, owner}
        tags = {each["Key"]: each.get("Value") or "" for each in session.get("Tags") or ()}
        key = f"arn:aws:ec2:{region}:{owner or ''}:traffic-mirror-session/{session['TrafficMirrorSessionId']}"
        for account in (owner, *others):
            own = {"_key": key, "account_id": account, "tags": tags_text(tags if account == owner else {})}
            found.append({name: own[name] if name in own else members.get(MEMBERS[name]) for name in COLUMNS})
    return sorted(found, key=lambda row: (str(row["_key"]), str(row["account_id"] or "")))


def regions(documents: Mapping[str, Any]) -> set[str]:
    """The regions that interfaces, by their zones, and load balancers of a policy name."""
    zones = {region_of(str(each.get("AvailabilityZone"))) for each in documents.get("NetworkInterfaces", ())}
    arns = {each["LoadBalancerArn"].split(":")[3] for each in documents.get("LoadBalancers", ())}
    return {each for each in zones | arns if each}


def tags_text(tags: Mapping[str, str]) -> str:
    """The text form of an hstore."""
    return ", ".join(f"{_quoted(key)}=>{_quoted(value)}" for key, value in sorted(tags.items()))


def _stated(session: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in session.items() if value not in (None, "")}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _to_json(found: Sequence[Row]) -> str:
    return json.dumps(found, indent=2) + "\n"


def _to_csv(found: Sequence[Row]) -> str:
    """A header and a line for each row (RFC 4180); None is an empty field."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return out.getvalue()


def _to_sql(found: Sequence[Row]) -> str:
    """A table and its rows, for SQLite and PostgreSQL."""
    columns = ",\n".join(f'  "{name}" {SQL_TYPES[kind]}' for name, kind in COLUMNS.items())
    lines = ["BEGIN;", f'CREATE TABLE "{TABLE}" (\n{columns}\n);']
    lines += [f'INSERT INTO "{TABLE}" VALUES ({_literals(row.values())});' for row in found]
    return "\n".join([*lines, "COMMIT;", ""])


def _literals(values: Iterable[str | int | None]) -> str:
    return ", ".join(
        "NULL" if each is None else str(each) if isinstance(each, int) else "'" + each.replace("'", "''") + "'"
        for each in values
    )


FORMATS: Mapping[str, Callable[[Sequence[Row]], str]] = {"csv": _to_csv, "json": _to_json, "sql": _to_sql}
"""How rows are written, by the format's name."""
