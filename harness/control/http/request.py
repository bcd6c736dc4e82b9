"""A request as it came over the wire: what the signature is about, before anything in it is believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request, undecoded where a decoded form would lose what was signed.

    method        as sent, e.g. ``POST``
    path          raw, still percent-encoded, without the query string: ``/`` or ``/createresourceshare``
    query_string  raw, without the ``?``; "" when there is none
    headers       (lower-case name, value) in the order in which they came; a name may occur twice
    body          the whole body, b"" when there is none

    What could hold a signature is left out when a request is printed.
    """

    method: str
    path: str = "/"
    query_string: str = field(default="", repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """The value of a header that is there once or more (the first one), None when it is not there."""
        for each, value in self.headers:
            if each == name:
                return value
        return None
