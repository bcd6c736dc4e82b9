"""The policy in a file: what is an edit and what is not, wherever the server or the disk gave up."""

import errno
import json
import os

import pytest

from halfsilver.harness.control.plane.mirror_file import MirrorFile
from halfsilver.harness.errors import UsageError
from tests.control.kits.mirror_kit import Desk


class Killed(BaseException):
    """The process ends here."""


class Place:
    """A store, its file, and a new ``MirrorFile`` for every start of a server."""

    def __init__(self, folder):
        self.desk = Desk()
        self.path, self.digests = folder / "lab.json", folder / "digests"

    def start(self):
        return MirrorFile(self.path, self.digests)

    def change(self, file):
        self.desk.filter()
        file.write(self.desk.store, {})

    def filters(self):
        return len(json.loads(self.path.read_text())["TrafficMirrorFilters"])


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    made.change(made.start())
    return made


def fail(patch, first, count, error):
    """From the ``first`` call of those that bring things to the disk, ``count`` of them fail; returns who counts."""
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def attempt(*arguments, real=real):
            calls.append(real)
            if first <= len(calls) < first + count:
                raise error
            return real(*arguments)

        patch.setattr(os, name, attempt)
    return calls


def steps(place, monkeypatch):
    with monkeypatch.context() as patch:
        calls = fail(patch, 0, 0, Killed())
        place.change(place.start())
    return len(calls)


def test_a_kill_at_any_step_leaves_no_edit(place, monkeypatch):
    for step in range(1, steps(place, monkeypatch) + 1):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            fail(patch, step, 1, Killed())
            place.change(place.start())
        file = place.start()
        assert file.edited() is None, step
        place.change(file)
        assert place.start().edited() is None and place.filters() == len(place.desk.describe("Filters"))


def test_a_full_disk_at_any_step_leaves_no_edit(place, monkeypatch):
    """Nor several in a row, each at a step of its own."""
    most = steps(place, monkeypatch)
    for step in range(1, most + 1):
        for count in (1, 2, 3 * most):
            file = place.start()
            with monkeypatch.context() as patch:
                fail(patch, step, count, OSError(errno.ENOSPC, "No space left on device"))
                for _ in range(3):
                    place.change(file)
                    assert place.start().edited() is None, (step, count)


def test_what_others_write_is_an_edit_and_that_of_before_too(place):
    before = place.path.read_bytes()
    place.change(place.start())
    assert place.start().edited() is None
    place.path.write_bytes(before)
    assert place.start().edited() == json.loads(before)
    place.path.write_text("[]")
    assert place.start().edited() == []


def test_an_edit_that_cannot_be_recorded_as_taken_ends_the_start(place, monkeypatch):
    """Else it would be taken again at the next start, over the changes since."""
    place.path.write_text("[]")
    file = place.start()
    assert file.edited() == []
    with monkeypatch.context() as patch:
        fail(patch, 1, 1, OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(UsageError, match="No space left"):
            place.change(file)
    assert place.start().edited() == []
    file = place.start()
    file.edited()
    place.change(file)
    assert place.start().edited() is None and place.filters() == 3


def test_an_edit_that_cannot_be_replaced_is_taken_once(place, monkeypatch):
    place.path.write_text("[]")
    file = place.start()
    file.edited()
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.mkstemp", lambda **_: os.open("/nonexistent/x", os.O_RDONLY))
        place.change(file)
    assert place.path.read_text() == "[]" and place.start().edited() is None


def test_a_file_that_cannot_be_read(place):
    place.path.unlink()
    place.path.mkdir()
    with pytest.raises(UsageError, match="lab.json: cannot be read"):
        place.start().edited()
