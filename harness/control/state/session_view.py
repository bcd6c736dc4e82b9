"""The sessions in the store as a view for other programs, in the store's own database.

Its name and columns are those of ``halfsilver.harness.report.session_table``, which makes the same rows of a policy.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy
from sqlalchemy import Connection

from halfsilver.harness.control.state.record import Kind
from halfsilver.harness.control.state.tables import records
from halfsilver.harness.report.session_table import COLUMNS, MEMBERS, TABLE, Row

__all__ = ["SessionView"]

_SEEN = f"""
    SELECT serial, account FROM {records.name} WHERE kind = '{Kind.SESSION}'
    UNION
    SELECT session.serial, target.account
    FROM {records.name} AS session JOIN {records.name} AS target
        ON target.kind = '{Kind.TARGET}' AND target.id = %(target)s
    WHERE session.kind = '{Kind.SESSION}'
"""
"""Which accounts describe which sessions: the owner, and the owner of the target."""
_QUOTED = """'"' || replace(replace({}, '\\', '\\\\'), '"', '\\"') || '"'"""
_TAG = f"{_QUOTED.format('key')} || '=>' || {_QUOTED.format('value')}"
_TAGS = {
    "sqlite": f"SELECT group_concat({_TAG}, ', ') FROM (SELECT key, value FROM json_each(session.tags) ORDER BY key)",
    "postgresql": f"SELECT string_agg({_TAG}, ', ' ORDER BY key COLLATE \"C\") FROM json_each_text(session.tags)",
}
"""The text form of an hstore: in SQLite the subquery's order is that of the aggregate, PostgreSQL is told."""
_MEMBER = {"sqlite": "json_extract(session.document, '$.{}')", "postgresql": "session.document ->> '{}'"}
_BEGIN = {"sqlite": "CREATE VIEW", "postgresql": "CREATE OR REPLACE VIEW"}


class SessionView:
    """The view within one transaction; ``check_writable`` raises where that one may only read."""

    def __init__(self, connection: Connection, check_writable: Callable[[], None]) -> None:
        self._connection = connection
        self._check_writable = check_writable

    def define(self, region: str) -> None:
        """Make it; ``region`` is the server's own, which only the server knows."""
        self._check_writable()
        dialect = self._connection.dialect.name
        if dialect == "sqlite":
            self._connection.exec_driver_sql(f'DROP VIEW IF EXISTS "{TABLE}"')
        self._connection.exec_driver_sql(f'{_BEGIN[dialect]} "{TABLE}" AS {_select(dialect, region)}')

    def rows(self) -> list[Row] | None:
        """All rows in order of ``_key`` and ``account_id``; None: there is no view yet."""
        if TABLE not in sqlalchemy.inspect(self._connection).get_view_names():
            return None
        found = self._connection.exec_driver_sql(f'SELECT * FROM "{TABLE}"').mappings()
        return sorted((dict(row) for row in found), key=lambda row: (row["_key"], row["account_id"]))


def _select(dialect: str, region: str) -> str:
    quoted = region.replace("'", "''")
    there = f"CASE session.region WHEN '' THEN '{quoted}' ELSE session.region END"
    own = {
        "_key": f"'arn:aws:ec2:' || {there} || ':' || session.account || ':traffic-mirror-session/' || session.id",
        "account_id": "CAST(seen.account AS TEXT)",
        "tags": f"CASE WHEN seen.account = session.account THEN coalesce(({_TAGS[dialect]}), '') ELSE '' END",
    }
    columns = [
        f"{own[name] if name in own else _member(dialect, name, kind)} AS {name}" for name, kind in COLUMNS.items()
    ]
    seen = _SEEN.replace("%(target)s", _MEMBER[dialect].format(MEMBERS["traffic_mirror_target_id"]))
    return f"SELECT {', '.join(columns)} FROM ({seen}) AS seen JOIN {records.name} AS session USING (serial)"


def _member(dialect: str, column: str, kind: str) -> str:
    value = _MEMBER[dialect].format(MEMBERS[column])
    return f"CAST({value} AS BIGINT)" if kind == "int64" else value
