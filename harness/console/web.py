"""HTTP as the console speaks it: forms and cookies of a request, and answers with what every one of them says.

Bodies are within the server's limits already (``harness/control/http/app.py``): a mebibyte, with all that is around an
upload.
"""

from __future__ import annotations

import io
import logging
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_form, parse_options_header

from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = [
    "EMPTY",
    "MAX_UPLOAD",
    "Form",
    "Upload",
    "cookie",
    "edited",
    "html",
    "read_form",
    "read_query",
    "redirect",
    "shown",
    "static",
    "too_large",
]

MAX_FIELDS = 1_000
MAX_UPLOAD = 1_000_000
"""Bytes of a file. What a form has around it fits into the rest of the mebibyte that the server takes of anybody, known
or not: with more, those who have not signed in could fill its memory."""

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # what a body is no form for is told to its sender

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing inline, in nobody's frame."""
GUARDS = (
    ("content-security-policy", POLICY),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
)
NO_STORE = ("cache-control", "no-store")
FOR_EVER = ("cache-control", "public, max-age=31536000, immutable")
"""For files whose address changes with their content."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form: its name as the browser tells it, and its content."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """Values by name, each name once, and files by the name of their field; a file without content is none."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, Upload] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """The value without spaces around it; "" where there is none."""
        return self.values.get(name, "").strip()

    def given(self, *names: str) -> dict[str, str]:
        """Those of these values that are not empty."""
        return {name: self.get(name) for name in names if self.get(name)}


EMPTY = Form()
_SHOWN = "Shown."


def shown(values: Mapping[str, str]) -> Form:
    """A form that shows what there is, and sends back what it showed: ``edited`` tells what was changed in it."""
    return Form({**values, **{f"{_SHOWN}{name}": value for name, value in values.items()}})


def edited(form: Form) -> Form:
    """Those of its values that are not as they were shown; browsers take line ends out of the line of a text.

    What another tab, or a client of the API, has changed in the meantime is not among them, and so stays.
    """
    there = {name: value for name, value in form.values.items() if not name.startswith(_SHOWN)}
    return Form(
        {name: value for name, value in there.items() if _line(form.get(name)) != _line(form.get(f"{_SHOWN}{name}"))}
    )


def _line(text: str) -> str:
    return "".join(text.splitlines())


def read_query(request: Request) -> Form:
    """The values of a query string; ApiError if it has one twice or is no query string."""
    return Form(_once(request.query_string))


def read_form(request: Request) -> Form:
    """The form in the body of a POST, in either of the encodings that browsers know; ApiError if it is none."""
    header = request.header("content-type") or ""
    kind, options = parse_options_header(header)
    if kind == b"application/x-www-form-urlencoded":
        try:
            return Form(_once(request.body.decode("ascii")))
        except UnicodeDecodeError:
            raise _malformed("is not what browsers send") from None
    if kind != b"multipart/form-data":
        raise ApiError("UnsupportedMediaType", "The body must be a form.", 415)
    if not options.get(b"boundary"):
        raise _malformed("has no boundary, which its content type must name")
    return _multipart(header, request.body)


def _multipart(header: str, body: bytes) -> Form:
    values: dict[str, str] = {}
    files: dict[str, Upload] = {}

    def add(name: bytes | None) -> str:
        text = _text(name or b"")
        if text in values or text in files:
            raise _malformed("has one field twice")
        if len(values) + len(files) == MAX_FIELDS:
            raise _malformed(f"has more than {MAX_FIELDS} fields")
        return text

    def on_field(each: Field) -> None:
        values[add(each.field_name)] = _text(each.value or b"")

    def on_file(each: File) -> None:
        name = add(each.field_name)
        each.file_object.seek(0)
        data = each.file_object.read()
        if len(data) > MAX_UPLOAD:
            raise too_large()
        if data:
            files[name] = Upload((each.file_name or b"").decode("utf-8", "replace"), data)

    try:
        parse_form({"Content-Type": header.encode("latin-1")}, io.BytesIO(body), on_field, on_file)
    except (FormParserError, ValueError):
        raise _malformed("is not what browsers send") from None
    return Form(values, files)


def _once(text: str) -> dict[str, str]:
    try:
        pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:  # UnicodeDecodeError among them
        raise _malformed(f"is not UTF-8 text, or has more than {MAX_FIELDS} fields") from None
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _malformed("has one field twice")
    return values


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise _malformed("is not UTF-8 text") from None


def _malformed(problem: str) -> ApiError:
    return ApiError("MalformedForm", f"The form {problem}.")


def too_large() -> ApiError:
    """The refusal of an upload, however much of it has come."""
    message = (
        f"A capture may have {MAX_UPLOAD:,} bytes at most. Cut it: editcap -r FILE PART 1-500 takes its first frames."
    )
    return ApiError("RequestEntityTooLarge", message, 413)


def cookie(request: Request, name: str) -> str | None:
    """The value of a cookie; the first one where a client sends two."""
    for header in (value for each, value in request.headers if each == "cookie"):
        for pair in header.split(";"):
            key, equals, value = pair.strip().partition("=")
            if equals and key == name:
                return value
    return None


def html(text: str, status: int = 200, *headers: tuple[str, str]) -> Response:
    """A page, which nobody may keep."""
    return Response(status, text.encode(), (("content-type", "text/html; charset=utf-8"), NO_STORE, *GUARDS, *headers))


def redirect(path: str, *headers: tuple[str, str]) -> Response:
    """To a page of the console, to be got with GET."""
    return Response(303, b"", (("location", path), NO_STORE, *GUARDS, *headers))


def static(data: bytes, media_type: str) -> Response:
    return Response(200, data, (("content-type", media_type), FOR_EVER, *GUARDS))
