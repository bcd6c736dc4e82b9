"""The SQL statements of the store, each built once: that takes SQLAlchemy longer than the database needs to run one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import sqlalchemy
from sqlalchemy import Select, bindparam, func, insert, select, update

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
    "NUMBER",
    "OF_ID",
    "asked",
    "counting",
    "finding",
    "one_or_several",
]

_MENTIONS = select(links_table.c.serial).where(links_table.c.name == bindparam("link"))
_CONDITIONS = {
    "kind": records.c.kind == bindparam("kind"),
    "kinds": records.c.kind.in_(bindparam("kinds", expanding=True)),
    "account": records.c.account == bindparam("account"),
    "parent": records.c.parent == bindparam("parent"),
    "parents": records.c.parent.in_(bindparam("parents", expanding=True)),
    "link": records.c.serial.in_(_MENTIONS),
    "after": records.c.serial > bindparam("after"),
    "id": records.c.id == bindparam("id"),
    "ids": records.c.id.in_(bindparam("ids", expanding=True)),
}
"""By the name of the parameter that each has."""

_COLUMNS = [
    records.c[name] for name in ("kind", "id", "account", "document", "tags", "parent", "slot", "note", "serial")
]
"""In the order of ``Record``."""


def asked(
    kind: Kind | Collection[Kind],
    account: str | None,
    parent: str | Collection[str] | None,
    where: tuple[str, object] | None,
) -> dict[str, Any]:
    """The parameters of a search, which name its conditions; see ``Transaction.find``."""
    found = one_or_several("kind", [str(each) for each in ((kind,) if isinstance(kind, str) else kind)])
    if account is not None:
        found["account"] = account
    if parent is not None:
        found |= one_or_several("parent", [parent] if isinstance(parent, str) else list(parent))
    if where is not None:
        found["link"] = link(*where)
    return found


def one_or_several(name: str, values: Sequence[str]) -> dict[str, Any]:
    """The parameter for one value or, which takes longer, for any number of them."""
    return {name: values[0]} if len(values) == 1 else {f"{name}s": values}


@cache
def finding(names: tuple[str, ...]) -> Select[Any]:
    """Records in order of creation, by the conditions of these parameters and the number ``limit`` if it is one."""
    conditions = [_CONDITIONS[name] for name in names if name != "limit"]
    query = select(*_COLUMNS).where(*conditions).order_by(records.c.serial)
    return query.limit(bindparam("limit")) if "limit" in names else query


@cache
def counting(names: tuple[str, ...]) -> Select[Any]:
    """How many there are."""
    return select(func.count()).select_from(records).where(*(_CONDITIONS[name] for name in names))


OF_ID = select(records.c.serial).where(records.c.id == bindparam("id"))
HOLDER = select(records.c.id).where(
    *(records.c[name] == bindparam(name) for name in ("kind", "parent", "slot")), records.c.id != bindparam("id")
)
"""Another record with this slot."""

ADD_RECORD = insert(records).returning(records.c.serial)
CHANGE_RECORD = update(records).where(records.c.serial == bindparam("of"))
DROP_RECORD = sqlalchemy.delete(records).where(records.c.serial == bindparam("of"))
ADD_LINKS = insert(links_table)
DROP_LINKS = sqlalchemy.delete(links_table).where(links_table.c.serial == bindparam("of"))

NUMBER = select(meta.c.value).where(meta.c.name == bindparam("name"))
LOCK = NUMBER.with_for_update()
ADVANCE = update(meta).where(meta.c.name == bindparam("of")).values(value=meta.c.value + 1)
ADD_NUMBERS = insert(meta)
