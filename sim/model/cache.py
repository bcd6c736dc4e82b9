"""The user's cache of what takes long to build: Verilog, compiled models, libraries.

It is ``halfsilver`` in ``$XDG_CACHE_HOME``, else in ``~/.cache`` (macOS: ``~/Library/Caches``); all checkouts and
processes of a user share it. An entry is a directory whose name holds a digest of everything it is made from. It is
made once, under a lock, and appears by one rename, so a reader never sees half of it. Entries that nobody has used
for ``UNUSED_DAYS`` go, and beyond ``LIMIT_BYTES`` those whose last use is longest ago; nothing goes within a day of
its use, because a process may still mean to load it.

``python -m halfsilver.sim.model.cache`` tells what is in it, ``--clear`` removes all.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from halfsilver.harness.arguments import Parser
from halfsilver.harness.errors import EXIT_OK, EnvironmentMissing

__all__ = ["LIMIT_BYTES", "UNUSED_DAYS", "VARIABLE", "clear", "digest", "directory", "entry", "log_of", "main", "shown"]

VARIABLE = "XDG_CACHE_HOME"
"""Names the directory of all caches (XDG Base Directory Specification); a relative path does not count there."""

UNUSED_DAYS = 30
LIMIT_BYTES = 4 << 30
DAY = 24 * 60 * 60


def directory() -> Path:
    """Where the cache is; it need not exist. EnvironmentMissing if there is neither the variable nor a home."""
    named = os.environ.get(VARIABLE, "")
    if os.path.isabs(named):
        return Path(named) / "halfsilver"
    try:
        home = Path.home()
    except RuntimeError:
        raise EnvironmentMissing(
            f"no home directory to cache built models in; {VARIABLE} names another place"
        ) from None
    return home.joinpath(*(("Library", "Caches") if sys.platform == "darwin" else (".cache",)), "halfsilver")


def shown() -> str:
    """The cache's path for people: below the home directory with ``~``."""
    place = directory()
    with suppress(RuntimeError):
        if place.is_relative_to(Path.home()):
            return f"~/{place.relative_to(Path.home())}"
    return str(place)


def digest(*parts: object) -> str:
    """What the name of an entry made from these parts ends with."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def entry(name: str, make: Callable[[Path], None]) -> Path:
    """The entry's directory. ``make`` fills it if it is not there; others who want it wait meanwhile.

    EnvironmentMissing if the cache cannot be written.
    """
    place = directory()
    final = place / name
    if _use(final):
        return final
    with _writable(place):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _acquire(place / f".{name}.lock")
    try:
        if not _use(final):
            with _writable(place):
                scratch = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=place))
            try:
                make(scratch)
                with _writable(place):
                    scratch.rename(final)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            _sweep(place)
    finally:
        _release(lock)
    return final


def log_of(scratch: Path) -> Path:
    """Where to keep the output of a tool that failed while it filled an entry: beside the entries, by name."""
    return scratch.parent / f"{scratch.name.split('.')[1]}.log"


def clear() -> None:
    """Remove everything; an entry that is just being made is left."""
    _remove_all(path for path in _contents(directory()) if not path.name.startswith("."))


@contextmanager
def _writable(place: Path) -> Iterator[None]:
    """What the operating system refuses becomes one line that says where, why, and what to change."""
    try:
        yield
    except OSError as error:
        raise EnvironmentMissing(
            f"cannot write the cache of built models {place}: {error.strerror}; {VARIABLE} names another directory"
        ) from None


def _use(final: Path) -> bool:
    """Whether the entry is there; its time of last use is now."""
    if not final.is_dir():
        return False
    with suppress(OSError):  # a cache that is only readable still serves
        os.utime(final)
    return True


Lock = tuple[Path, int]


def _acquire(path: Path) -> Lock:
    """Wait for the lock. Its file is removed on release, so a waiter may hold a file that is gone: then again."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return path, handle
        os.close(handle)


def _release(lock: Lock) -> None:
    path, handle = lock
    path.unlink(missing_ok=True)
    os.close(handle)


def _contents(place: Path) -> list[Path]:
    return list(place.iterdir()) if place.is_dir() else []


def _sweep(place: Path) -> None:
    """Keep the cache within its bounds; see the module. Others may be doing the same."""
    now = time.time()
    ages: dict[Path, float] = {}
    for path in _contents(place):
        if not path.name.endswith(".lock"):
            with suppress(FileNotFoundError):
                ages[path] = now - path.lstat().st_mtime
    old = {path for path, age in ages.items() if age > UNUSED_DAYS * DAY or (_is_left_over(path) and age > DAY)}
    sizes = {path: _size(path) for path in ages.keys() - old}
    total = sum(sizes.values())
    for path in sorted(sizes, key=lambda path: -ages[path]):
        if total <= LIMIT_BYTES or ages[path] <= DAY:
            break
        total -= sizes[path]
        old.add(path)
    _remove_all(old)


def _is_left_over(path: Path) -> bool:
    """What a builder that was killed left, and logs: never an entry."""
    return path.name.startswith(".") or not path.is_dir()


def _size(path: Path) -> int:
    total = 0
    with suppress(FileNotFoundError):
        for file in [path, *path.rglob("*")]:
            total += file.lstat().st_size
    return total


def _remove_all(paths: Iterator[Path] | set[Path]) -> None:
    """An entry disappears by one rename too."""
    for path in paths:
        gone = path.with_name(f".{path.name.lstrip('.')}.{os.getpid()}.gone")
        with suppress(OSError):
            path.rename(gone)
            if gone.is_dir() and not gone.is_symlink():
                shutil.rmtree(gone, ignore_errors=True)
            else:
                gone.unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 0, or 3 without a place for the cache."""
    parser = Parser(
        prog="python -m halfsilver.sim.model.cache", description="What built models take up in the user's cache."
    )
    parser.add_argument("--clear", action="store_true", help="remove them")
    options = parser.parse_args(arguments)
    try:
        place = directory()
        if options.clear:
            clear()
        entries = [path for path in _contents(place) if not _is_left_over(path)]
        size = sum(map(_size, _contents(place)))
        print(f"{shown()}: {len(entries)} entries, {size / 1e6:,.0f} MB")
    except EnvironmentMissing as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
