"""What is recorded of a request, and what becomes of requests while nothing can be recorded."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from halfsilver.harness.control.operations.call import Call, SignIn
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.trail.audit_file import AuditFile
from halfsilver.harness.control.trail.event import event, sign_in

__all__ = ["Recorder"]


class Recorder:
    """Writes a record for each request, after its commit and before its answer.

    A request whose record cannot be written is answered by ServiceUnavailable, whether or not it was done; its record
    is owed, and no further request is begun until it is written.
    """

    def __init__(self, file: AuditFile, region: str) -> None:
        self._file = file
        self._region = region
        self._lock = threading.Lock()
        self._owed: list[Mapping[str, Any]] = []

    def ready(self) -> None:
        """Write what is owed. ApiError while it cannot be written."""
        if self._owed:
            with self._lock:
                while self._owed:
                    self._write(self._owed[0])
                    del self._owed[0]

    def note(
        self,
        call: Call,
        *,
        user_agent: str | None,
        key: str | None,
        result: Mapping[str, Any] | None = None,
        error: ApiError | None = None,
        changes: bool | None = None,
    ) -> None:
        """A request that was done, or refused. ApiError if it cannot be written."""
        region = call.region or self._region
        self._keep(event(call, region, user_agent=user_agent, key=key, result=result, error=error, changes=changes))

    def note_sign_in(self, attempt: SignIn) -> None:
        """Somebody at the console's door. ApiError if it cannot be written."""
        self._keep(sign_in(attempt, self._region))

    def _keep(self, record: Mapping[str, Any]) -> None:
        """Write it; it is owed if that fails."""
        try:
            self._write(record)
        except ApiError:
            with self._lock:
                self._owed.append(record)
            raise

    def _write(self, record: Mapping[str, Any]) -> None:
        try:
            self._file.append(record)
        except OSError as failure:
            message = f"The audit file cannot be written: {failure.strerror}."
            raise ApiError("ServiceUnavailable", message, 503) from failure
