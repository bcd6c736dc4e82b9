"""A browser without eyes: it keeps cookies, follows nothing by itself, and finds forms in pages."""

from __future__ import annotations

import http.client
import urllib.parse
from dataclasses import dataclass, field
from html.parser import HTMLParser

from tests.control.kits.serve_kit import Server
from tests.control.kits.server_kit import Cloud

__all__ = ["EVIL", "Answer", "Client", "csrf", "key_of", "sign_in", "user"]


BOUNDARY = b"a-boundary"
EVIL = "</title><script>alert(1)</script>\"'&"
"""A name that somebody chose with care."""


class _Inputs(HTMLParser):
    """The inputs of a page that have a name, with their values."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if tag == "input" and found.get("name") and found.get("type") not in ("checkbox", "file"):
            self.values[str(found["name"])] = found.get("value") or ""


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def location(self) -> str:
        return self.headers["location"] or ""

    @property
    def inputs(self) -> dict[str, str]:
        return _Inputs(self.text).values


@dataclass
class Client:
    """One browser at one server."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, None, headers)

    def post(self, path: str, form: dict[str, str] | bytes, **headers: str) -> Answer:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        body = form if isinstance(form, bytes) else urllib.parse.urlencode(form).encode()
        return self.send("POST", path, body, {**kind, **headers})

    def submit(self, path: str, form: dict[str, str]) -> Answer:
        """The form of a page, as it is there but for these values."""
        return self.post(path, {**self.get(path).inputs, **form})

    def submit_to(self, path: str, form: dict[str, str]) -> Answer:
        """A form whose page is another one."""
        return self.post(path, {"csrf": self.get("/console/").inputs["csrf"], **form})

    def upload(self, path: str, form: dict[str, str], capture: bytes, name: str = "x.pcap") -> Answer:
        """The same with a capture."""
        values = {**self.get(path).inputs, **form}
        head = 'Content-Disposition: form-data; name="{}"'
        parts = [f"{head.format(field)}\r\n\r\n{value}".encode() for field, value in values.items()]
        quoted = name.replace('"', "%22")
        parts.append(f'{head.format("capture")}; filename="{quoted}"\r\n\r\n'.encode() + capture)
        body = b"".join(b"--" + BOUNDARY + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + BOUNDARY + b"--\r\n"
        kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
        return self.post(path, body, **kind)

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        address = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, {**({"cookie": jar} if jar else {}), **headers})
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read().decode())
        connection.close()
        for header in response.headers.get_all("set-cookie") or ():
            name, _, rest = header.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return answer


def key_of(server: Server, profile: str = "default") -> tuple[str, str]:
    """Id and secret of an account's administrator."""
    found = server.served.session(profile).get_credentials()
    return found.access_key, found.secret_key


def sign_in(where: str | Client, key: tuple[str, str]) -> Client:
    """A client that has signed in; another kind of one, or one of the server at a URL."""
    client = Client(where) if isinstance(where, str) else where
    answer = client.submit("/console/sign-in", {"AccessKeyId": key[0], "SecretAccessKey": key[1]})
    assert (answer.status, answer.location) == (303, "/console/"), answer.text
    return client


def csrf(client: Client) -> str:
    """The proof of its forms."""
    return client.get("/console/").inputs["csrf"]


def user(cloud: Cloud, name: str, *actions: str) -> Client:
    """A user of the first account who may do these and nothing else, signed in."""
    if ("111122223333", name) not in cloud.keys:
        cloud.add_user(name, {"Effect": "Allow", "Action": list(actions), "Resource": "*"})
    return sign_in(cloud.url, cloud.keys["111122223333", name])
