"""All parts of a server put together: state, inventory, engine, keys, protocols, HTTP."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from halfsilver.harness.control.catalogue import OPERATIONS
from halfsilver.harness.control.control import Control
from halfsilver.harness.control.directory import StateDirectory
from halfsilver.harness.control.http.app import App
from halfsilver.harness.control.http.by_path import Beside, ByPath
from halfsilver.harness.control.http.exchange import Authenticate, Exchange
from halfsilver.harness.control.http.protocols import load, signed_for
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.http.server import Listen, Monitor, check, serve
from halfsilver.harness.control.iam.access_keys import KeyStore, anonymous
from halfsilver.harness.control.iam.assuming import RoleKeeper
from halfsilver.harness.control.iam.policies import ADMINISTRATOR, Policies
from halfsilver.harness.control.iam.sigv4 import authenticate
from halfsilver.harness.control.inventory import inventory_file
from halfsilver.harness.control.inventory.inventory_file import Inventory
from halfsilver.harness.control.inventory.regions import of_one_server
from halfsilver.harness.control.local.frames import FRAMES_PATH, frames_route
from halfsilver.harness.control.local.routes import routes
from halfsilver.harness.control.metrics.book import Book, Clock, utc_now
from halfsilver.harness.control.metrics.card import COUNTER_SECONDS
from halfsilver.harness.control.metrics.families import Families
from halfsilver.harness.control.metrics.page import MonitorApp
from halfsilver.harness.control.metrics.requests import Requests
from halfsilver.harness.control.operations.call import DEFAULT_REGION, Caller, Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.quotas import Quotas
from halfsilver.harness.control.operations.regions import known_regions
from halfsilver.harness.control.operations.throttling import Throttle
from halfsilver.harness.control.plane.data_plane import DataPlane
from halfsilver.harness.control.plane.mirror_file import MirrorFile
from halfsilver.harness.control.plane.restoring import restore
from halfsilver.harness.control.state.record import Kind
from halfsilver.harness.control.state.store import HOME, Store, Transaction
from halfsilver.harness.control.trail.audit_file import AuditFile
from halfsilver.harness.control.trail.recorder import Recorder
from halfsilver.harness.control.upstream.connection import Connection
from halfsilver.harness.control.upstream.gateway import Gateway
from halfsilver.harness.control.upstream.moto import moto_server
from halfsilver.harness.control.upstream.stock import Stock
from halfsilver.harness.engine import Engine
from halfsilver.harness.errors import HalfsilverError, UsageError
from halfsilver.harness.policy.policy import read_documents
from halfsilver.harness.policy.types import Problem

__all__ = ["Options", "Parts", "Ready", "run"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a server its pages need."""

    exchange: Exchange
    control: Control
    keys: KeyStore


@dataclass(frozen=True, slots=True)
class Options:
    """What a server is started with.

    state      the directory of state
    inventory  the inventory file; None: the mirror file has the inventory too; with an upstream, it has accounts only
    mirror     the mirror file (``mirror_file``), or None
    database   URL of a PostgreSQL that has the state, and that other servers may share; None: SQLite in the directory
    region     None: that of the inventory
    throttle   EC2's throttling times this factor; None: nothing is throttled
    pages      what answers beside the API, made of the server's parts, by the first word of its paths (``/console``)
    monitor    address and port of the pages for monitoring, unsigned; None: there are none
    clock      of all but signatures and the ends of session tokens
    dates      what those are held against
    upstream   URL of an AWS look-alike that answers the rest and has the inventory, None if there is none
    with_moto  start moto's server, and it is the upstream
    counters   seconds between two readings of a card's counters
    audit      the file that has a record of each request; None: none is kept
    open_store opens the database of that name or URL
    """

    open_engine: Callable[[], Engine]
    listen: Listen
    state: Path
    inventory: Path | None = None
    mirror: Path | None = None
    database: str | None = None
    region: str | None = None
    quotas: Quotas = field(default_factory=Quotas)
    throttle: float | None = None
    pages: Mapping[str, Callable[[Parts], Beside]] = field(default_factory=dict)
    monitor: tuple[str, int] | None = None
    clock: Clock = utc_now
    dates: Clock = utc_now
    upstream: str | None = None
    with_moto: bool = False
    counters: float = COUNTER_SECONDS
    audit: Path | None = None
    open_store: Callable[[str], Store] = Store


@dataclass(frozen=True, slots=True)
class Ready:
    """What a client must know of a server that takes requests, and what its owner should.

    credentials  a shared credentials file with a profile for each account, and ``default`` for the first
    warnings     of the inventory file
    trouble      why the engine does not do what is stored, None if it does
    monitor      URL of the pages for monitoring, None where there are none
    restored     what an edited mirror file has put in the place of the stored policy, None if it was not edited
    upstream     URL of what answers the rest, None if nothing does
    """

    url: str
    region: str
    credentials: Path
    accounts: tuple[str, ...]
    engine: str
    warnings: tuple[Problem, ...]
    trouble: str | None
    restored: str | None
    upstream: str | None
    monitor: str | None


def run(options: Options, ready: Callable[[Ready], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is called when requests are taken. HalfsilverError: it cannot.

    A server that does not come to serve leaves no directory behind that was not there.
    """
    read = None
    if options.upstream is None and not options.with_moto:
        with _all_kept():  # before anything is made, a mirror file or a model of the gateware among it
            read = _read_inventory(options)
    check(options.listen)
    directory = StateDirectory(options.state)
    with ExitStack() as stack:
        stack.enter_context(directory.lock() if options.database is None else directory.share())
        used = stack.enter_context(directory.kept_if_used())
        upstream = stack.enter_context(moto_server()) if options.with_moto else options.upstream
        with _all_kept():
            server = _Server(options, directory, stack, upstream, read)

        def listening(url: str) -> None:
            used()
            ready(server.ready(url))

        serve(
            server.app,
            options.listen,
            listening=listening,
            reload=server.reload,
            monitor=server.monitor(options.monitor),
        )


class _Server:
    """The parts of a server; ``stack`` closes them, the last one first.

    ``read``: the inventory, where it has been read.
    """

    def __init__(
        self,
        options: Options,
        directory: StateDirectory,
        stack: ExitStack,
        upstream: str | None,
        read: tuple[dict[str, Any], Inventory] | None = None,
    ) -> None:
        self._options = options
        self._directory = directory
        self._upstream = None if upstream is None else stack.enter_context(closing(Connection(upstream)))
        self._stock = None if self._upstream is None else _stock(options, self._upstream)
        self._gateway: Gateway | None = None
        if self._stock is not None:
            self._stock.sources = self._sources
        database = options.database or str(directory.make_database())
        self._store = stack.enter_context(closing(options.open_store(database)))
        self._documents, inventory = read or self._read()
        audit = None if options.audit is None else stack.enter_context(closing(AuditFile(options.audit)))
        region = options.region or inventory.region or DEFAULT_REGION
        self._settings = Settings(region, quotas=options.quotas, trail=audit)
        others = tuple(each for each in known_regions(self._settings.partition) if each != region)
        self._settings = replace(self._settings, regions=others)
        self._mirror = None if options.mirror is None else MirrorFile(options.mirror, directory.digests)
        edited = None if self._mirror is None else self._mirror.edited()
        self._plane = stack.enter_context(closing(DataPlane(options.open_engine, inventory.nic, Book(options.clock))))
        self._inventory = inventory
        self._restored: str | None = None
        self._requests = Requests()
        self._monitor_url: str | None = None
        keys = directory.add_users(inventory.accounts, self._settings.partition)
        self._control = stack.enter_context(
            closing(
                Control(
                    self._store,
                    inventory,
                    self._settings,
                    self._plane,
                    _permit_all if options.listen.insecure else keys.policies,
                    roles=RoleKeeper(keys, None if options.listen.insecure else keys.policies),
                    shared=options.database is not None,
                    committed=self._write_mirror,
                    throttle=None if options.throttle is None else Throttle(options.throttle),
                    restore=None if edited is None else lambda transaction: self._restore(transaction, edited),
                    clock=options.clock,
                    counters=options.counters,
                )
            )
        )
        if self._upstream is not None and self._stock is not None:
            gateway = Gateway(self._upstream, self._stock, self._control, OPERATIONS, self._adopt)
            self._gateway = stack.enter_context(closing(gateway))
        services = load(OPERATIONS)
        beside = {**routes(self._control), FRAMES_PATH: frames_route(self._control)}
        exchange = Exchange(
            services,
            self._authenticator(keys),
            self._gateway or self._control,
            beside,
            options.clock,
            self._gateway.route if self._gateway is not None else None,
            self._requests.note,
            self._control.soon if self._gateway is None else None,
            None if audit is None else Recorder(audit, region),
            self._region,
        )
        parts = Parts(exchange, self._control, keys)
        pages = {path: make(parts) for path, make in options.pages.items()}
        self.app = App(ByPath(exchange, pages), local_only=options.listen.insecure)

    def ready(self, url: str) -> Ready:
        state = self._plane.state
        return Ready(
            url,
            self._settings.region,
            self._directory.credentials,
            self._inventory.accounts,
            state.identity.detail if state.identity else "none",
            self._inventory.warnings,
            state.trouble,
            self._restored,
            None if self._upstream is None else self._upstream.url,
            self._monitor_url,
        )

    def monitor(self, address: tuple[str, int] | None) -> Monitor | None:
        """The pages for monitoring at an address, or none."""
        if address is None:
            return None

        def listening(url: str) -> None:
            self._monitor_url = url

        families = Families(self._plane.book, self._control.status, self._requests)
        return Monitor(MonitorApp(families, self._control.unready), *address, listening)

    def reload(self) -> None:
        """Read the inventory again. HalfsilverError, and then the server goes on with the one before."""
        if self._gateway is not None:
            self._gateway.refresh(accept=True)
        else:
            self._take_up(*self._read())

    def _read(self) -> tuple[dict[str, Any], Inventory]:
        if self._stock is None:
            return _read_inventory(self._options)
        with self._store.begin() as transaction:
            stored = inventory_file.regions_of(transaction)
        documents = self._stock.read(self._stock.region)
        for region in stored:
            if region not in (HOME, self._stock.region):
                documents = self._stock.read(region)
        return documents, self._understood(documents)

    def _adopt(self, documents: dict[str, Any]) -> None:
        self._take_up(documents, self._understood(documents))

    def _understood(self, documents: dict[str, Any]) -> Inventory:
        """What the upstream has."""
        region = None if self._stock is None else self._stock.region
        return inventory_file.from_documents(documents, where="the upstream", may_be_empty=True, region=region)

    def _sources(self) -> list[str]:
        """Ids of the interfaces that have sessions in the server's own region, the oldest first."""
        with self._store.begin() as transaction:
            return [session.parent for session in transaction.of_region(HOME).find(Kind.SESSION)]

    def _take_up(self, documents: dict[str, Any], inventory: Inventory) -> None:
        """Make it the inventory; the documents are what it was read from."""
        before, self._documents = self._documents, documents
        try:
            self._control.reload(inventory)
        except ApiError as error:
            self._documents = before
            raise HalfsilverError(error.message) from error
        except BaseException:
            self._documents = before
            raise
        self._inventory = inventory
        self._directory.add_users(inventory.accounts, self._settings.partition)

    def _restore(self, transaction: Transaction, edited: Any) -> None:
        counts = restore(
            transaction, edited, self._settings, account=self._inventory.accounts[0], where=str(self._options.mirror)
        )
        what = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items())
        self._restored = f"{self._options.mirror} was edited and is the stored policy now: {what}"

    def _write_mirror(self) -> None:
        if self._mirror is not None:
            self._mirror.write(self._store, self._documents)

    def _region(self, request: Request) -> str:
        """The other region that a request is signed for, if there is that region."""
        scope = signed_for(request)
        return scope[0] if scope is not None and scope[0] in self._settings.regions else HOME

    def _authenticator(self, keys: KeyStore) -> Authenticate:
        if self._options.listen.insecure:
            somebody = anonymous(self._inventory.accounts[0], self._settings.partition)
            return lambda request, service, region: somebody

        def authenticator(request: Request, service: str, region: str) -> Caller:
            there = region or self._settings.region
            return authenticate(request, keys, self._options.dates(), service=service, region=there)

        return authenticator


@contextmanager
def _all_kept() -> Iterator[None]:
    """While a server is put together nearly all that is made stays, and looking for garbage among it finds nothing."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _permit_all(caller: Caller) -> Policies:
    return ADMINISTRATOR


def _stock(options: Options, upstream: Connection) -> Stock:
    """What an upstream has; of an inventory file only the accounts are read. UsageError if there is more in it."""
    documents = {} if options.inventory is None else read_documents(options.inventory)
    more = [name for name in documents if name != "Accounts"] if isinstance(documents, Mapping) else ["a list"]
    if more:
        raise UsageError(
            f"{options.inventory}: has {more[0]}; with an upstream, which has the inventory, it may have Accounts only"
        )
    if documents:
        inventory_file.from_documents(documents, where=str(options.inventory), may_be_empty=True)
    return Stock(upstream, options.region or DEFAULT_REGION, documents.get("Accounts", ()))


def _read_inventory(options: Options) -> tuple[dict[str, Any], Inventory]:
    """The inventory file, as it is and as it is understood; that part of the mirror file if there is no other."""
    path = options.inventory or options.mirror
    if path is None or not (options.inventory or path.exists()):
        raise UsageError(
            "there is no inventory: name an inventory file with --inventory (what AWS's describe commands print "
            "of network interfaces and what they belong to)"
        )
    documents = read_documents(path)
    if options.inventory is None and isinstance(documents, Mapping):
        documents = {name: value for name, value in documents.items() if not name.startswith("TrafficMirror")}
    inventory = inventory_file.from_documents(documents, where=str(path), region=options.region)
    return of_one_server(documents, inventory.region or DEFAULT_REGION), inventory
