"""The tables of the store, the same on SQLite and PostgreSQL.

``halfsilver_meta``     named numbers: the version of these tables, and the generation
``halfsilver_records``  one row per object of the API (``operations.Record``)
XX"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, MetaData, String, Table

from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.records import METRICS

__all__ = [
    "SCHEMA_VERSION",
    "endpoint_minutes",
    "link",
    "links",
    "links_table",
    "meta",
    "metadata",
    "minutes",
    "records",
]

SCHEMA_VERSION = 4
"""Goes up with every change of the tables or of what records hold, and ``migrations`` has the step that leads there."""

_serial = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column of its type INTEGER."""

metadata = MetaData()

meta = Table(
    "halfsilver_meta", metadata, Column("name", String, primary_key=True), Column("value", BigInteger, nullable=False)
)

records = Table(
    "halfsilver_records",
    metadata,
    Column("serial", _serial, primary_key=True),
    Column("kind", String, nullable=False),
    Column("id", String, nullable=False, unique=True),
    Column("account", String, nullable=False),
    Column("parent", String, nullable=False),
    Column("slot", String, nullable=False),
    Column("document", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("note", JSON, nullable=False),
    Column("region", String, nullable=False, server_default=""),  # "" is the server's own
    sqlite_autoincrement=True,  # a serial is never used twice, not even that of a deleted record
)
Index("halfsilver_records_by_account", records.c.kind, records.c.account, records.c.serial)
Index("halfsilver_records_by_parent", records.c.kind, records.c.parent, records.c.serial)
_taken = records.c.slot != ""
Index(
    "halfsilver_records_slot",
    records.c.kind,
    records.c.parent,
    records.c.slot,
    unique=True,
    sqlite_where=_taken,
    postgresql_where=_taken,
)

links_table = Table(
    "halfsilver_links",
    metadata,
    Column("serial", _serial, primary_key=True, autoincrement=False),
    Column("name", String, primary_key=True),
    sqlite_with_rowid=False,  # one tree less to write; a file from before has it, and works the same
)
Index("halfsilver_links_by_name", links_table.c.name, links_table.c.serial)

minutes = Table(
    "halfsilver_minutes",
    metadata,
    Column("minute", BigInteger, primary_key=True, autoincrement=False),  # its first second, since 1970
    Column("session", String, primary_key=True),
    Column("interface", String, nullable=False),
    Column("instance", String, nullable=False),
    Column("account", String, nullable=False),  # the interface's
    *(Column(name, BigInteger, nullable=False) for name in METRICS),
)
Index("halfsilver_minutes_by_instance", minutes.c.account, minutes.c.instance, minutes.c.minute)

endpoint_minutes = Table(
    "halfsilver_endpoint_minutes",
    metadata,
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("endpoint", String, primary_key=True),
    Column("account", String, nullable=False),  # the endpoint's
    Column("bytes", BigInteger, nullable=False),
)

_MEMBERS = {
    Kind.SESSION: ("TrafficMirrorTargetId", "TrafficMirrorFilterId", "VirtualNetworkId"),
    Kind.TARGET: ("NetworkInterfaceId", "NetworkLoadBalancerArn", "GatewayLoadBalancerEndpointId"),
    Kind.SHARE_ASSOCIATION: ("associatedEntity",),
}
"""Members of the documents of a kind by which its records are looked for."""


def link(member: str, value: object) -> str:
    """How a mention is written in the table of links."""
    return f"{member}={value}"


def links(record: Record) -> set[str]:
    """What a record mentions: see ``Transaction.find``, parameter ``where``."""
    found = {link(name, record.document[name]) for name in _MEMBERS.get(record.kind, ()) if name in record.document}
    if record.kind == Kind.INTERFACE:
        found.update(_interface_links(record))
    return found


def _interface_links(record: Record) -> Iterator[str]:
    """An interface is found by its addresses, and by the description that AWS gives those of load balancers."""
    document = record.document
    if document.get("Description", "").startswith("ELB "):
        yield link("Description", document["Description"])
    written = [document.get("PrivateIpAddress"), document.get("Ipv6Address")]
    written += [each.get("PrivateIpAddress") for each in document.get("PrivateIpAddresses", ())]
    written += [each.get("Ipv6Address") for each in document.get("Ipv6Addresses", ())]
    for text in written:
        if text:
            yield link("Address", ipaddress.ip_address(text))
