"""The SQL statements of the store, each built once: that takes SQLAlchemy longer than the database needs to run one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import sqlalchemy
from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql

from halfsilver.harness.control.state.record import Kind
from halfsilver.harness.control.state.tables import link, links_table, meta, records

__all__ = [
    "ADD_LINKS",
    "ADD_NUMBERS",
    "ADD_RECORD",
    "ADVANCE",
    "CHANGE_RECORD",
    "DROP_LINKS",
    "DROP_RECORD",
    "HOLDER",
    "LOCK",
    "MENTIONS",
    "NUMBER",
    "OF_ID",
    "REGIONS",
    "SET_NUMBER",
    "asked",
    "counting",
    "finding",
    "one_or_several",
]

_OF_LINK = select(links_table.c.serial).where(links_table.c.name == bindparam("link"))
_CONDITIONS = {
    "kind": records.c.kind == bindparam("kind"),
    "account": records.c.account == bindparam("account"),
    "parent": records.c.parent == bindparam("parent"),
    "link": records.c.serial.in_(_OF_LINK),
    "after": records.c.serial > bindparam("after"),
    "id": records.c.id == bindparam("id"),
    "region": records.c.region == bindparam("region"),
}
"""By the name of the parameter that each has."""
_SEVERAL = {"kinds": records.c.kind, "parents": records.c.parent, "ids": records.c.id}
"""Columns that may have one of several values; parameters ``ids_0``, ``ids_1`` and so on."""

_COLUMNS = [
    records.c[name] for name in ("kind", "id", "account", "document", "tags", "parent", "slot", "note", "serial")
]
"""In the order of ``Record``."""


def asked(
    kinds: Collection[Kind], account: str | None, parent: str | Collection[str] | None, where: tuple[str, object] | None
) -> dict[str, Any]:
    """The parameters of a search, which name its conditions; see ``Transaction.find``. No kinds: of any."""
    found = one_or_several("kind", [str(each) for each in kinds]) if kinds else {}
    if account is not None:
        found["account"] = account
    if parent is not None:
        found |= one_or_several("parent", [parent] if isinstance(parent, str) else list(parent))
    if where is not None:
        found["link"] = link(*where)
    return found


def one_or_several(name: str, values: Sequence[str]) -> dict[str, Any]:
    """The parameters for at least one value. Several are made a power of two by the last one, for fewer statements."""
    if len(values) == 1:
        return {name: values[0]}
    padded = [*values, *[values[-1]] * ((1 << (len(values) - 1).bit_length()) - len(values))]
    return {f"{name}s_{number}": value for number, value in enumerate(padded)}


@cache
def finding(names: tuple[str, ...]) -> Select[Any]:
    """Records in order of creation, by the conditions of these parameters and the number ``limit`` if it is one."""
    query = select(*_COLUMNS).where(*_conditions(names)).order_by(records.c.serial)
    return query.limit(bindparam("limit")) if "limit" in names else query


@cache
def counting(names: tuple[str, ...]) -> Select[Any]:
    """How many there are."""
    return select(func.count()).select_from(records).where(*_conditions(names))


def _conditions(names: tuple[str, ...]) -> list[ColumnElement[bool]]:
    found = [_CONDITIONS[name] for name in names if name in _CONDITIONS]
    for prefix, column in _SEVERAL.items():
        values: list[BindParameter[str]] = [bindparam(name) for name in names if name.startswith(f"{prefix}_")]
        if values:
            found.append(column.in_(values))
    return found


OF_ID = select(records.c.serial).where(records.c.id == bindparam("id"))
HOLDER = select(records.c.id).where(
    *(records.c[name] == bindparam(name) for name in ("kind", "parent", "slot")), records.c.id != bindparam("id")
)
"""Another record with this slot."""

ADD_RECORD = postgresql.insert(records).on_conflict_do_nothing().returning(records.c.serial)
"""No row: there is one with this id or slot. SQLite has the same clause, and SQLAlchemy writes it for both."""
CHANGE_RECORD = update(records).where(records.c.serial == bindparam("of"))
DROP_RECORD = sqlalchemy.delete(records).where(records.c.serial == bindparam("of"))
ADD_LINKS = insert(links_table)
DROP_LINKS = sqlalchemy.delete(links_table).where(links_table.c.serial == bindparam("of"))

MENTIONS = select(func.count()).select_from(links_table).where(links_table.c.name == bindparam("link"))

REGIONS = select(records.c.region).where(records.c.kind == bindparam("kind")).distinct().order_by(records.c.region)

NUMBER = select(meta.c.value).where(meta.c.name == bindparam("name"))
LOCK = NUMBER.with_for_update()
ADVANCE = update(meta).where(meta.c.name == bindparam("of")).values(value=meta.c.value + 1).returning(meta.c.value)
SET_NUMBER = update(meta).where(meta.c.name == bindparam("of"))
ADD_NUMBERS = insert(meta)
