"""Stores that earlier programs left: they open, keep what they hold, and have today's tables then."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from halfsilver.harness.control.state.store import Store
from halfsilver.harness.control.state.tables import SCHEMA_VERSION

STORES = Path(__file__).parents[1] / "server" / "stores"


def url_of(database):
    return f"sqlite:///{database}" if "://" not in database else database.replace("postgresql:", "postgresql+psycopg:")


def structure(database):
    """Columns, keys and indexes of all tables, and the number of their version."""
    engine = sqlalchemy.create_engine(url_of(database))
    try:
        with engine.connect() as connection:
            known = sqlalchemy.inspect(connection)
            tables = {
                name: (
                    [(each["name"], str(each["type"]), each["nullable"]) for each in known.get_columns(name)],
                    known.get_pk_constraint(name)["constrained_columns"],
                    sorted(
                        (each["name"] or "", tuple(each["column_names"]), bool(each["unique"]))
                        for each in known.get_indexes(name)
                    ),
                )
                for name in known.get_table_names()
                if name.startswith("halfsilver_")
            }
            version = connection.execute(
                sqlalchemy.text("SELECT value FROM halfsilver_meta WHERE name = 'schema'")
            ).scalar()
        return tables, version
    finally:
        engine.dispose()


def fresh(database):
    Store(database).close()
    return structure(database)


@pytest.mark.parametrize(("name", "filters"), [("version_1", 1), ("version_1_minutes", 1)])
def test_a_store_of_version_1_opens_with_all_that_it_holds(name, filters, tmp_path):
    old = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(old)) as database:
        database.executescript((STORES / f"{name}.sql").read_text(encoding="utf-8"))
        before = list(database.execute("SELECT * FROM halfsilver_records"))
    for _ in range(2):  # the second time there is nothing to do
        with closing(Store(str(old))) as store, store.begin() as transaction:
            [each] = transaction.find("session")
            assert each.document["VirtualNetworkId"] == 7 and transaction.count("filter") == filters
            assert transaction.count("session", where=("VirtualNetworkId", 7)) == 1
    with closing(sqlite3.connect(old)) as database:
        assert list(database.execute("SELECT * FROM halfsilver_records")) == [(*row, "") for row in before]
        minutes = list(database.execute("SELECT * FROM halfsilver_minutes"))
    assert [row[5:] for row in minutes] == ([tuple(range(1, 9))] if name == "version_1_minutes" else [])
    assert structure(str(old)) == fresh(str(tmp_path / "new.sqlite"))


def test_both_databases_get_the_same_tables(database):
    """The first tables of version 1, as today's without what came since."""
    wanted = fresh(database)
    assert wanted[1] == SCHEMA_VERSION
    engine = sqlalchemy.create_engine(url_of(database))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE halfsilver_minutes"))
        connection.execute(sqlalchemy.text("DROP TABLE halfsilver_endpoint_minutes"))
        connection.execute(sqlalchemy.text("ALTER TABLE halfsilver_records DROP COLUMN region"))
        connection.execute(sqlalchemy.text("UPDATE halfsilver_meta SET value = 1 WHERE name = 'schema'"))
    engine.dispose()
    assert structure(database) != wanted
    assert fresh(database) == wanted


def test_a_step_that_fails_leaves_the_store_as_it_was(tmp_path):
    """Somebody has an index of that name on another table."""
    old = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(old)) as database:
        database.executescript((STORES / "version_1.sql").read_text(encoding="utf-8"))
        database.execute("CREATE VIEW halfsilver_minutes AS SELECT 1 AS minute")
    before = structure(str(old))
    with pytest.raises(Exception, match=r"halfsilver_minutes|view"):
        Store(str(old))
    assert structure(str(old)) == before


def test_a_store_of_today_needs_no_alembic(tmp_path):
    """It takes longer to import than all of the store."""
    code = (
        "import sys; from halfsilver.harness.control.state.store import Store; "
        "Store(sys.argv[1]).close(); Store(sys.argv[1]).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "new.sqlite")], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "False", done.stderr
