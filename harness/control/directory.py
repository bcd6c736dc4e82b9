"""Where a server keeps what it must not lose: database, access keys, what seals session tokens, and the
credentials file for its clients.

The directory is its owner's alone, as it holds secrets. While a server uses the database in it, no other one can.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from halfsilver.harness.control.iam.access_keys import KeyStore, create_user, write_credentials
from halfsilver.harness.control.iam.temporary import SECRET_BYTES, Seal
from halfsilver.harness.control.state.private_files import locked_folder, make_private, read_private, write_private
from halfsilver.harness.errors import UsageError

__all__ = ["StateDirectory"]

ADMINISTRATOR = "admin"
"""Name of the user that every account has from the beginning."""


class StateDirectory:
    """A directory of mode 0700; made if it is not there. UsageError if it is somebody else's or open to others."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / "state.sqlite"
        self.keys = path / "keys.json"
        self.credentials = path / "credentials"
        self.seal = path / "sessions.key"
        self.digests = path / "mirror.sha256"
        self._shared: BinaryIO | None = None
        self._made = [each for each in (path, *path.parents) if not each.exists()]
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = path.stat()
        except OSError as error:
            raise UsageError(f"{path}: cannot be used as the state directory: {error.strerror}") from None
        if status.st_uid != os.geteuid():
            raise UsageError(
                f"{path}: belongs to user {status.st_uid}, but this is user {os.geteuid()}; "
                "name another directory with --state"
            )
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(
                f"{path}: group or others may use it (mode {stat.S_IMODE(status.st_mode):04o}) "
                f"and it holds secrets: chmod 700 {path}"
            )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other servers from the database. UsageError if one has it; a server that was killed has not."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"{self.path / 'lock'}: cannot be opened: {error.strerror}") from None
        with os.fdopen(descriptor, "r+") as file:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                process = file.read().strip() or "unknown"
                raise UsageError(
                    f"{self.path}: is in use by another server (process {process}); "
                    "stop that one, or name another directory with --state"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    @contextmanager
    def share(self) -> Iterator[None]:
        """Be one of several servers that keep their database elsewhere and keys and credentials here."""
        with self._locked("servers", fcntl.LOCK_SH) as file:
            self._shared = file
            yield

    @contextmanager
    def kept_if_used(self) -> Iterator[Callable[[], None]]:
        """The block gets a function that says the directory is in use; where it fails before, no trace is left.

        What was there before this object was made stays, and all that others share. Enter it after ``lock`` or
        ``share``, so that nobody else is in it or it is known.
        """
        used = False

        def use() -> None:
            nonlocal used
            used = True

        try:
            yield use
        except BaseException:
            if not used and self._made and self._alone():
                shutil.rmtree(self.path, ignore_errors=True)
                with suppress(OSError):  # somebody else has put something there
                    for folder in self._made[1:]:
                        folder.rmdir()
            raise

    def _alone(self) -> bool:
        """No other server shares the directory."""
        if self._shared is None:
            return True
        try:
            fcntl.flock(self._shared, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    @contextmanager
    def _locked(self, name: str, how: int) -> Iterator[BinaryIO]:
        """A file of the directory that is there to be locked."""
        path = self.path / name
        make_private(path)
        with path.open("rb") as file:
            fcntl.flock(file, how)
            yield file

    def make_database(self) -> Path:
        """The database's file, which its owner alone may use; so are the files that SQLite makes beside it."""
        make_private(self.database)
        for suffix in ("-wal", "-shm"):
            beside = self.database.with_name(self.database.name + suffix)
            if beside.exists():
                make_private(beside)
        return self.database

    def add_users(self, accounts: Sequence[str], partition: str) -> KeyStore:
        """The access keys. An account without a user gets an administrator, with a profile in the credentials file.

        The profile has the account's name; the first account's administrator is the profile ``default`` too. Of
        servers that begin together, on one PostgreSQL, one does it and the others find what it made.
        """
        with self._locked("turn", fcntl.LOCK_EX):  # ``locked_folder`` is for single files, and taken within
            known = KeyStore(self.keys, partition=partition).accounts() if self.keys.exists() else frozenset()
            for account in accounts:
                if account not in known:
                    key = create_user(self.keys, account, ADMINISTRATOR, partition=partition)
                    for profile in ("default", account) if not known and account == accounts[0] else (account,):
                        write_credentials(self.credentials, profile, key)
        return KeyStore(self.keys, partition=partition, seal=self._make_seal())

    def _make_seal(self) -> Seal:
        """What makes temporary credentials and knows them again; its secret is made where there is none."""
        with locked_folder(self.path):
            if not self.seal.exists():
                write_private(self.seal, secrets.token_bytes(SECRET_BYTES))
            secret = read_private(self.seal)
        try:
            return Seal(secret)
        except ValueError as error:
            raise UsageError(f"{self.seal}: {error}; without the file, a new one is made at the next start") from None
