"""The policy in a file for people and other tools: ``mirror.json``, written after every change, read if edited.

The database has the truth. The file is written before a client has its answer, so it is never behind an answered
change; if the server dies between the commit and the file, the file is older than the database. ``edited`` tells that
apart from an edit: the digest of what the server wrote last is kept beside the database.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.control.documents import assemble
from harness.control.private_files import write_private
from harness.control.store import Store
from harness.errors import HalfsilverError
from harness.output import atomic_output
from harness.policy import read_documents

__all__ = ["MirrorFile"]

_LOG = logging.getLogger("halfsilver.control")


class MirrorFile:
    """One file of a policy.

    path    of the file
    digest  where the digest of what was written last is kept
    """

    def __init__(self, path: Path, digest: Path) -> None:
        self._path = path
        self._digest = digest

    def edited(self) -> Any:
        """What the file holds, if it was not the server that wrote it; None if it was, or if there is no file.

        UsageError for a file that is no JSON.
        """
        if not self._path.exists():
            return None
        documents = read_documents(self._path)
        written = self._digest.read_text() if self._digest.exists() else ""
        return documents if written != _digest(self._path.read_bytes()) else None

    def write(self, store: Store, inventory: Mapping[str, Any]) -> None:
        """Write what the store says; ``inventory`` is the bench file, for what a policy does not need.

        A failure is logged and no error: what was committed is in the database.
        """
        try:
            with store.begin() as transaction:
                policy = assemble(transaction)
            text = json.dumps({**inventory, **policy}, indent=2).encode() + b"\n"
            with atomic_output(str(self._path)) as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            write_private(self._digest, _digest(text).encode())
        except (OSError, HalfsilverError) as error:
            _LOG.error("%s is behind: %s", self._path, error)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
