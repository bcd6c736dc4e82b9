"""The door of the console, without a server around it."""

from __future__ import annotations

import errno
import json
import re
import urllib.parse
from types import SimpleNamespace

import pytest

from halfsilver.harness.console.console import Console
from halfsilver.harness.console.sign_ins import FAILURES_PER_ADDRESS
from halfsilver.harness.console.web import MAX_UPLOAD, read_form
from halfsilver.harness.control.catalogue import OPERATIONS
from halfsilver.harness.control.http.exchange import Exchange, Peer
from halfsilver.harness.control.http.protocols import Response, load
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.call import Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.trail.audit_file import AuditFile
from halfsilver.harness.control.trail.recorder import Recorder
from tests.console.test_sign_ins import Keys, key

ANN = key()
FORM = ("content-type", "application/x-www-form-urlencoded")


def console(audit: Recorder | None = None) -> Console:
    exchange = Exchange(load(OPERATIONS), lambda *asked: ANN.caller, None, audit=audit)
    control = SimpleNamespace(settings=Settings("eu-west-1"))
    return Console(SimpleNamespace(keys=Keys({ANN.id: ANN}), control=control, exchange=exchange))


def header(answer: Response, name: str) -> str:
    return next(value for each, value in answer.headers if each == name)


def come_in(door: Console, secret: str, peer: Peer, key_id: str = ANN.id) -> Response:
    shown = door.answer(Request("GET", "/console/sign-in"), peer)
    proof = re.search(b'name="csrf" value="([^"]+)"', shown.body)
    assert proof is not None
    form = {"csrf": proof[1].decode(), "AccessKeyId": key_id, "SecretAccessKey": secret}
    cookie = ("cookie", header(shown, "set-cookie").partition(";")[0])
    body = urllib.parse.urlencode(form).encode()
    browser = (("user-agent", "Mozilla/5.0"), ("host", "desk.example"))
    return door.answer(Request("POST", "/console/sign-in", "", (FORM, cookie, *browser), body), peer)


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
    shown = console().answer(Request("GET", "/console/sign-in"), Peer("", False)).body
    assert b'<strong id="region">eu-west-1</strong>' in shown


def test_what_is_refused_before_it_is_whole_is_a_page_too():
    door = console()
    request = Request("POST", "/console/targets/create")
    refused, away = door.refuse(request, ApiError("RequestTimeout", "<late>", 408)), door.turn_away(request)
    assert (refused.status, away.status) == (408, 503)
    assert b"&lt;late&gt;" in refused.body and header(away, "x-frame-options") == "DENY"


def multipart(kind: str, body: bytes) -> Request:
    return Request("POST", "/console/sign-in", "", (("content-type", f"multipart/form-data{kind}"),), body)


@pytest.mark.parametrize(
    ("kind", "body", "problem"),
    [
        ("", b"--x--", "has no boundary"),
        ("; boundary=", b"--x--", "has no boundary"),
        ("; boundary=x", b"--y\r\n", "is not what browsers send"),
        ("; boundary=x", b"\0" * 100, "is not what browsers send"),
        ("; boundary=x", b"--x\r\nContent Disposition: a\r\n", "is not what browsers send"),
    ],
)
def test_what_is_no_form_is_told_to_its_sender_alone(
    kind: str, body: bytes, problem: str, caplog: pytest.LogCaptureFixture
):
    """Not to the log, which whoever reaches the door could fill."""
    answer = console().answer(multipart(kind, body), Peer("192.0.2.1", False))
    assert answer.status == 400 and problem.encode() in answer.body
    assert caplog.records == []


def test_an_upload_may_have_so_many_bytes_and_no_more():
    def form(size: int) -> Request:
        head = b'--x\r\nContent-Disposition: form-data; name="capture"; filename="a"\r\n\r\n'
        return multipart("; boundary=x", head + bytes(size) + b"\r\n--x--\r\n")

    assert len(read_form(form(MAX_UPLOAD)).files["capture"].data) == MAX_UPLOAD
    with pytest.raises(ApiError, match="1,000,000 bytes at most") as refused:
        read_form(form(MAX_UPLOAD + 1))
    assert refused.value.status == 413


def test_what_the_server_refuses_unread_is_refused_in_the_consoles_words():
    request = Request("POST", "/console/why-not", "", (("hx-request", "true"),))
    refused = console().refuse(request, ApiError("RequestEntityTooLarge", "The body is longer.", 413))
    assert refused.status == 413 and b"1,000,000 bytes at most" in refused.body
    assert header(refused, "hx-retarget") == "#answer"


def test_who_comes_in_and_who_does_not_is_recorded_as_aws_does(tmp_path):
    """The members are those of the CloudTrail user guide's examples, and those that every record has."""
    audit = AuditFile(tmp_path / "audit.jsonl")
    door, peer = console(Recorder(audit, "eu-west-1")), Peer("192.0.2.1", True)
    statuses = [come_in(door, *each).status for each in ((ANN.secret, peer), ("x", peer), ("x", peer, "AKIANOBODY"))]
    audit.close()
    assert statuses == [303, 403, 403]
    text = (tmp_path / "audit.jsonl").read_text()
    done, wrong, nobody = map(json.loads, text.splitlines())
    assert ANN.secret not in text and "AKIANOBODY" not in text
    for each in (done, wrong, nobody):
        assert (each["eventSource"], each["eventName"]) == ("signin.amazonaws.com", "ConsoleLogin")
        assert (each["eventType"], each["awsRegion"], each["readOnly"]) == ("AwsConsoleSignIn", "eu-west-1", False)
        assert (each["sourceIPAddress"], each["userAgent"]) == ("192.0.2.1", "Mozilla/5.0")
        assert each["additionalEventData"] == {
            "LoginTo": "https://desk.example/console/",
            "MobileVersion": "No",
            "MFAUsed": "No",
        }
        assert each["requestParameters"] is None
    caller = ANN.caller
    identity = {
        "type": "IAMUser",
        "principalId": caller.user_id,
        "accountId": caller.account,
        "accessKeyId": ANN.id,
        "userName": caller.user_name,
    }
    assert done["userIdentity"] == {**identity, "arn": caller.arn} and wrong["userIdentity"] == identity
    assert done["responseElements"] == {"ConsoleLogin": "Success"} and "errorMessage" not in done
    assert wrong["responseElements"] == nobody["responseElements"] == {"ConsoleLogin": "Failure"}
    assert wrong["errorMessage"] == nobody["errorMessage"] == "Failed authentication"
    assert done["recipientAccountId"] == wrong["recipientAccountId"] == caller.account
    assert nobody["recipientAccountId"] == "" and nobody["userIdentity"]["userName"] == "HIDDEN_DUE_TO_SECURITY_REASONS"


def test_nobody_comes_in_whose_sign_in_is_not_recorded():
    class Full:
        def append(self, record):
            raise OSError(errno.ENOSPC, "No space left on device")

    answer = come_in(console(Recorder(Full(), "eu-west-1")), ANN.secret, Peer("192.0.2.1", False))
    assert answer.status == 503 and b"No space left" in answer.body
    assert "session" not in header(answer, "set-cookie")
