"""Reading and writing of records, within one transaction of the store."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql import Executable

from halfsilver.harness.control.state import statements
from halfsilver.harness.control.state.minutes import Minutes
from halfsilver.harness.control.state.prepared import Prepared
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.session_view import SessionView
from halfsilver.harness.control.state.tables import link, links

__all__ = ["GENERATION", "HOME", "IdTaken", "SlotTaken", "Transaction"]

HOME = ""
"""The server's own region, which has the inventory and the NIC."""
GENERATION = "generation"
"""What the number is called that ``advance`` counts up."""
_CHUNK = 500
"""Ids per query: both databases bound the parameters of a statement."""
_FEW = 10
"""Ids of a query whose answer is remembered for the rest of the transaction."""
_KINDS = {str(kind): kind for kind in Kind}
"""Looking one up in the enumeration takes several times as long."""
_REFUSED = re.compile("[\0\ud800-\udfff]")
"""Characters that no id has and databases take in no text."""


class IdTaken(Exception):
    """There is a record with this id."""


class SlotTaken(Exception):
    """There is a record of this kind, parent and slot; ``holder`` is its id."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"the slot is that of {holder}")
        self.holder = holder


class Transaction:
    """Some reading and writing that happens at one moment, or not at all."""

    def __init__(
        self, engine: Engine, prepared: Prepared, driven: PoolProxiedConnection, cursor: Any, writable: bool
    ) -> None:
        self._engine = engine
        self._prepared = prepared
        self._driven = driven
        self._cursor = cursor
        self._writable = writable
        self._connected: Connection | None = None
        self._region: str | None = None
        self._seen: dict[str, dict[str | None, Record | None]] = {}
        """By id and region what was found, or was not, and has not been written since: an operation asks for one object
        several times, and those of a group for the same."""
        self._numbers: dict[str, int] = {}
        """By name, those that were read or counted up."""
        self.changed: list[Record] = []
        """Records that were inserted, updated or deleted, in this order; in a part of it, by that part."""

    @property
    def connection(self) -> Connection:
        """The same transaction for SQLAlchemy, which does not know when it ends: for what is rarely asked."""
        if self._connected is None:
            self._connected = Connection(self._engine, self._driven)
        return self._connected

    def of_region(self, region: str) -> Transaction:
        """The same transaction, which sees and makes only the objects of one region; HOME: the server's own.

        Accounts are of all regions. What sessions have mirrored is of the server's own.
        """
        view = Transaction(self._engine, self._prepared, self._driven, self._cursor, self._writable)
        view._connected, view._region = self._connected, region
        view._seen, view._numbers, view.changed = self._seen, self._numbers, self.changed
        return view

    def regions(self, kind: Kind) -> list[str]:
        """Those that have objects of a kind."""
        return [region for (region,) in self._run(statements.REGIONS, {"kind": str(kind)})]

    @contextmanager
    def part(self) -> Iterator[None]:
        """A part of the transaction: an exception that leaves it takes back what was written in it, and no more."""
        self.changed.clear()
        self._cursor.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._seen.clear()
            self._numbers.clear()
            self._cursor.execute("ROLLBACK TO SAVEPOINT part")
            raise
        finally:
            self._cursor.execute("RELEASE SAVEPOINT part")

    # Reading.

    def get(self, kind: Kind, identifier: str) -> Record | None:
        region = None if kind == Kind.ACCOUNT else self._region
        seen = self._seen.get(identifier)
        if seen is None or region not in seen:
            self._look_up([identifier], region)
            seen = self._seen[identifier]
        record = seen[region]
        return record.copy() if record is not None and record.kind == kind else None

    def find(
        self,
        kind: Kind | Collection[Kind],
        *,
        account: str | None = None,
        parent: str | Collection[str] | None = None,
        identifiers: Sequence[str] | None = None,
        where: tuple[str, object] | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Record]:
        """Records of one kind or several, in order of creation.

        account, parent  only those of this account, of this parent or one of these (at most a thousand)
        identifiers      only those with these ids
        where            only those whose document has this value for this member; ``tables.links`` knows which
                         members can be asked for
        after, limit     only behind this serial, and only so many
        """
        kinds = (kind,) if isinstance(kind, str) else tuple(kind)
        if parent is not None and not parent and not isinstance(parent, str):
            return []
        if (
            identifiers is not None
            and len(identifiers) <= _FEW
            and (account, parent, where, after) == (None,) * 3 + (0,)
        ):
            found = self._of_ids(identifiers, None if kinds == (Kind.ACCOUNT,) else self._region)
            return sorted((each for each in found if each.kind in kinds), key=_serial)[:limit]
        # An id is found by its own index; the kinds are then looked at here.
        asked = statements.asked(() if identifiers is not None else kinds, account, parent, where)
        asked |= {} if kinds == (Kind.ACCOUNT,) else self._of_region()
        if after:
            asked["after"] = after
        if limit is not None:
            asked["limit"] = limit
        if identifiers is None:
            return self._fetch(asked)
        known = sorted({each for each in identifiers if not _REFUSED.search(each)})
        found = [
            record
            for start in range(0, len(known), _CHUNK)
            for record in self._fetch(asked | statements.one_or_several("id", known[start : start + _CHUNK]))
            if record.kind in kinds
        ]
        return sorted(found, key=_serial)[:limit]

    def count(
        self,
        kind: Kind,
        *,
        account: str | None = None,
        parent: str | None = None,
        where: tuple[str, object] | None = None,
        limit: int | None = None,
    ) -> int:
        """How many there are; with a limit, what is below it may be more than there are.

        Those of all regions are counted in an index alone, which is mostly enough to know.
        """
        asked = statements.asked((kind,), account, parent, where)
        if limit is not None and self._region is not None:
            everywhere = int(self._run(statements.counting(tuple(asked)), asked)[0][0])
            if everywhere < limit:
                return everywhere
        asked |= self._of_region()
        return int(self._run(statements.counting(tuple(asked)), asked)[0][0])

    def mentions(self, member: str, value: object) -> int:
        """How many records of any kind, account and region have this value for this member; see ``tables.links``."""
        return int(self._run(statements.MENTIONS, {"link": link(member, value)})[0][0])

    def generation(self) -> int:
        """How many changes of the mirroring policy have been committed; with ``advance``, this one included."""
        return self._number(GENERATION)

    @property
    def minutes(self) -> Minutes:
        """What sessions have mirrored, minute by minute."""
        return Minutes(self.connection, self._check_writable, empty=bool(self._region))

    @property
    def session_view(self) -> SessionView:
        """The sessions as a view for other programs."""
        return SessionView(self.connection, self._check_writable)

    # Writing.

    def insert(self, record: Record) -> None:
        """Add a record and set its serial. IdTaken, SlotTaken: there is such a record."""
        self._check_writable()
        values = {"kind": str(record.kind), "id": record.id, "region": self._region or HOME, **_values(record)}
        added = self._run(statements.ADD_RECORD, values)
        if not added:
            if not self._run(statements.OF_ID, {"id": record.id}):
                self._check_slot(record)
            raise IdTaken(record.id)
        record.serial = int(added[0][0])
        self._link(record)
        self._note(record)

    def update(self, record: Record) -> None:
        """Keep what has changed in a record that was read. SlotTaken: another record has the slot."""
        self._check_writable()
        self._check_slot(record)
        self._run(statements.CHANGE_RECORD, {"of": record.serial, **_values(record)})
        self._unlink(record)
        self._link(record)
        self._note(record)

    def delete(self, record: Record) -> None:
        self._check_writable()
        self._unlink(record)
        self._run(statements.DROP_RECORD, {"of": record.serial})
        self._note(record)

    def advance(self) -> int:
        """Count a change of the mirroring policy; the new generation."""
        self._check_writable()
        self._numbers[GENERATION] = new = int(self._run(statements.ADVANCE, {"of": GENERATION})[0][0])
        return new

    # Inside.

    def _note(self, record: Record) -> None:
        """It has been written."""
        self.changed.append(record)
        self._seen.pop(record.id, None)

    def _of_ids(self, identifiers: Sequence[str], region: str | None) -> list[Record]:
        """Those that there are, for whoever asks to change; those that were not seen yet, by one query."""
        wanted = dict.fromkeys(identifiers)
        missing = [each for each in wanted if region not in self._seen.get(each, ())]
        if missing:
            self._look_up(missing, region)
        return [record.copy() for each in wanted if (record := self._seen[each][region]) is not None]

    def _look_up(self, identifiers: Sequence[str], region: str | None) -> None:
        """See those that were not seen yet, each of them once."""
        known = [each for each in identifiers if each and not _REFUSED.search(each)]
        place = {} if region is None else {"region": region}
        rows = self._fetch(statements.one_or_several("id", known) | place) if known else []
        found = {record.id: record for record in rows}
        for identifier in identifiers:
            self._seen.setdefault(identifier, {})[region] = found.get(identifier)

    def _of_region(self) -> dict[str, Any]:
        """The condition of the region, if there is one."""
        return {} if self._region is None else {"region": self._region}

    def _fetch(self, asked: dict[str, Any]) -> list[Record]:
        rows = self._run(statements.finding(tuple(asked)), asked)
        return [Record(_KINDS[kind], *rest) for kind, *rest in rows]

    def _run(self, statement: Executable, given: Mapping[str, Any]) -> list[Sequence[Any]]:
        return self._prepared.run(self._cursor, statement, given)

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = int(self._run(statements.NUMBER, {"name": name})[0][0])
        return self._numbers[name]

    def _check_writable(self) -> None:
        if not self._writable:
            raise RuntimeError(
                "a transaction that was begun for reading cannot write; register the operation with writes=True"
            )

    def _check_slot(self, record: Record) -> None:
        if not record.slot:
            return
        slot = {"kind": str(record.kind), "parent": record.parent, "slot": record.slot, "id": record.id}
        holders = self._run(statements.HOLDER, slot)
        if holders:
            raise SlotTaken(holders[0][0])

    def _link(self, record: Record) -> None:
        self._prepared.run_each(
            self._cursor,
            statements.ADD_LINKS,
            [{"serial": record.serial, "name": name} for name in sorted(links(record))],
        )

    def _unlink(self, record: Record) -> None:
        self._run(statements.DROP_LINKS, {"of": record.serial})


def _serial(record: Record) -> int:
    return record.serial


def _values(record: Record) -> dict[str, Any]:
    return {
        "account": record.account,
        "parent": record.parent,
        "slot": record.slot,
        "document": record.document,
        "tags": record.tags,
        "note": record.note,
    }
