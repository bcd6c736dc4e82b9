"""The store, on SQLite and on a real PostgreSQL: records, one writer at a time, sudden ends, unusable databases."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from halfsilver.harness.control.inventory import inventory_file
from halfsilver.harness.control.operations.call import Settings
from halfsilver.harness.control.state.record import Record
from halfsilver.harness.control.state.store import IdTaken, SlotTaken, Store, StoreError
from halfsilver.harness.errors import HalfsilverError, UsageError
from tests.control.kits.inventory_kit import example
from tests.control.kits.mirror_kit import crowd, crowded

WRITER = Path(__file__).parents[1] / "kits" / "store_writer.py"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(database):
    store = Store(database, timeout=5)
    yield store
    store.close()


def session(number, eni_id="eni-1", account="1", target="tmt-1", **fields):
    return Record(
        "session",
        f"tms-{eni_id}-{number}",
        account,
        {"TrafficMirrorTargetId": target, "VirtualNetworkId": number, **fields},
        {"b": "1", "a": "ä\0"},
        eni_id,
        str(number),
        {"n": [1, None, {"x": 1.5}]},
    )


def add(store, *records):
    with store.begin(write=True) as transaction:
        for record in records:
            transaction.insert(record)


def names(records):
    return [record.id for record in records]


def test_a_record_comes_back_as_it_went_in(store):
    written = session(1, Description="zwölf \U0001f600")
    add(store, written)
    with store.begin() as transaction:
        read = transaction.get("session", written.id)
        assert read == written and read.serial > 0
        assert list(read.tags) == ["b", "a"]
        assert transaction.get("filter", written.id) is None
        assert transaction.get("session", "tms-\0") is transaction.get("session", "\ud800") is None


def test_finding_and_counting(store):
    one, two, three = session(1), session(2, account="2", target="tmt-2"), session(1, "eni-2")
    other = Record("filter", "tmf-1", "1", {})
    add(store, three, one, other, two)
    with store.begin() as transaction:
        find, count = transaction.find, transaction.count
        assert names(find("session")) == [three.id, one.id, two.id]
        assert names(find(("session", "filter"))) == [three.id, one.id, "tmf-1", two.id]
        assert names(find("session", account="1")) == [three.id, one.id]
        assert names(find("session", parent="eni-1")) == [one.id, two.id]
        assert names(find("session", parent=["eni-1", "eni-2", "eni-3"], account="2")) == [two.id]
        assert names(find("session", parent=[])) == []
        assert names(find("session", identifiers=[two.id, "no", three.id, three.id])) == [three.id, two.id]
        assert names(find("session", identifiers=[])) == []
        assert names(find("session", where=("TrafficMirrorTargetId", "tmt-1"))) == [three.id, one.id]
        assert names(find("session", where=("VirtualNetworkId", 2))) == [two.id]
        assert names(find("session", after=three.serial, limit=1)) == [one.id]
        assert (
            count("session"),
            count("session", account="1"),
            count("session", parent="eni-1"),
            count("session", where=("VirtualNetworkId", 1)),
            count("target"),
        ) == (3, 2, 2, 2, 0)


def test_many_ids_at_once(store):
    add(store, *(Record("filter", f"tmf-{number}", "1", {}) for number in range(1200)))
    with store.begin() as transaction:
        found = transaction.find("filter", identifiers=[f"tmf-{number}" for number in reversed(range(1500))])
        assert names(found) == [f"tmf-{number}" for number in range(1200)]
        assert len(transaction.find("filter", identifiers=[f"tmf-{number}" for number in range(1200)], limit=7)) == 7


def test_changing_and_deleting(store):
    record = session(1)
    add(store, record)
    with store.begin(write=True) as transaction:
        record.document["TrafficMirrorTargetId"], record.slot, record.tags, record.note = "tmt-2", "5", {}, {}
        transaction.update(record)
        assert transaction.find("session", where=("TrafficMirrorTargetId", "tmt-1")) == []
        assert transaction.find("session", where=("TrafficMirrorTargetId", "tmt-2")) == [record]
    again = session(1)
    again.id = "tms-other"
    add(store, again)
    with store.begin(write=True) as transaction:
        transaction.delete(record)
        assert transaction.find("session", where=("TrafficMirrorTargetId", "tmt-2")) == []
    with store.begin() as transaction:
        assert names(transaction.find("session")) == ["tms-other"]


def test_what_was_found_by_its_id_is_found_as_it_was_written_last(store):
    """An operation asks several times for one object, and those of a group for the same."""

    def found(transaction, identifier):
        read = transaction.get("session", identifier)
        return None if read is None else (read.document.get("Description"), read.note)

    one, two = session(1, Description="old"), session(2)
    add(store, one)
    with store.begin(write=True) as transaction:
        abroad = transaction.of_region("eu-west-1")
        assert found(abroad, one.id) == found(abroad, two.id) is None
        read = transaction.get("session", one.id)
        read.document["Description"], read.note["n"] = "for me alone", 0
        assert found(transaction, one.id) == ("old", one.note)
        transaction.update(read)
        assert found(transaction, one.id) == ("for me alone", {"n": 0})
        with pytest.raises(KeyError), transaction.part():
            assert found(transaction, two.id) is None
            transaction.insert(two)
            transaction.delete(read)
            assert found(transaction, two.id) is not None and found(transaction, one.id) is None
            raise KeyError
        assert found(transaction, two.id) is None and found(transaction, one.id) == ("for me alone", {"n": 0})
        abroad.insert(two)
        assert found(abroad, two.id) is not None and found(transaction.of_region(""), two.id) is None
        assert transaction.mentions("VirtualNetworkId", 2) == 1 and transaction.mentions("VirtualNetworkId", 3) == 0


def test_a_limit_is_reached_by_what_is_of_the_region(store):
    add(store, session(1), session(2))
    with store.begin(write=True) as transaction:
        home, abroad = transaction.of_region(""), transaction.of_region("eu-west-1")
        abroad.insert(session(3))
        assert [home.count("session", limit=limit) >= limit for limit in (1, 2, 3, 4)] == [True, True, False, False]
        assert [abroad.count("session", limit=limit) >= limit for limit in (1, 2, 3)] == [True, False, False]


def test_ids_and_slots_are_taken_once(store):
    add(store, session(1), Record("rule", "tmfr-1", "1", {}, parent="eni-1", slot="1"))
    with pytest.raises(IdTaken):
        add(store, Record("target", "tms-eni-1-1", "2", {}))
    again = session(1)
    again.id = "tms-other"
    with pytest.raises(SlotTaken) as taken:
        add(store, again)
    assert taken.value.holder == "tms-eni-1-1"
    again.slot = "2"
    add(store, again)
    again.slot = "1"
    with pytest.raises(SlotTaken), store.begin(write=True) as transaction:
        transaction.update(again)
    add(store, Record("filter", "tmf-1", "1", {}), Record("filter", "tmf-2", "1", {}))


def test_serials_are_never_used_again(store):
    record = session(1)
    add(store, record)
    with store.begin(write=True) as transaction:
        transaction.delete(record)
    later = session(1)
    add(store, later)
    assert later.serial > record.serial


def test_an_exception_takes_everything_back(store):
    with pytest.raises(ZeroDivisionError), store.begin(write=True) as transaction:
        transaction.insert(session(1))
        transaction.advance()
        raise ZeroDivisionError
    with store.begin() as transaction:
        assert (transaction.count("session"), transaction.generation()) == (0, 0)


def test_generations_count(store):
    for expected in (1, 2):
        with store.begin(write=True) as transaction:
            assert transaction.advance() == expected == transaction.generation()
    with store.begin() as transaction:
        assert transaction.generation() == 2


def test_what_was_begun_for_reading_cannot_write(store):
    record = session(1)
    for write in (
        lambda transaction: transaction.insert(record),
        lambda transaction: transaction.update(record),
        lambda transaction: transaction.delete(record),
        lambda transaction: transaction.advance(),
    ):
        with pytest.raises(RuntimeError, match="writes=True"), store.begin() as transaction:
            write(transaction)


def test_a_reader_sees_one_moment_and_waits_for_nobody(store, database):
    add(store, session(1))
    other = Store(database)
    with store.begin() as reader:
        assert reader.count("session") == 1
        add(other, session(2))
        assert reader.count("session") == 1
        with other.begin(write=True) as writer:
            writer.insert(session(3))
            assert reader.count("session") == 1
    with store.begin() as reader:
        assert reader.count("session") == 3
    other.close()


def test_the_state_is_there_the_next_time(store, database):
    add(store, session(1))
    store.close()
    again = Store(database)
    with again.begin() as transaction:
        assert names(transaction.find("session")) == ["tms-eni-1-1"]
    again.close()


# Several processes.


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, WRITER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_of_two_processes_that_make_the_same_session_one_wins(store, database):
    interfaces = crowd(10)
    with store.begin(write=True) as transaction:
        inventory_file.synchronize(transaction, inventory_file.from_documents(crowded(10)), Settings())
        transaction.insert(Record("filter", "tmf-1", "111122223333", {"TrafficMirrorFilterId": "tmf-1"}))
        transaction.insert(
            Record(
                "target",
                "tmt-1",
                "111122223333",
                {
                    "TrafficMirrorTargetId": "tmt-1",
                    "Type": "network-interface",
                    "NetworkInterfaceId": "eni-0a1b2c3d4e5f60100",
                },
            )
        )
    writers = [start("race", database, *interfaces) for _ in range(2)]
    try:
        for writer in writers:
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            writer.stdin.write("go\n")
            writer.stdin.flush()
        said = [line for writer in writers for line in writer.communicate(timeout=60)[0].splitlines()]
    finally:
        for writer in writers:
            writer.kill()
    assert len(said) == 20
    for eni_id in interfaces:
        results = [line.partition(" ")[2] for line in said if line.startswith(eni_id)]
        assert results.count("won") == 1
        lost = next(result for result in results if result != "won")
        assert lost.startswith("InvalidParameterValue: Session number 1 is already being used by tms-")
    with store.begin() as transaction:
        assert sorted(each.parent for each in transaction.find("session")) == interfaces


def test_what_was_committed_survives_a_kill(store, database):
    for _ in range(3):
        with store.begin() as transaction:
            before = transaction.count("filter")
        assert before == 0
        writer = start("pairs", database)
        said = [writer.stdout.readline() for _ in range(20)]
        writer.kill()
        said += writer.stdout.read().splitlines(keepends=True)  # communicate forgets what readline had read ahead
        writer.communicate(timeout=30)
        committed = [int(line) for line in said if line.endswith("\n")]
        with store.begin(write=True) as transaction:
            found = {record.id for record in transaction.find("filter")}
            assert {f"tmf-{number}{half}" for number in committed for half in "ab"} <= found
            # One more commit may have happened than was told of; but no half of one.
            assert len(found) in (2 * len(committed), 2 * len(committed) + 2)
            for record in transaction.find("filter"):
                transaction.delete(record)


def test_writers_wait_for_each_other(store, database):
    """Whoever reads to decide what to write, decides on what is true until it commits."""
    other = Store(database)

    def count_up(own):
        for _ in range(25):
            with own.begin(write=True) as transaction:
                there = transaction.count("filter")
                transaction.insert(Record("filter", f"tmf-{there}", "1", {}))

    threads = [threading.Thread(target=count_up, args=(own,)) for own in (store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with store.begin() as transaction:
        assert names(transaction.find("filter")) == [f"tmf-{number}" for number in range(50)]
    other.close()


def test_servers_that_start_at_once_make_the_tables_once(database):
    stores, failures = [], []

    def open_one():
        try:
            stores.append(Store(database))
        except HalfsilverError as error:
            failures.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failures and len(stores) == 4
    add(stores[0], session(1))
    with stores[3].begin() as transaction:
        assert transaction.count("session") == 1
    for each in stores:
        each.close()


def test_a_writer_that_never_ends_is_told_of(store, database):
    hasty = Store(database, timeout=0.2)
    with store.begin(write=True) as transaction:
        transaction.insert(session(1))
        with pytest.raises(StoreError, match="cannot be written: .*(another process|lock timeout)"):
            add(hasty, session(2))
    add(hasty, session(2))
    hasty.close()


# Databases that cannot be used: one line, and a class the command line knows.


def refused(url, *words, kind=StoreError):
    with pytest.raises(kind) as info:
        Store(url, timeout=1)
    text = str(info.value)
    assert "\n" not in text and all(word in text for word in words), text


def test_a_newer_version_is_refused(store, database):
    from sqlalchemy import create_engine, text

    url = f"sqlite:///{database}" if "://" not in database else database.replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE halfsilver_meta SET value = 99 WHERE name = 'schema'"))
    engine.dispose()
    refused(database, "version 99")


def test_files_that_are_no_store(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to be read as the header of one " * 20)
    refused(str(text), str(text), "no SQLite database")
    assert text.read_text().startswith("not a database")
    refused(str(tmp_path), str(tmp_path), "cannot be opened")
    refused(str(tmp_path / "missing" / "state.sqlite"), "cannot be opened")


def test_the_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "mail.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mails (subject TEXT)")
    connection.close()
    refused(str(path), "another program", "mails")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("mails",)]
    connection.close()


def test_urls_that_cannot_be():
    refused("mysql://u:topsecret@host/db", "postgresql://", kind=UsageError)
    refused("://nonsense", "postgresql://", kind=UsageError)
    with pytest.raises(StoreError) as info:
        Store("postgresql://u:topsecret@127.0.0.1:1/db", timeout=1)
    assert "topsecret" not in str(info.value) and "\n" not in str(info.value)


def test_a_store_in_memory():
    store = Store("sqlite://")
    with store.begin(write=True) as transaction:
        inventory_file.synchronize(transaction, inventory_file.from_documents(example()), Settings())
    with store.begin() as transaction:
        assert transaction.count("interface") == len(example()["NetworkInterfaces"])
        elb = transaction.find("interface", where=("Description", "ELB net/sensors/50dc6c495c0c9188"))
        assert elb and elb == transaction.find("interface", where=("Address", elb[0].document["PrivateIpAddress"]))
    store.close()
