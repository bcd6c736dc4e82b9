"""The console as a whole: who may pass the door, and what becomes of a request behind it.

Chosen for the server that there is: it hands whole requests to functions in threads, within its limits, so pages are
such functions too, and nothing is needed but templates (Jinja2) and a reader of uploads (python-multipart). Without
script everything works. Where there is script, htmx (``static/shipped``) asks for the same pages by the same forms and
addresses, and exchanges a part of the one that is shown: it is let in, checked and refused as everybody else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from halfsilver.harness.console import counters, filters, invitations, overview, rules, sessions, shares, tags, targets
from halfsilver.harness.console.counters import LIVE
from halfsilver.harness.console.frames import why_not
from halfsilver.harness.console.places import PATH, Place, Places
from halfsilver.harness.console.sign_ins import Attempts, SignIn, SignIns, check_key
from halfsilver.harness.console.targets import destination_of
from halfsilver.harness.console.visit import Visit, find_page
from halfsilver.harness.console.web import (
    EMPTY,
    MAX_UPLOAD,
    Form,
    cookie,
    html,
    read_form,
    read_query,
    redirect,
    static,
    too_large,
)
from halfsilver.harness.control.http.app import own_page
from halfsilver.harness.control.http.exchange import Peer, log_internal
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.serving import Parts
from halfsilver.harness.report.page.template_files import TEMPLATES, open_templates

__all__ = ["MODULES", "Console"]

MODULES = (counters, filters, invitations, overview, rules, sessions, shares, tags, targets, why_not)
"""The modules whose functions are pages."""

HERE = Path(__file__).parent
COOKIE, DOOR_COOKIE = "halfsilver-console", "halfsilver-door"
"""Of somebody who has signed in, and of somebody who is about to."""
SIGN_IN, SIGN_OUT = f"{PATH}/sign-in", f"{PATH}/sign-out"
STATIC = f"{PATH}/static/"
SHIPPED = HERE / "static" / "shipped"
SCRIPT = "text/javascript; charset=utf-8"
FILES = {
    "console.css": (
        "text/css; charset=utf-8",
        (TEMPLATES / "page.css", SHIPPED / "uPlot.min.css", HERE / "static" / "console.css"),
    ),
    "htmx.min.js": (SCRIPT, (SHIPPED / "htmx.min.js",)),
    "uPlot.iife.min.js": (SCRIPT, (SHIPPED / "uPlot.iife.min.js",)),
    "charts.js": (SCRIPT, (HERE / "static" / "charts.js",)),
    "icon.svg": ("image/svg+xml", (HERE / "static" / "icon.svg",)),
}
"""Files by name: what they are, and what they are put together from."""


HTMX = {
    "allowEval": False,
    "allowScriptTags": False,
    "includeIndicatorStyles": False,
    "selfRequestsOnly": True,
    "historyCacheSize": 0,
    "historyRestoreAsHxRequest": False,
    "ignoreTitle": True,
    "reportValidityOfForms": True,
    "responseHandling": [{"code": "204", "swap": False}, {"code": "...", "swap": True}],
}
"""htmx's settings: nothing that the policy of the pages forbids, no page kept in the browser, refusals are shown."""


class Console:
    """Answers everything below ``PATH``; threads may share it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sign_ins = SignIns(parts.keys)
        self._attempts = Attempts()
        self._secret = secrets.token_bytes(32)
        self._files: dict[str, tuple[bytes, str]] = {}
        addresses = {}
        for name, (kind, paths) in FILES.items():
            data = b"\n".join(path.read_bytes() for path in paths)
            address = f"{STATIC}{hashlib.sha256(data).hexdigest()[:16]}/{name}"
            self._files[address], addresses[name] = (data, kind), address
        self._templates = open_templates(HERE / "templates")
        self._templates.filters.update(destination=destination_of, ports=_ports, minute=_minute)
        self._places = Places(parts.control.settings)
        self._templates.globals.update(files=addresses, home=self._places.home, regions=self._places.all)
        self._templates.globals.update(visit=None, most_bytes=MAX_UPLOAD, htmx=json.dumps(HTMX))

    def answer(self, request: Request, peer: Peer) -> Response:
        """The page; never raises."""
        visit: Visit | None = None
        try:
            if (file := self._files.get(request.path)) is not None:
                return static(*file)
            if not own_page(request):
                raise ApiError("AccessDenied", "The request was made by another web page.", 403)
            place, path = self._places.divide(request.path)
            there = replace(request, path=path)
            if path == SIGN_IN:
                return self._sign_in(there, peer, place)
            visit = self._enter(there, peer, place)
            if visit is None:
                return _to_the_door(there, place)
            return self._visit(there, visit)
        except ApiError as error:
            return self._refuse(request, error, visit)
        except Exception as error:
            log_internal(error, request, str(uuid.uuid4()))
            return self._refuse(request, ApiError("InternalError", "An internal error has occurred", 500))

    def refuse(self, request: Request, error: ApiError) -> Response:
        """An error that was found before the request was whole."""
        return self._refuse(request, too_large() if error.status == 413 else error)

    def turn_away(self, request: Request) -> Response:
        """The refusal of a request that is one too many."""
        error = ApiError("ServiceUnavailable", "Too many requests are under way. Try again.", 503)
        return self._refuse(request, error)

    def _visit(self, request: Request, visit: Visit) -> Response:
        if request.path == SIGN_OUT and request.method == "POST":
            self._sign_ins.end(cookie(request, COOKIE) or "")
            return redirect(_door_of(visit.place), _cookie(COOKIE, "", visit.peer, age=0))
        function, parts = find_page("GET" if request.method == "HEAD" else request.method, request.path)
        return function(visit, **parts)

    def _enter(self, request: Request, peer: Peer, place: Place) -> Visit | None:
        """Somebody who has signed in, and whose form comes from a page of theirs, of this region; None for others."""
        token = cookie(request, COOKIE)
        sign_in = self._sign_ins.find(token, used=not request.path.startswith(LIVE)) if token else None
        if sign_in is None:
            return None
        form = EMPTY
        if request.method == "POST":
            form = read_form(request)
            _check_form(form, sign_in, place)
        query, parts, render = read_query(request), self._parts, partial(self._render, place)
        return Visit(sign_in, place, peer, query, form, parts.exchange, parts.control, render)

    def _sign_in(self, request: Request, peer: Peer, place: Place) -> Response:
        """The door. What stands in its form goes with a cookie, so that no other page can sign somebody in."""
        if request.method in ("GET", "HEAD"):
            expired = bool(read_query(request).get("expired"))
            return self._door(peer, place, "The last sign-in has ended. Sign in again." if expired else "", 200)
        if request.method != "POST":
            raise ApiError("MethodNotAllowed", "This page takes GET and POST.", 405)
        form = read_form(request)
        door = cookie(request, DOOR_COOKIE)
        if door is None or not hmac.compare_digest(self._door_proof(door).encode(), form.get("csrf").encode()):
            return self._door(peer, place, "The form was too old, or the browser keeps no cookies. Sign in again.", 403)
        key_id, secret = form.get("AccessKeyId"), form.get("SecretAccessKey")
        try:
            self._attempts.admit(peer.address, key_id)
        except ApiError as error:
            return self._door(peer, place, error.message, error.status)
        key = check_key(self._parts.keys, key_id, secret)
        if key is None:
            self._attempts.failed(peer.address, key_id)
        known = key or self._parts.keys.find(key_id)
        caller = None if known is None else known.caller
        try:
            self._parts.exchange.signed_in(request, peer, f"{place.path}/", key_id, caller, key is not None)
        except ApiError as error:
            return self._door(peer, place, error.message, error.status)
        if key is None:
            return self._door(peer, place, "There is no active access key with this id and this secret.", 403)
        token = self._sign_ins.start(key)
        return redirect(f"{place.path}/", _cookie(COOKIE, token, peer), _cookie(DOOR_COOKIE, "", peer, age=0))

    def _door(self, peer: Peer, place: Place, problem: str, status: int) -> Response:
        door = secrets.token_urlsafe(16)
        text = self._render(place, "sign_in.html", problem=problem, csrf=self._door_proof(door))
        return html(text, status, _cookie(DOOR_COOKIE, door, peer))

    def _door_proof(self, door: str) -> str:
        return hmac.digest(self._secret, door.encode("utf-8", "surrogateescape"), "sha256").hex()

    def _refuse(self, request: Request, error: ApiError, visit: Visit | None = None) -> Response:
        """A page; htmx takes the refusal out of it, to where the page that is shown has its own."""
        there = _REFUSED_THERE if _is_part(request) else ()
        try:
            place, _ = self._places.divide(request.path)
        except ApiError:
            place = self._places.home
        return html(self._render(place, "refused.html", visit=visit, error=error), error.status, *there)

    def _render(self, place: Place, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(place=place, path=place.path, **values)


_REFUSED_THERE = (("hx-retarget", "#answer"), ("hx-reswap", "innerHTML show:#answer:top"), ("hx-reselect", ".refusal"))


def _is_part(request: Request) -> bool:
    """Whether htmx asks, to show a part of the page."""
    return request.header("hx-request") == "true"


def _door_of(place: Place) -> str:
    return SIGN_IN.replace(PATH, place.path, 1)


def _to_the_door(request: Request, place: Place) -> Response:
    """The whole page goes there, not the part of it that was asked for."""
    address = f"{_door_of(place)}?expired=1" if cookie(request, COOKIE) else _door_of(place)
    return html("", 200, ("hx-redirect", address)) if _is_part(request) else redirect(address)


def _ports(ports: Mapping[str, int] | None) -> str:
    if ports is None:
        return ""
    first, last = ports["FromPort"], ports["ToPort"]
    return f", port {first}" if first == last else f", ports {first}–{last}"


def _minute(at: str | datetime) -> str:
    """A time of the API as it is shown."""
    return f"{datetime.fromisoformat(str(at)):%Y-%m-%d %H:%M} UTC"


def _check_form(form: Form, sign_in: SignIn, place: Place) -> None:
    if not hmac.compare_digest(form.get("csrf").encode(), sign_in.proof(place.region).encode()):
        message = f"The form does not come from a page of this sign-in and of {place.name}. Load the page again."
        raise ApiError("AccessDenied", message, 403)


def _cookie(name: str, value: str, peer: Peer, age: int | None = None) -> tuple[str, str]:
    """For this browser, this console and requests of its own pages; it ends with the browser, or after ``age``."""
    parts = [f"{name}={value}", f"Path={PATH}", "HttpOnly", "SameSite=Strict"]
    parts += ["Secure"] if peer.secure else []
    parts += [] if age is None else [f"Max-Age={age}"]
    return "set-cookie", "; ".join(parts)
