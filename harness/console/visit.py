"""A request of somebody who has signed in, and which function answers it.

A page is a function ``(visit, **parts of its path) -> Response`` under the decorator ``page``. It asks the API's own
operations, as the user who has signed in: what the API refuses, it refuses (``ApiError``), in the same words.
"""

from __future__ import annotations

import json
import re
import urllib.parse
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from halfsilver.harness.console.places import PATH, Place
from halfsilver.harness.console.sign_ins import SignIn
from halfsilver.harness.console.web import Form, html, redirect
from halfsilver.harness.control.control import Control
from halfsilver.harness.control.http.exchange import Exchange, Peer
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.call import Call, Caller, Settings
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["EC2", "PAGE_SIZE", "RAM", "Page", "Visit", "find_page", "page", "removals", "tag_fields"]

EC2, RAM = "ec2", "ram"
VERSIONS = {EC2: "2016-11-15", "elbv2": "2015-12-01"}
"""Of the services with a query protocol that pages ask; the version names the service, where no signature does."""
PAGE_SIZE = 50
"""Rows of a list."""

Render = Callable[..., str]
"""A template's name, and values -> its text."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks from where, what for (``query``, ``form``), in which region (``place``), and how answers are made."""

    sign_in: SignIn
    place: Place
    peer: Peer
    query: Form
    form: Form
    exchange: Exchange
    control: Control
    render: Render

    @property
    def caller(self) -> Caller:
        return self.sign_in.key.caller

    @property
    def region(self) -> str:
        """That of its calls: empty for the server's own, where the NIC is."""
        return self.place.region

    @property
    def settings(self) -> Settings:
        """The server's, as a request of this region sees them."""
        return self.control.settings.within(self.region)

    @property
    def proof(self) -> str:
        """What the forms of this page prove themselves with: they are no forms of another region."""
        return self.sign_in.proof(self.region)

    def ask(self, action: str, fields: Mapping[str, Any] | None = None, service: str = EC2) -> Mapping[str, Any]:
        """What an operation of the API answers; the fields are those of its protocol. ApiError: refused."""
        return self.exchange.ask(_request(action, fields or {}, service), self.caller, self.peer, self.region)

    def call(self, action: str, fields: Mapping[str, Any] | None = None) -> Call:
        """The call that the API would make of such a request. ApiError where it would not."""
        return self.exchange.read(_request(action, fields or {}, EC2), self.caller, self.peer, self.region)

    def beside(self, name: str, service: str = EC2) -> Call:
        """A call of what the API has beside its operations, for its authorization."""
        peer, now = self.peer, datetime.now(UTC)
        return Call(service, name, {}, self.caller, str(uuid.uuid4()), peer.address, now, peer.secure, self.region)

    def one_page(self, action: str, result: str, fields: Mapping[str, str] | None = None) -> tuple[list[Any], str]:
        """A page of a list as the query asks for it, and the token of the next page, "" where this is the last."""
        paging = {"MaxResults": str(PAGE_SIZE), **({"NextToken": token} if (token := self.query.get("next")) else {})}
        answer = self.ask(action, {**(fields or {}), **paging})
        return list(answer[result]), str(answer.get("NextToken", ""))

    def everything(
        self, action: str, result: str, fields: Mapping[str, Any] | None = None, service: str = EC2
    ) -> list[Any]:
        """All of a list, however many pages the API makes of it."""
        name = "nextToken" if service == RAM else "NextToken"
        answer = self.ask(action, fields, service)
        found = list(answer[result])
        while token := answer.get(name):
            answer = self.ask(action, {**(fields or {}), name: str(token)}, service)
            found += answer[result]
        return found

    def try_list(
        self, action: str, result: str, service: str = EC2, fields: Mapping[str, str] | None = None
    ) -> list[Any] | None:
        """What a user may choose from; None if the user may not see that."""
        try:
            return list(self.ask(action, fields, service)[result])
        except ApiError:
            return None

    def token(self) -> str:
        """One that no other request has, for a form."""
        return str(uuid.uuid4())

    def show(self, template: str, *, error: ApiError | None = None, **values: Any) -> Response:
        """A page; ``error`` is why what was asked for was not done, and is said on it."""
        text = self.render(template, visit=self, error=error, **values)
        return html(text, 200 if error is None else error.status)

    def done(self, path: str, what: str) -> Response:
        """To the page that shows what was done; ``what`` is the name of a sentence in base.html."""
        return redirect(f"{self.place.path}{path}?{urllib.parse.urlencode({'done': what})}")


def _request(action: str, fields: Mapping[str, Any], service: str) -> Request:
    """As that service's clients send it, but for the signature."""
    if service == RAM:
        address = f"/{action.lower()}"
        if action.startswith("Delete"):
            return Request("DELETE", address, urllib.parse.urlencode(fields))
        return Request("POST", address, body=json.dumps(fields).encode())
    named = {"Action": action, "Version": VERSIONS[service], **fields}
    return Request("POST", "/", body=urllib.parse.urlencode(named).encode())


def tag_fields(form: Form, prefix: str) -> dict[str, str]:
    """The tags that a form has (``Name``, and rows of ``Key.N``, ``Value.N``) as fields of a request."""
    rows = [("Name", form.get("Name"))] if form.get("Name") else []
    numbers = sorted(int(name[4:]) for name in form.values if re.fullmatch(r"Key\.[0-9]{1,4}", name))
    rows += [(form.get(f"Key.{number}"), form.get(f"Value.{number}")) for number in numbers]
    fields: dict[str, str] = {}
    for index, (key, value) in enumerate((row for row in rows if row[0] or row[1]), 1):
        fields |= {f"{prefix}.{index}.Key": key, f"{prefix}.{index}.Value": value}
    return fields


def removals(edit: Form, words: Mapping[str, str]) -> dict[str, str]:
    """RemoveFields for what has no value any more; ``words`` is what that calls each."""
    removed = [word for name, word in words.items() if name in edit.values and not edit.get(name)]
    return {f"RemoveField.{index}": word for index, word in enumerate(removed, 1)}


Page = Callable[..., Response]
_PAGES: list[tuple[str, re.Pattern[str], Page]] = []


def page(method: str, path: str) -> Callable[[Page], Page]:
    """Register a function for a method and a path below ``PATH``; ``{name}`` in it is one part, an id."""

    def register(function: Page) -> Page:
        pattern = re.compile(PATH + re.sub(r"\{(\w+)\}", r"(?P<\1>[A-Za-z0-9-]{1,64})", path))
        _PAGES.append((method, pattern, function))
        return function

    return register


def find_page(method: str, path: str) -> tuple[Page, dict[str, str]]:
    """The function for a request and the parts of its path. ApiError: there is none."""
    found = dict(_matching(path))
    if not found:
        raise ApiError("NotFound", "There is no such page.", 404)
    if method not in found:
        raise ApiError("MethodNotAllowed", f"This page takes {' and '.join(sorted(found))}.", 405)
    return found[method]


def _matching(path: str) -> Iterator[tuple[str, tuple[Page, dict[str, str]]]]:
    for method, pattern, function in reversed(_PAGES):  # of two that fit, the first one
        if (match := pattern.fullmatch(path)) is not None:
            yield method, (function, match.groupdict())
