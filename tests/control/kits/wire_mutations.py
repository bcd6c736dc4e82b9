"""Ways to make a right request wrong. Each is wrong for certain, whatever the request was."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from botocore.model import OperationModel, Shape

from halfsilver.harness.control.http.request import Request

__all__ = ["garbage", "malformed", "shaken"]

Fields = list[tuple[str, str]]


def malformed(operation: OperationModel, request: Request, randomness: random.Random) -> Request:
    """The request with one mistake."""
    json_body = operation.service_model.resolved_protocol in ("rest-json", "json")
    if json_body:
        changed = randomness.choice(JSON)(operation, request, randomness)
    else:
        changed = randomness.choice(FORM)(operation, request, randomness)
    return changed if changed is not None else _elsewhere(operation, request, randomness)


def _elsewhere(operation: OperationModel, request: Request, randomness: random.Random) -> Request:
    """Another path, or a method that no operation has."""
    if randomness.random() < 0.5:
        return replace(request, path=f"/{randomness.choice(['x', '%00', '..%2f', 'halfsilver', 'latest/api'])}")
    return replace(request, method=randomness.choice(["PUT", "PATCH", "HEAD", "TRACE", "post", "\u00e9"]))


# Forms.


def _with(request: Request, fields: Fields) -> Request:
    return replace(request, body=urlencode(fields).encode())


def _fields(request: Request) -> Fields:
    return parse_qsl(request.body.decode(), keep_blank_values=True)


def _unknown(operation: OperationModel, request: Request, randomness: random.Random) -> Request:
    fields = _fields(request)
    name = randomness.choice(
        [
            "Colour",
            "X-Amz-Signature",
            "action",
            "Filter.1.Colour.1",
            "",
            ".",
            "Tag.",
            "a" * 9000,
            "\u00e9",
            "Names.member.1.x",
            "DryRun ",
            "Version.1",
            "Action.",
        ]
    )
    if not name:
        return _with(request, [*fields, ("Colour", ""), ("Colour", "")])
    return _with(request, [*fields, (name, "x")])


def _twice(operation: OperationModel, request: Request, randomness: random.Random) -> Request:
    fields = _fields(request)
    name, _ = randomness.choice(fields)
    return _with(request, [*fields, (name, randomness.choice(["", "x", "true", "5"]))])


def _missing(operation: OperationModel, request: Request, randomness: random.Random) -> Request:
    """Without something that must be there: an operation, its version, a required member."""
    shape = operation.input_shape
    required = [_wire(operation, name, shape.members[name]) for name in shape.required_members] if shape else []
    gone = randomness.choice(["Action", "Version", *required])
    return _with(
        request, [(name, value) for name, value in _fields(request) if name != gone and not name.startswith(f"{gone}.")]
    )


def _other_operation(operation: OperationModel, request: Request, randomness: random.Random) -> Request:
    fields = dict(_fields(request))
    name = randomness.choice(["Action", "Version"])
    fields[name] = randomness.choice(
        ["", "x", "RunInstances", "9999-12-31", "\0", "2016-11-15 ", "a" * 5000, "createtags", "../CreateTags", "<x/>"]
    )
    return _with(request, list(fields.items()))


def _value(operation: OperationModel, request: Request, randomness: random.Random) -> Request | None:
    """One value that its shape does not allow; strings get a character that XML has not."""
    shape = operation.input_shape
    if shape is None or not shape.members:
        return None
    name, wrong = randomness.choice(_wrong_values(operation, shape, "", randomness))
    kept = [(each, value) for each, value in _fields(request) if each != name and not each.startswith(f"{name}.")]
    return _with(request, [*kept, (name, wrong)])


def _wrong_values(operation: OperationModel, shape: Shape, path: str, randomness: random.Random) -> Fields:
    found: Fields = []
    for name, member in shape.members.items():
        place = f"{path}{_wire(operation, name, member)}"
        if member.type_name == "list":
            word = member.member.serialization.get("name", "member")
            item = place if operation.service_model.resolved_protocol == "ec2" else f"{place}.{word}"
            index = randomness.choice(["0", "-1", "01", "x", "1.1.1", "123456", "\u0661", "1 "])
            found += [(place, "x"), (f"{item}.{index}", "x")]
            place, member = f"{item}.{randomness.choice([1, 7, 99999])}", member.member
        if member.type_name == "structure":
            found.append((place, "x"))
            found += _wrong_values(operation, member, f"{place}.", randomness)
        else:
            found += [(f"{place}.1", "x"), (place, _wrong(member, randomness))]
    return found


def _wrong(shape: Shape, randomness: random.Random) -> str:
    if shape.type_name == "integer":
        low, high = shape.metadata.get("min", -(1 << 31)), shape.metadata.get("max", (1 << 31) - 1)
        return randomness.choice(
            [
                str(low - 1),
                str(high + 1),
                "",
                "x",
                "1e3",
                "1.0",
                "9" * 4400,
                "+7",
                "\u0667",
                "0x7",
                "true",
                "7 ",
                "NaN",
                "--7",
            ]
        )
    if shape.type_name == "boolean":
        return randomness.choice(["", "TRUE", "True", "yes", "0", "1", "null", "true "])
    if getattr(shape, "enum", None):
        return randomness.choice(["", "x", f"{shape.enum[0]} ", shape.enum[0].swapcase(), "\0", "a" * 5000])
    return randomness.choice(["\0", "a\x0b", "\x1f", "\ufffe", "ok\uffff"])


def _bytes(operation: OperationModel, request: Request, randomness: random.Random) -> Request:
    """Bytes that are no form."""
    bad = randomness.choice([b"\xff", b"%", b"%f", b"%g0", b"%c3%28", b"%ed%a0%80", b"\xc3\x28", b"%u0041"])
    return replace(request, body=request.body + b"&NextToken=" + bad)


def _deep(operation: OperationModel, request: Request, randomness: random.Random) -> Request:
    parts = randomness.choices(["Filter", "1", "Value", "Tag"], k=randomness.choice([9, 17, 18, 3000]))
    return _with(request, [*_fields(request), (".".join(parts), "x")])


def _many(operation: OperationModel, request: Request, randomness: random.Random) -> Request:
    if randomness.random() < 0.9:  # these are slow: few of them
        return _unknown(operation, request, randomness)
    return replace(request, body=request.body + b"".join(b"&Name.%d=x" % number for number in range(2001)))


def _in_query(operation: OperationModel, request: Request, randomness: random.Random) -> Request:
    """The same parameter in query string and body, or an unknown one in the query string."""
    name, value = randomness.choice(_fields(request))
    query = randomness.choice([f"{quote(name)}={quote(value)}", "Colour=x", "%ff", "a=%zz"])
    return replace(request, query_string=query)


def _wire(operation: OperationModel, name: str, member: Shape) -> str:
    """What botocore calls a member of a form."""
    serialization = member.serialization
    if operation.service_model.resolved_protocol != "ec2":
        return str(serialization.get("name", name))
    located = str(serialization.get("name", name))
    return str(serialization.get("queryName", located[0].upper() + located[1:]))


FORM: list[Callable[[OperationModel, Request, random.Random], Request | None]] = [
    _unknown,
    _twice,
    _missing,
    _other_operation,
    _value,
    _value,
    _value,
    _value,
    _bytes,
    _deep,
    _many,
    _in_query,
    _elsewhere,
]


# JSON.


def _no_json(operation: OperationModel, request: Request, randomness: random.Random) -> Request:
    body = randomness.choice(
        [
            b"{",
            b"[]",
            b"5",
            b'""',
            b"\xff",
            b"{}{}",
            b"{'a': 1}",
            b"\0",
            b'{"a": NaN}',
            b"<a/>",
            b'{"a": 1e999}',
            b'{"a": ' + b"7" * 500 + b"}",
            b"[" * 3000,
            b'{"a":' * 3000,
            b" ",
            b'{"a": 1, "a": 1}',
            b'{"name": "\\ud800"}',
        ]
    )
    return replace(request, body=body)


def _json_member(operation: OperationModel, request: Request, randomness: random.Random) -> Request | None:
    """A member that is not in the model, is missing, or has a value that its shape does not allow."""
    document = json.loads(request.body or b"{}")
    shape = operation.input_shape
    in_body = {name: member for name, member in shape.members.items() if not member.serialization.get("location")}
    kind = randomness.choice(["unknown", "missing", "wrong"])
    required = [name for name in shape.required_members if name in in_body]
    if kind == "missing" and required:
        name = randomness.choice(required)
        document[name] = None
        if randomness.random() < 0.5:
            del document[name]
    elif kind == "wrong" and in_body:
        name = randomness.choice(sorted(in_body))
        document[name] = _wrong_json(in_body[name], randomness)
    else:
        document[randomness.choice(["colour", "", "Name", "\0", "a" * 5000, "resourceShareArn "])] = 1
    return replace(request, body=json.dumps(document).encode())


def _wrong_json(shape: Shape, randomness: random.Random) -> Any:
    if shape.type_name == "list":
        return randomness.choice([5, "x", {}, {"member": []}, True, [_wrong_json(shape.member, randomness)]])
    if shape.type_name == "structure":
        return randomness.choice([5, "x", [], False, {"colour": 1}])
    if shape.type_name == "integer":
        low, high = shape.metadata.get("min", -(1 << 31)), shape.metadata.get("max", (1 << 31) - 1)
        return randomness.choice([low - 1, high + 1, "5", 5.5, 5.0, True, [], {}, 1 << 63])
    if shape.type_name == "boolean":
        return randomness.choice([0, 1, "true", "", [], {}])
    if shape.type_name in ("double", "timestamp"):
        return randomness.choice(["x", "", True, [], {}, 1e300 if shape.type_name == "timestamp" else "5"])
    return randomness.choice([5, 5.5, True, [], {}, ["x"], "\0", "\ud800", "a\ufffe"])


def _json_query(operation: OperationModel, request: Request, randomness: random.Random) -> Request:
    more = randomness.choice(["colour=x", "%zz=1", "a=%ff", "name=a&name=b", "=", "%00=1", "clientToken=%00"])
    return replace(request, query_string=f"{request.query_string}&{more}" if request.query_string else more)


JSON: list[Callable[[OperationModel, Request, random.Random], Request | None]] = [
    _no_json,
    _json_member,
    _json_member,
    _json_member,
    _json_query,
    _elsewhere,
]


# Without rules.


def shaken(request: Request, randomness: random.Random) -> Request:
    """The request with some bytes of its body changed, taken out or repeated. It may still be right."""
    body = bytearray(request.body or b"{}")
    for _ in range(randomness.randrange(1, 4)):
        at = randomness.randrange(len(body) + 1)
        piece = body[at : at + randomness.randrange(1, 9)]
        new = randomness.choice([b"", piece, piece * 2, randomness.randbytes(1), b"%00", b"."])
        body[at : at + randomness.choice([0, 1, len(piece)])] = new
    return replace(request, body=bytes(body))


def garbage(randomness: random.Random) -> Request:
    """Bytes from nowhere in every place of a request; no operation is named."""

    def text(most: int) -> str:
        return randomness.randbytes(randomness.randrange(most)).decode("latin-1")

    headers = tuple((text(20).lower(), text(60)) for _ in range(randomness.randrange(6)))
    signature = "AWS4-HMAC-SHA256 Credential=A/2/3/{}/aws4_request, SignedHeaders=, Signature="
    known = (
        ("authorization", signature.format(randomness.choice(["ec2", "sts", "ram", "s3", "\u00e9", "", text(9)]))),
        ("content-type", randomness.choice(["application/json", "text/xml; charset=x", text(30)])),
        ("x-amz-target", text(30)),
        ("content-length", text(6)),
    )
    chosen = tuple(each for each in known if randomness.random() < 0.5)
    return Request(
        randomness.choice(["GET", "POST", "DELETE", text(8)]),
        randomness.choice(["/", "/createresourceshare", "/deleteresourceshare", "/" + text(30), text(30)]),
        text(60),
        headers + chosen,
        randomness.randbytes(randomness.choice([0, 1, 20, 300])),
    )
