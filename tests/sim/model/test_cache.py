"""The user's cache of built models: where it is, made once for all, bounded, and clear when it cannot be written."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from halfsilver.harness.capture.writer import PcapngWriter
from halfsilver.harness.errors import EnvironmentMissing
from halfsilver.sim.model import cache

ROOT = Path(__file__).parents[3]
DAY = 24 * 60 * 60


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "halfsilver"


def write(text):
    return lambda scratch: (scratch / "file").write_text(text)


def age(path, days):
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def test_the_variable_then_the_home_directory(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache.directory() == Path("/somewhere/halfsilver")
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setattr(sys, "platform", "linux")
    for value in ("", "relative/path"):  # the specification: a relative path is ignored
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache.directory() == Path("/home/someone/.cache/halfsilver")
        assert cache.shown() == "~/.cache/halfsilver"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache.directory() == Path("/home/someone/Library/Caches/halfsilver")


def test_an_entry_is_made_once_and_whole(place):
    made = []

    def make(scratch):
        assert not (place / "thing-1").exists()
        made.append(scratch)
        (scratch / "file").write_text("whole")

    for _ in range(2):
        assert (cache.entry("thing-1", make) / "file").read_text() == "whole"
    assert len(made) == 1
    assert [path.name for path in place.iterdir()] == ["thing-1"]


def test_what_fails_leaves_nothing(place):
    def fail(scratch):
        (scratch / "file").write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.entry("thing-1", fail)
    assert not list(place.iterdir())
    assert (cache.entry("thing-1", write("good")) / "file").read_text() == "good"


def test_many_processes_make_it_once(place, tmp_path):
    """Each would append its own line to the record, and all see the entry of the one that did."""
    record = tmp_path / "record"
    script = (
        "import os, sys, time\n"
        "from halfsilver.sim.model import cache\n"
        "def make(scratch):\n"
        "    open(sys.argv[1], 'a').write('made\\n')\n"
        "    time.sleep(0.3)\n"
        "    (scratch / 'file').write_text('whole')\n"
        "for number in range(3):\n"
        "    print((cache.entry(f'thing-{number}', make) / 'file').read_text())\n"
    )
    many = [
        subprocess.Popen([sys.executable, "-c", script, str(record)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    assert {process.communicate(timeout=60)[0] for process in many} == {"whole\n" * 3}
    assert record.read_text() == "made\n" * 3
    assert sorted(path.name for path in place.iterdir()) == ["thing-0", "thing-1", "thing-2"]


def test_what_nobody_used_for_long_goes(place):
    for name in ("old-1", "used-1", "young-1"):
        cache.entry(name, write(name))
    for name in ("old-1", "used-1"):
        age(place / name, cache.UNUSED_DAYS + 1)
    cache.entry("used-1", write("never called"))
    cache.entry("new-1", write("new"))
    assert sorted(path.name for path in place.iterdir()) == ["new-1", "used-1", "young-1"]


def test_beyond_the_limit_the_longest_unused_go(place, monkeypatch):
    for number in range(4):
        cache.entry(f"thing-{number}", write("x" * 1000))
        age(place / f"thing-{number}", 9 - number)
    room = sum(path.lstat().st_size for path in (place / "thing-0", place / "thing-0" / "file"))
    monkeypatch.setattr(cache, "LIMIT_BYTES", 3 * room)
    cache.entry("thing-4", write("x" * 1000))
    assert sorted(path.name for path in place.iterdir()) == ["thing-2", "thing-3", "thing-4"]


def test_what_was_used_today_stays_even_beyond_the_limit(place, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT_BYTES", 0)
    for number in range(3):
        cache.entry(f"thing-{number}", write("x"))
    assert len(list(place.iterdir())) == 3


def test_what_a_killed_builder_left_goes_after_a_day(place):
    cache.entry("thing-1", write("x"))
    for name, days in ((".thing-2.abc", 2), (".thing-3.abc", 0.5)):
        (place / name).mkdir()
        age(place / name, days)
    cache.entry("thing-4", write("x"))
    assert sorted(path.name for path in place.iterdir()) == [".thing-3.abc", "thing-1", "thing-4"]


@pytest.mark.parametrize("below", ["file", "file/below"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, below):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / below))
    with pytest.raises(EnvironmentMissing) as caught:
        cache.entry("thing-1", write("x"))
    assert caught.value.exit_code == 3
    told = str(caught.value)
    assert str(tmp_path / below) in told and "XDG_CACHE_HOME names another directory" in told and "\n" not in told


def test_the_command_line_tells_and_clears(place, capsys):
    cache.entry("thing-1", write("x" * 2_000_000))
    assert cache.main([]) == 0
    assert capsys.readouterr().out == f"{place}: 1 entries, 2 MB\n"
    assert cache.main(["--clear"]) == 0
    assert capsys.readouterr().out == f"{place}: 0 entries, 0 MB\n"
    assert not list(place.iterdir())


def test_an_engine_with_an_unwritable_cache_ends_with_3(tmp_path):
    """As a user meets it: the command line, one line on standard error, exit code 3."""
    (tmp_path / "file").touch()
    with (tmp_path / "in.pcapng").open("wb") as stream:
        PcapngWriter(stream).write(bytes(60), 0)
    command = [Path(sys.executable).with_name("halfsilver"), "mirror", "--engine", "verilator"]
    done = subprocess.run(
        [*command, "-r", tmp_path / "in.pcapng", "-w", tmp_path / "out.pcapng", "-c", ROOT / "examples" / "mirror.json"]
        + ["--direction", "ingress"],
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "file")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "XDG_CACHE_HOME" in told
