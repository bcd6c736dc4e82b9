"""What a client is told when an operation is refused."""

from __future__ import annotations

__all__ = ["ApiError"]


class ApiError(Exception):
    """An error as AWS sends it: ``code`` and ``message`` go to the client in its protocol, with the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
