"""The policy in a file for people and other tools: ``mirror.json``, written after every change, read if edited.

The database has the truth. The file is written before a client has its answer, so it is never behind an answered
change; if the server dies between the commit and the file, or the disk is full, the file is older than the database.
``edited`` tells that apart from an edit: beside the database are the digests of all that the server may have left
there. They are on the disk before the file is touched, so at no moment is a file of the server's own taken for an edit.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from halfsilver.harness.control.plane.documents import assemble
from halfsilver.harness.control.state.private_files import sync_folder, write_private
from halfsilver.harness.control.state.store import Store
from halfsilver.harness.errors import HalfsilverError, UsageError
from halfsilver.harness.output import atomic_output
from halfsilver.harness.policy.policy import read_documents

__all__ = ["MirrorFile"]

_LOG = logging.getLogger(__name__)


class MirrorFile:
    """One file of a policy.

    path     of the file
    digests  where the digests are kept of what is no edit
    """

    def __init__(self, path: Path, digests: Path) -> None:
        self._path = path
        self._digests = digests
        self._taken: str | None = None

    def edited(self) -> Any:
        """What the file holds, if it was not the server that wrote it; None if it was, or if there is no file.

        UsageError for a file that is no JSON, or cannot be read. The next ``write`` is to be after the edit was stored.
        """
        try:
            present = self._present()
            known = self._digests.read_bytes().decode("ascii", "replace").split() if self._digests.exists() else []
        except OSError as error:
            raise UsageError(f"{error.filename}: cannot be read: {error.strerror}") from None
        if present is None or present in known:
            return None
        documents = read_documents(self._path)
        self._taken = present
        return documents

    def write(self, store: Store, inventory: Mapping[str, Any]) -> None:
        """Write what the store says; ``inventory`` is the inventory file, for what a policy does not need.

        A failure is logged and no error: what was committed is in the database. But UsageError if it cannot be recorded
        that an edit has been taken: it would be taken once more, over all changes since.
        """
        if self._taken is not None:
            self._record(self._taken)
            self._taken = None
        try:
            with store.begin() as transaction:
                policy = assemble(transaction)
            text = json.dumps({**inventory, **policy}, indent=2).encode() + b"\n"
            folder = self._path.resolve().parent
            sync_folder(folder)  # after a loss of power it is what is there now, and nothing older
            self._record(*filter(None, [self._present()]), _digest(text))
            with atomic_output(str(self._path)) as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            sync_folder(folder)
            self._record(_digest(text))  # who puts the file before this one back has edited it
        except (OSError, HalfsilverError) as error:
            _LOG.error("%s is behind: %s", self._path, error)

    def _present(self) -> str | None:
        """The digest of what is there, None if there is no file."""
        return _digest(self._path.read_bytes()) if self._path.exists() else None

    def _record(self, *digests: str) -> None:
        """From now on a file with one of these digests, and no other, is no edit. UsageError: all is as before."""
        write_private(self._digests, "".join(f"{digest}\n" for digest in digests).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
