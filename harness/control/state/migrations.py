"""Tables of earlier versions made those of today, step by step; alembic knows how each database changes a table.

A step is what a version has otherwise than the one before, and is never changed again: so it names columns itself, and
does not look at ``tables``. The number in ``halfsilver_meta`` says which steps are still to be taken; it changes in one
transaction with the tables, so a server that dies meanwhile has taken none. Imported where there is a step to take, as
alembic takes longer to import than all of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import BigInteger, Column, Connection, PrimaryKeyConstraint, String

__all__ = ["migrate"]

_METRICS = (
    *("NetworkMirrorIn", "NetworkMirrorOut", "NetworkPacketsMirrorIn", "NetworkPacketsMirrorOut"),
    *("NetworkSkipMirrorIn", "NetworkSkipMirrorOut", "NetworkPacketsSkipMirrorIn", "NetworkPacketsSkipMirrorOut"),
)


def migrate(connection: Connection, version: int, wanted: int) -> None:
    """All steps from a version to another; the number is for the caller to write."""
    operations = Operations(MigrationContext.configure(connection))
    for number in range(version + 1, wanted + 1):
        _STEPS[number](operations)


def _minutes(operations: Operations) -> None:
    """What sessions have mirrored by the minute. Later programs of version 1 made this table without a new number."""
    operations.create_table(
        "halfsilver_minutes",
        Column("minute", BigInteger, nullable=False),
        *(Column(name, String, nullable=False) for name in ("session", "interface", "instance", "account")),
        *(Column(name, BigInteger, nullable=False) for name in _METRICS),
        PrimaryKeyConstraint("minute", "session"),
        if_not_exists=True,
    )
    operations.create_index(
        "halfsilver_minutes_by_instance", "halfsilver_minutes", ["account", "instance", "minute"], if_not_exists=True
    )


def _region(operations: Operations) -> None:
    """Whose region a record is of; until then there was one."""
    operations.add_column("halfsilver_records", Column("region", String, nullable=False, server_default=""))


def _endpoint_minutes(operations: Operations) -> None:
    """What endpoints have been sent by the minute."""
    operations.create_table(
        "halfsilver_endpoint_minutes",
        Column("minute", BigInteger, nullable=False),
        *(Column(name, String, nullable=False) for name in ("endpoint", "account")),
        Column("bytes", BigInteger, nullable=False),
        PrimaryKeyConstraint("minute", "endpoint"),
    )


_STEPS: Mapping[int, Callable[[Operations], None]] = {2: _minutes, 3: _region, 4: _endpoint_minutes}
"""By the version that each leads to."""
