"""Datadog's table of sessions, on SQLite and on a real PostgreSQL: the view, the command and AWS's describe agree."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from halfsilver.harness.control.directory import StateDirectory
from halfsilver.harness.control.plane.documents import assemble
from tests.control.kits.inventory_kit import COLLECTOR, DATABASE, OWNER, SECURITY, SENSORS, WEB, Lab
from tests.control.kits.postgresql_kit import needs_postgresql
from tests.harness.commands.cli_kit import run

PAGE = """
_key                        string
account_id                  string
description                 string
network_interface_id        string
owner_id                    string
packet_length               int64
session_number              int64
tags                        hstore_csv
traffic_mirror_filter_id    string
traffic_mirror_session_id   string
traffic_mirror_target_id    string
virtual_network_id          int64
"""
"""The table "Fields" of Datadog's page, "Traffic Mirror Session": titles and types."""
FIELDS = [tuple(line.split()) for line in PAGE.split("\n") if line]
NAME = '"aws.ec2_traffic_mirror_session"'
POSTGRESQL = {"string": "text", "hstore_csv": "text", "int64": "bigint"}
PYTHON = {"string": str, "hstore_csv": str, "int64": int}
TAGS = {"env": "x,y", "Name": 'the "web"', "ü\\": ""}
TAGS_TEXT = r'"Name"=>"the \"web\"", "env"=>"x,y", "ü\\"=>""'


@pytest.fixture
def source(database: str, tmp_path: Path) -> tuple[str, ...]:
    """The options of the command that name the database."""
    return ("--database", database) if "://" in database else ("--state", str(tmp_path))


@pytest.fixture
def lab(database: str, tmp_path: Path) -> Iterator[Lab]:
    """Two sessions of the owner, and one of the security account's on a target of the owner's."""
    tmp_path.chmod(0o700)
    lab = Lab(url=database)
    ours = lab.client("ec2")
    kind = "traffic-mirror-session"
    mirror_filter = _id(ours.create_traffic_mirror_filter())
    to_sensors = _id(ours.create_traffic_mirror_target(NetworkLoadBalancerArn=SENSORS))
    to_collector = _id(ours.create_traffic_mirror_target(NetworkInterfaceId=COLLECTOR))
    common = {"TrafficMirrorFilterId": mirror_filter, "NetworkInterfaceId": WEB}
    ours.create_traffic_mirror_session(
        **common,
        TrafficMirrorTargetId=to_collector,
        SessionNumber=1,
        VirtualNetworkId=16_777_215,
        Description='it\'s "a, b"',
        TagSpecifications=[
            {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()]}
        ],
    )
    ours.create_traffic_mirror_session(**common, TrafficMirrorTargetId=to_sensors, SessionNumber=32766)
    with lab.store.begin(write=True) as transaction:  # as if it had been shared with them
        [mine] = [each for each in transaction.find("session") if each.slot == "1"]
        mine.id = mine.document["TrafficMirrorSessionId"] = "tms-0123456789abcdef0"
        mine.account = mine.document["OwnerId"] = SECURITY
        mine.parent = mine.document["NetworkInterfaceId"] = DATABASE
        mine.document.update(VirtualNetworkId=77, PacketLength=100)
        transaction.insert(mine)
        transaction.session_view.define("us-east-1")
    yield lab
    lab.store.close()


def _id(answer: dict[str, Any]) -> str:
    made = answer["TrafficMirrorFilter" if "TrafficMirrorFilter" in answer else "TrafficMirrorTarget"]
    return str(made.get("TrafficMirrorTargetId") or made["TrafficMirrorFilterId"])


def _selected(database: str, query: str) -> list[tuple[Any, ...]]:
    """What another program reads."""
    if "://" in database:
        with psycopg.connect(database) as connection:
            return connection.execute(query.encode()).fetchall()
    with closing(sqlite3.connect(database)) as lite:
        return lite.execute(query).fetchall()


def _described(lab: Lab) -> list[tuple[Any, ...]]:
    """The same from what DescribeTrafficMirrorSessions tells each account."""
    rows = []
    for account in (OWNER, SECURITY):
        for each in lab.client("ec2", account).describe_traffic_mirror_sessions()["TrafficMirrorSessions"]:
            arn = f"arn:aws:ec2:us-east-1:{each['OwnerId']}:traffic-mirror-session/{each['TrafficMirrorSessionId']}"
            rows.append(
                (
                    *(arn, account, each.get("Description"), each["NetworkInterfaceId"], each["OwnerId"]),
                    *(each.get("PacketLength"), each["SessionNumber"], TAGS_TEXT if each["Tags"] else ""),
                    *(each["TrafficMirrorFilterId"], each["TrafficMirrorSessionId"], each["TrafficMirrorTargetId"]),
                    each["VirtualNetworkId"],
                )
            )
    return sorted(rows, key=lambda row: row[:2])


def test_the_view_is_what_describe_says(lab: Lab, database: str) -> None:
    rows = _selected(database, f"SELECT * FROM {NAME} ORDER BY _key, account_id")
    assert rows == _described(lab) and len(rows) == 4
    assert sorted((row[1], row[4], row[7]) for row in rows) == [
        (OWNER, OWNER, ""),
        (OWNER, OWNER, TAGS_TEXT),
        (OWNER, SECURITY, ""),
        (SECURITY, SECURITY, TAGS_TEXT),
    ]


def test_the_key_has_the_region_of_the_session(lab: Lab, database: str) -> None:
    with lab.store.begin(write=True) as transaction:
        [other] = [each for each in transaction.find("session") if each.slot == "32766"]
        other.id, other.slot = "tms-0123456789abcdef1", "5"
        transaction.of_region("eu-west-1").insert(other)
    keys = [key for (key,) in _selected(database, f"SELECT _key FROM {NAME} WHERE owner_id = '{OWNER}'")]
    assert f"arn:aws:ec2:eu-west-1:{OWNER}:traffic-mirror-session/tms-0123456789abcdef1" in keys
    assert [key.split(":")[3] for key in sorted(keys)] == ["eu-west-1", "us-east-1", "us-east-1"]


def test_columns_and_types_are_the_pages(lab: Lab, database: str) -> None:
    if "://" in database:
        asked = f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{NAME[1:-1]}'"
        found = _selected(database, f"{asked} ORDER BY ordinal_position")
        assert found == [(name, POSTGRESQL[kind]) for name, kind in FIELDS]
        return
    with closing(sqlite3.connect(database)) as lite:
        cursor = lite.execute(f"SELECT * FROM {NAME}")
        assert [column[0] for column in cursor.description] == [name for name, _ in FIELDS]
        for row in cursor:
            for (name, kind), value in zip(FIELDS, row, strict=True):
                optional = name in ("description", "packet_length")
                assert isinstance(value, PYTHON[kind]) or (optional and value is None)


@pytest.mark.parametrize("database", [pytest.param("postgresql", marks=needs_postgresql)], indirect=True)
def test_the_tags_are_an_hstore(lab: Lab, database: str) -> None:
    """PostgreSQL's own type takes the text, and finds the values."""
    with psycopg.connect(database) as connection:
        connection.execute("CREATE EXTENSION hstore")
        query = f"SELECT (tags::hstore -> 'env'), (tags::hstore -> 'Name'), (tags::hstore -> 'ü\\') FROM {NAME}"
        found = set(connection.execute(query.encode()).fetchall())
    assert found == {("x,y", 'the "web"', ""), (None, None, None)}


def test_the_command_prints_the_rows_of_the_view(
    lab: Lab, database: str, source: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = _selected(database, f"SELECT * FROM {NAME} ORDER BY _key, account_id")
    names = [name for name, _ in FIELDS]
    assert run("export", *source, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [list(each) for each in found] == [names] * 4 and [tuple(each.values()) for each in found] == rows
    assert run("export", *source) == 0
    header, *lines = csv.reader(io.StringIO(capsys.readouterr().out))
    assert header == names and lines == [["" if value is None else str(value) for value in row] for row in rows]
    assert run("export", *source, "--format", "sql") == 0
    script = capsys.readouterr().out
    with closing(sqlite3.connect(":memory:")) as lite:
        lite.executescript(script)
        assert lite.execute(f"SELECT * FROM {NAME}").fetchall() == rows


def test_a_policy_file_has_the_same_rows(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lab.store.begin() as transaction:
        documents = assemble(transaction)
        rows = transaction.session_view.rows()
    for session in documents["TrafficMirrorSessions"]:
        session.setdefault("Description", "")
    (tmp_path / "mirror.json").write_text(json.dumps(documents))
    assert run("export", "-c", str(tmp_path / "mirror.json"), "--json") == 0
    assert json.loads(capsys.readouterr().out) == rows


def test_what_cannot_be_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str) -> tuple[int, str]:
        code = run("export", *arguments)
        return code, capsys.readouterr().err

    nothing = f"error: {tmp_path}: has no state; name the directory that a server was started with, --state\n"
    assert said("--state", str(tmp_path)) == (2, nothing)
    assert said("--database", "state.sqlite")[0] == 2
    assert said()[0] == 2
    policy = tmp_path / "mirror.json"
    interface = {"NetworkInterfaceId": "eni-1", "MacAddress": "0a:00:00:00:00:01", "PrivateIpAddress": "10.0.0.1"}
    policy.write_text(json.dumps({"NetworkInterfaces": [interface]}))
    assert said("-c", str(policy)) == (5, f"error: {policy} has no traffic mirror session\n")
    other = {
        **interface,
        "NetworkInterfaceId": "eni-2",
        "MacAddress": "0a:00:00:00:00:02",
        "PrivateIpAddress": "10.0.0.2",
    }
    zones = [{**interface, "AvailabilityZone": "eu-west-1a"}, {**other, "AvailabilityZone": "us-west-2b"}]
    policy.write_text(json.dumps({"NetworkInterfaces": zones}))
    assert "names the regions eu-west-1, us-west-2; choose with --region" in said("-c", str(policy))[1]
    assert said("-c", str(policy), "--region", "eu-west-1")[0] == 5
    assert said("--state", str(tmp_path), "--region", "eu-west-1")[0] == 2


def test_a_state_without_the_view_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = StateDirectory(tmp_path / "state")
    lab = Lab(url=str(state.make_database()))
    lab.store.close()
    assert run("export", "--state", str(state.path)) == 2
    assert "the next start of its server makes it" in capsys.readouterr().err


def test_nothing_is_made_in_a_database_without_a_state(
    database: str, source: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o700)
    if "://" not in database:
        Path(database).touch(0o600)
    assert run("export", *source) == 3
    assert "has no state; name the database of a server that was started" in capsys.readouterr().err
    tables = "pg_tables WHERE schemaname = 'public'" if "://" in database else "sqlite_master"
    assert _selected(database, f"SELECT count(*) FROM {tables}") == [(0,)]
