"""The server process: sockets, TLS, signals. uvicorn (h11) speaks HTTP and calls the application.

Addresses other than loopback are served over TLS alone, and without signatures only loopback is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn

from halfsilver.harness.control.http import connections
from halfsilver.harness.control.http.accepting import Acceptor
from halfsilver.harness.control.http.app import App
from halfsilver.harness.control.http.connections import Connection
from halfsilver.harness.control.http.protocols.limits import MAX_HEAD
from halfsilver.harness.errors import HalfsilverError, UsageError

__all__ = ["Listen", "Monitor", "check", "hold_port", "serve"]

STOP_SECONDS = 10
"""How long requests under way may still take when the server stops."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen, and how.

    port             0 for any free one
    certificate, key PEM files, both or none; the certificate's file may have its chain after it
    insecure         requests are not checked for signatures
    shared           other processes listen on the port as well
    """

    host: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Monitor:
    """Another application on a port of its own, in plain HTTP and unsigned; ``listening`` gets its URL."""

    app: Any
    host: str
    port: int
    listening: Callable[[str], None]


def check(listen: Listen) -> None:
    """UsageError for an address that may not be served like this, or for a certificate that cannot be used."""
    _permitted(listen)
    _tls(listen)


def serve(
    app: App,
    listen: Listen,
    *,
    listening: Callable[[str], None],
    reload: Callable[[], None],
    monitor: Monitor | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way. Runs in the main thread, for the signals.

    ``listening`` gets the URL once connections are taken. SIGHUP calls ``reload`` in a thread (what it raises is
    logged, and the server goes on) and reads the certificate files again. UsageError for an address or certificate
    that cannot be used.
    """
    address = _permitted(listen)
    context = _tls(listen)
    beside = None if monitor is None else _resolve(monitor.host, monitor.port)[0]
    # asyncio turns Nagle's algorithm off only for sockets that name their protocol. With it on, the second part of
    # every answer would wait 40 ms for the client to acknowledge the first.
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(address[0], socket.SOCK_STREAM, socket.IPPROTO_TCP))
        _bind(listener, address[1], listen.host, listen.port, shared=listen.shared)
        servers = [_Server(_config(app), listener, context, lambda: listening(_url(listener, secure=bool(context))))]
        if monitor is not None and beside is not None:
            other = stack.enter_context(socket.socket(beside[0], socket.SOCK_STREAM, socket.IPPROTO_TCP))
            _bind(other, beside[4], monitor.host, monitor.port)
            monitor.listening(_url(other, secure=False))
            servers.insert(0, _Server(_config(monitor.app), other, None, lambda: None))
        # What is there now stays: to look through it again and again for garbage would hold up requests.
        gc.freeze()
        stack.callback(gc.unfreeze)
        try:
            asyncio.run(_serve(servers, listen, context, reload))
        finally:
            app.close()


@contextlib.contextmanager
def hold_port(listen: Listen) -> Iterator[Listen]:
    """Keep a port for processes that listen on it together; how each of them does. UsageError as of ``serve``."""
    family, address = _permitted(listen)
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as held:
        _bind(held, address, listen.host, listen.port, shared=True)
        yield replace(listen, port=held.getsockname()[1], shared=True)


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=connections.HEAD_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=MAX_HEAD,
    )


async def _serve(
    servers: Sequence[_Server], listen: Listen, context: ssl.SSLContext | None, reload: Callable[[], None]
) -> None:
    """The last of the servers is started when the others are."""
    loop = asyncio.get_running_loop()

    def reload_all() -> None:
        try:
            reload()
            if context is not None:
                _load_certificate(context, listen)
        except HalfsilverError as error:
            _LOG.error("not reloaded: %s", error)
        except Exception:
            _LOG.exception("not reloaded")

    def stop() -> None:
        for server in servers:
            server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, lambda: loop.run_in_executor(None, reload_all))
    await asyncio.gather(*(server.run_on_its_socket() for server in servers))


class _Server(uvicorn.Server):
    """uvicorn, with two things left to us: signals, as it would send them to itself again after the stop, and taking
    connections (``accepting``)."""

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        context: ssl.SSLContext | None,
        started: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._listener = listener
        self._context = context
        self._tell_started = started
        self._acceptors: list[Acceptor] = []

    async def run_on_its_socket(self) -> None:
        await self.serve(sockets=[self._listener])

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        self._acceptors = [Acceptor(each, self._context, self._connection) for each in sockets or ()]
        self._tell_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        await super().shutdown(sockets)

    def _connection(self) -> Connection:
        return Connection(self.config, self.server_state, {})

    def stop(self) -> None:
        """Take no more connections; at the second call, wait for nothing."""
        self.force_exit = self.should_exit
        self.should_exit = True


def _permitted(listen: Listen) -> tuple[socket.AddressFamily, Any]:
    """Family and socket address to bind; UsageError when the address may not be served like this."""
    found = _resolve(listen.host, listen.port)
    local = all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)
    if listen.insecure and not local:
        raise UsageError(
            f"{listen.host} is not a loopback address: without signatures only loopback is served, e.g. 127.0.0.1"
        )
    if (listen.certificate is None) != (listen.key is None):
        raise UsageError("TLS needs both, --tls-certificate PEM --tls-key PEM")
    if not local and listen.certificate is None:
        raise UsageError(
            f"{listen.host} is not a loopback address: it is served over TLS only, "
            "give --tls-certificate PEM --tls-key PEM"
        )
    return found[0][0], found[0][4]


def _resolve(host: str, port: int) -> list[Any]:
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE))
    except OSError as error:
        raise UsageError(f"cannot listen on {host}: {error.strerror}; give an address of this machine") from None


def _bind(listener: socket.socket, address: Any, host: str, port: int, *, shared: bool = False) -> None:
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        listener.bind(address)
    except OSError as error:
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}") from None


def _tls(listen: Listen) -> ssl.SSLContext | None:
    if listen.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_certificate(context, listen)
    return context


def _load_certificate(context: ssl.SSLContext, listen: Listen) -> None:
    """Read the files; connections made from now on get this certificate."""
    assert listen.certificate is not None
    try:
        # An encrypted key would make OpenSSL ask for a password at the terminal; an empty one makes it fail.
        context.load_cert_chain(listen.certificate, listen.key, password="")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"certificate {listen.certificate}, key {listen.key}: "
            f"{error.strerror if isinstance(error, OSError) and error.strerror else error}; "
            "give two PEM files that belong together, the key without a password"
        ) from None


def _url(listener: socket.socket, *, secure: bool) -> str:
    host, port = listener.getsockname()[:2]
    return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
