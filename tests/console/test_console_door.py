"""The door of the console, without a server around it."""

from __future__ import annotations

import re
import urllib.parse
from types import SimpleNamespace

from halfsilver.harness.console.console import Console
from halfsilver.harness.console.sign_ins import FAILURES_PER_ADDRESS
from halfsilver.harness.control.http.exchange import Peer
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.call import Settings
from halfsilver.harness.control.operations.errors import ApiError
from tests.console.test_sign_ins import Keys, key

ANN = key()
FORM = ("content-type", "application/x-www-form-urlencoded")


def console() -> Console:
    return Console(SimpleNamespace(keys=Keys({ANN.id: ANN}), control=SimpleNamespace(settings=Settings("eu-west-1"))))


def header(answer: Response, name: str) -> str:
    return next(value for each, value in answer.headers if each == name)


def come_in(door: Console, secret: str, peer: Peer) -> Response:
    shown = door.answer(Request("GET", "/console/sign-in"), peer)
    proof = re.search(b'name="csrf" value="([^"]+)"', shown.body)
    assert proof is not None
    form = {"csrf": proof[1].decode(), "AccessKeyId": ANN.id, "SecretAccessKey": secret}
    cookie = ("cookie", header(shown, "set-cookie").partition(";")[0])
    body = urllib.parse.urlencode(form).encode()
    return door.answer(Request("POST", "/console/sign-in", "", (FORM, cookie), body), peer)


def test_over_tls_cookies_go_over_tls_alone():
    for secure in (False, True):
        door = console()
        answers = [door.answer(Request("GET", "/console/sign-in"), Peer("192.0.2.1", secure))]
        answers.append(come_in(door, ANN.secret, Peer("192.0.2.1", secure)))
        assert answers[1].status == 303
        for answer in answers:
            assert header(answer, "set-cookie").split("; ")[1:4] == ["Path=/console", "HttpOnly", "SameSite=Strict"]
            assert header(answer, "set-cookie").endswith("; Secure") is secure


def test_who_guesses_has_to_wait():
    door, guesser = console(), Peer("192.0.2.1", False)
    for _ in range(FAILURES_PER_ADDRESS):
        assert come_in(door, "x" * 40, guesser).status == 403
    answer = come_in(door, ANN.secret, guesser)
    assert answer.status == 429 and b"Try again in" in answer.body
    assert come_in(door, ANN.secret, Peer("192.0.2.2", False)).status == 303


def test_the_region_is_shown_before_anybody_is_known():
    assert b"eu-west-1" in console().answer(Request("GET", "/console/sign-in"), Peer("", False)).body


def test_what_is_refused_before_it_is_whole_is_a_page_too():
    door = console()
    request = Request("POST", "/console/targets/create")
    refused, away = door.refuse(request, ApiError("RequestTimeout", "<late>", 408)), door.turn_away(request)
    assert (refused.status, away.status) == (408, 503)
    assert b"&lt;late&gt;" in refused.body and header(away, "x-frame-options") == "DENY"
