"""A copy of a state that is in use, a server that begins with it, and a store of an earlier program."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from halfsilver.harness.control.backup import back_up, restore_state
from halfsilver.harness.control.state.record import Kind
from halfsilver.harness.control.state.store import Store
from halfsilver.harness.errors import UsageError
from tests.control.kits.serve_kit import HALFSILVER, Server, make_filter, make_session, make_target, to_web, vnis

EARLIER = Path(__file__).with_name("stores") / "version_1.sql"


def filters(server: Server) -> list[str]:
    found = server.served.client().describe_traffic_mirror_filters()["TrafficMirrorFilters"]
    return [each["TrafficMirrorFilterId"] for each in found]


def test_a_copy_of_a_state_in_use_is_one_moment_of_it_and_a_server_begins_with_it(tmp_path: Path) -> None:
    copy = tmp_path / "state.backup"
    with Server(tmp_path / "state") as server:
        client = server.served.client()
        made = make_filter(client, 80)
        make_session(client, made, make_target(client), VirtualNetworkId=77)
        quiet = tmp_path / "quiet.backup"
        back_up(tmp_path / "state", quiet)
        restore_state(quiet, tmp_path / "quiet")
        with closing(Store(str(tmp_path / "quiet" / "state.sqlite"))) as store, store.begin() as transaction:
            assert transaction.count(Kind.SESSION) == 1, "also what is in the write-ahead log only"
        made_meanwhile, stop = [], threading.Event()

        def go_on() -> None:
            while not stop.is_set():
                made_meanwhile.append(make_filter(client))

        writer = threading.Thread(target=go_on)
        writer.start()
        options = ["--state", str(tmp_path / "state"), "--backup", str(copy)]
        done = subprocess.run([HALFSILVER, "serve", *options], capture_output=True, text=True, timeout=120)
        stop.set()
        writer.join()
        assert done.returncode == 0 and "it has the access keys" in done.stderr, done.stderr
        last = make_filter(client)
        assert filters(server)[-1] == last
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with Server(tmp_path / "restored", "--restore", str(copy)) as restored:
        found = filters(restored)
        assert found[0] == made and found[1:] == made_meanwhile[: len(found) - 1], "those until one moment, no gap"
        assert last not in found
        assert vnis(restored.served.push([to_web(80)])[1]) == [77], "the same keys, and the engine has the policy"


def test_a_store_that_an_earlier_program_left_is_opened_as_it_is(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    with closing(sqlite3.connect(state / "state.sqlite")) as database:
        database.executescript(EARLIER.read_text(encoding="utf-8"))
    with Server(state) as server:
        client = server.served.client()
        [found] = client.describe_traffic_mirror_filters()["TrafficMirrorFilters"]
        assert (found["Description"], found["Tags"]) == ("of the first release", [{"Key": "Name", "Value": "zwölf"}])
        assert [each["RuleNumber"] for each in found["IngressFilterRules"]] == [1]
        assert vnis(server.served.push([to_web(80)])[1]) == [7]
        make_filter(client, 81)


@pytest.fixture
def used(tmp_path: Path) -> Path:
    state = tmp_path / "used"
    state.mkdir(mode=0o700)
    (state / "state.sqlite").touch(0o600)
    return state


def test_what_is_no_state_and_what_is_no_copy(tmp_path: Path, used: Path) -> None:
    copy = tmp_path / "copy"
    with pytest.raises(UsageError, match="has no state to copy"):
        back_up(tmp_path / "nothing", copy)
    back_up(used, copy)
    with pytest.raises(UsageError, match="is there already"):
        back_up(used, copy)
    with pytest.raises(UsageError, match="is not empty"):
        restore_state(copy, used)
    with pytest.raises(UsageError, match="cannot be read"):
        restore_state(tmp_path / "missing", tmp_path / "new")
    copy.write_bytes(b"not an archive")
    with pytest.raises(UsageError, match="is no copy of a state"):
        restore_state(copy, tmp_path / "new")
    other = tmp_path / "other"
    with tarfile.open(other, "w:gz") as archive:
        archive.add(EARLIER, "../escape.sql")
    other.chmod(0o600)
    with pytest.raises(UsageError, match="it has ../escape.sql"):
        restore_state(other, tmp_path / "new")
    assert not (tmp_path / "new").exists()
