"""Where the state of the control plane is kept: one table of records, in SQLite or PostgreSQL.

    store = Store("state.sqlite")                 # or postgresql://user@host/database
    with store.begin(write=True) as transaction:  # commits at the end, rolls back at an exception
        transaction.insert(Record(Kind.FILTER, "tmf-...", "123456789012", {...}))

What has been committed survives the loss of the process and of power (SQLite: write-ahead log, synchronous=FULL).
Writers come one after the other, over all processes and servers: on SQLite by its own lock, on PostgreSQL by the lock
of one row. So what a writer reads stays true until it commits, and quotas hold. Readers see one moment and wait for
nobody.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection, StaticPool

from halfsilver.harness.control.state import statements
from halfsilver.harness.control.state.prepared import Prepared
from halfsilver.harness.control.state.tables import SCHEMA_VERSION, meta, metadata
from halfsilver.harness.control.state.transaction import GENERATION, HOME, IdTaken, SlotTaken, Transaction
from halfsilver.harness.errors import EXIT_ENVIRONMENT, EnvironmentMissing, HalfsilverError, UsageError

__all__ = ["HOME", "IdTaken", "SlotTaken", "Store", "StoreError", "Transaction"]

_SCHEMA = "schema"
_POOL = 20
"""Connections that are kept: one for each thread that a server has, and some."""
_DECODER = json.JSONDecoder()
_IN_MEMORY = (None, "", ":memory:")
_INTERNAL = ("sqlite_", "halfsilver_")


class StoreError(HalfsilverError):
    """The database cannot be used: which one, and why."""

    exit_code = EXIT_ENVIRONMENT


class Store:
    """A database with the state. Threads may share it.

    url      a file name (SQLite; made if it is not there), ``sqlite://`` for one in memory (one thread at a time), or
             ``postgresql://user:password@host/database``
    timeout  seconds to wait for another writer
    make     make the tables where there are none; without, StoreError

    StoreError, in one line: the file cannot be read, is locked or is no database, the server does not answer, or the
    tables are those of a newer version.
    """

    def __init__(self, url: str, timeout: float = 10.0, *, make: bool = True) -> None:
        parsed = _parse(url)
        self.name = _name(parsed)
        self._engine = _connect(parsed, timeout)
        self._idle: deque[PoolProxiedConnection] = deque()
        """Connections to a file, which nobody cuts: the pool takes longer to look after one than SQLite to read."""
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        self._prepared = Prepared(self._engine.dialect, _from_json if self._is_sqlite else None)
        self._errors = (SQLAlchemyError, self._engine.dialect.dbapi.Error)  # type: ignore[union-attr]  # there is a driver
        try:
            with self.begin(write=make, fresh=make) as transaction:
                self._prepare(transaction.connection, make)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def begin(self, write: bool = False, *, fresh: bool = False) -> Iterator[Transaction]:
        """A transaction: committed at the end of the block, rolled back if an exception leaves it.

        ``fresh``: the tables may not be there yet.
        """
        try:
            driven = self._take()
            try:
                cursor = driven.cursor()
                transaction = Transaction(self._engine, self._prepared, driven, cursor, write)
                try:
                    self._open(driven, cursor, write, fresh)
                    yield transaction
                    cursor.execute("COMMIT")
                except BaseException:
                    with suppress(*self._errors):
                        cursor.execute("ROLLBACK")
                    raise
            finally:
                self._give_back(driven)
        except self._errors as error:
            raise StoreError(
                f"the state in {self.name} cannot be {'written' if write else 'read'}: {_reason(error)}"
            ) from error

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
        self._engine.dispose()

    def _take(self) -> PoolProxiedConnection:
        """A connection for this thread alone."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._engine.raw_connection()

    def _give_back(self, driven: PoolProxiedConnection) -> None:
        if self._is_sqlite:
            self._idle.append(driven)
        else:
            driven.close()

    def _open(self, driven: PoolProxiedConnection, cursor: Any, write: bool, fresh: bool) -> None:
        """Begin; drivers are told to begin nothing by themselves."""
        if self._is_sqlite:
            cursor.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            return
        driver: Any = driven.driver_connection
        driver.autocommit = True
        cursor.execute("BEGIN" if write else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if write and fresh:  # one writer at a time; while there may be no tables, by a lock that needs none
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('halfsilver'))")
        elif write:
            self._prepared.run(cursor, statements.LOCK, {"name": _SCHEMA})

    def _prepare(self, connection: Connection, make: bool) -> None:
        """Make the tables where there are none, and those of earlier versions today's.

        Those of a newer version are refused, as are other people's databases.
        """
        names = sqlalchemy.inspect(connection).get_table_names()
        if not make and meta.name not in names:
            raise StoreError(f"{self.name} has no state; name the database of a server that was started")
        if meta.name in names:
            version = connection.execute(statements.NUMBER, {"name": _SCHEMA}).scalar() or 0
            if not 1 <= version <= SCHEMA_VERSION:
                raise StoreError(
                    f"the state in {self.name} has version {version} of the tables and this program knows "
                    f"versions up to {SCHEMA_VERSION}; use the version of the program that wrote it"
                )
            if version < SCHEMA_VERSION and not make:
                raise StoreError(
                    f"the state in {self.name} has version {version} of the tables, and this program knows version "
                    f"{SCHEMA_VERSION}; the next start of its server brings them there"
                )
            if version < SCHEMA_VERSION:
                from halfsilver.harness.control.state.migrations import migrate

                migrate(connection, version, SCHEMA_VERSION)
                connection.execute(statements.SET_NUMBER, {"of": _SCHEMA, "value": SCHEMA_VERSION})
            return
        foreign = [name for name in names if not name.startswith(_INTERNAL)]
        if foreign and self._engine.dialect.name == "sqlite":
            raise StoreError(
                f"{self.name} is the database of another program (it has a table {foreign[0]}); "
                "name a file of its own for the state"
            )
        metadata.create_all(connection)
        numbers = {_SCHEMA: SCHEMA_VERSION, GENERATION: 0}
        connection.execute(statements.ADD_NUMBERS, [{"name": name, "value": value} for name, value in numbers.items()])


def _parse(url: str) -> sqlalchemy.URL:
    if "://" not in url:
        return sqlalchemy.URL.create("sqlite", database=url)
    try:
        parsed = sqlalchemy.make_url(url)
    except SQLAlchemyError:
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise UsageError(
            "the state must be a file name or a URL such as postgresql://user@host/database, not "
            f"{url.partition('://')[0]}://..."
        )
    return parsed.set(drivername="sqlite" if parsed.get_backend_name() == "sqlite" else "postgresql+psycopg")


def _name(url: sqlalchemy.URL) -> str:
    """What messages call the database: without its password."""
    if url.drivername == "sqlite":
        return url.database or "memory"
    return url.set(drivername="postgresql").render_as_string()


def _connect(url: sqlalchemy.URL, timeout: float) -> Engine:
    kept: dict[str, Any] = {"pool_size": _POOL, "pool_reset_on_return": None}  # ``Store.begin`` ends what it begins
    if url.drivername == "sqlite":
        pool = {"poolclass": StaticPool} if url.database in _IN_MEMORY else kept
        engine = sqlalchemy.create_engine(
            url,
            connect_args={"timeout": timeout, "isolation_level": None, "check_same_thread": False},
            json_deserializer=_from_json,
            **pool,
        )
        event.listen(engine, "connect", lambda connection, _: _set_up_sqlite(connection, timeout))
        return engine
    try:
        options = f"-c lock_timeout={int(timeout * 1000)}"
        arguments = {"connect_timeout": max(2, int(timeout)), "options": options}
        return sqlalchemy.create_engine(url, connect_args=arguments, pool_pre_ping=True, **kept)
    except ImportError:
        raise EnvironmentMissing(
            "PostgreSQL needs psycopg, which is not installed; pip install 'psycopg[binary]'"
        ) from None


def _from_json(text: str) -> Any:
    """``json.loads`` of what ``json.dumps`` has written, without looking for white space around it."""
    return _DECODER.raw_decode(text)[0]


def _set_up_sqlite(connection: Any, timeout: float) -> None:
    """The driver begins no transactions by itself (isolation_level None): ``Store.begin`` says which kind.

    Of several processes that give a new file its log at once, SQLite lets all but one fail instead of wait.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    connection.execute("PRAGMA synchronous = FULL")


def _reason(error: Exception) -> str:
    """What the database said, in one line and without the statement."""
    said = str(getattr(error, "orig", None) or error)
    reason = " ".join(said.split())
    return {
        "database is locked": "another process is writing to it and does not finish",
        "file is not a database": "it is no SQLite database",
        "unable to open database file": "the file cannot be opened or made; check the folder and the permissions",
    }.get(reason, reason)
