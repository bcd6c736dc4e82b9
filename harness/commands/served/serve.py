"""``halfsilver serve``: the control plane, a server that AWS clients take for EC2, bound to an engine."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import logging
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from halfsilver.harness.commands.common import DEFAULT_SEED, Subparsers, add_rig_argument, say
from halfsilver.harness.control.metrics.card import COUNTER_SECONDS
from halfsilver.harness.control.operations.call import DEFAULT_REGION
from halfsilver.harness.control.operations.quotas import Quotas
from halfsilver.harness.engines.registry import ENGINE_NAMES, REFERENCE, make_engine
from halfsilver.harness.errors import EXIT_OK, EnvironmentMissing, UsageError
from halfsilver.harness.installation import how_to_get, missing_package
from halfsilver.harness.spelling import nearest

if TYPE_CHECKING:
    from halfsilver.harness.control.serving import Ready

__all__ = ["add", "run"]

DEFAULT_PORT = 4510
DEFAULT_STATE = "halfsilver.state"
MIN_FACTOR, MAX_FACTOR = 0.01, 100.0
"""Of EC2's throttling: from a bucket of one request to nearly none."""
MAX_WORKERS = 64
MIN_COUNTER_SECONDS, MAX_COUNTER_SECONDS = 0.5, 60.0
"""Of reading counters: as often as the server looks at all, and once for each minute of the metrics."""
MOTO = ("moto", "flask", "flask_cors")
"""What moto's server is made of."""
MIRROR_SUFFIX = ".json"
"""By which --state tells a policy file from a directory."""

_QUOTAS = tuple(field.name.replace("_", "-") for field in dataclasses.fields(Quotas))


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "serve",
        help="serve the EC2 Traffic Mirroring API",
        description="Serve EC2's Traffic Mirroring API to unmodified AWS clients. What they create is what the engine "
        "does to packets, at once.",
        epilog="SIGHUP rereads the inventory file and the certificate; SIGTERM ends the server when what is under way "
        "is done. What has been answered is never lost, whatever ends the server.",
    )
    parser.add_argument(
        "--inventory",
        "--bench",
        dest="inventory",
        metavar="FILE",
        help="network interfaces, instances, load balancers and accounts that there are, as AWS's describe commands "
        "print them, and which interfaces the NIC carries; without it, the --state file must have them. "
        "--bench is its former name",
    )
    parser.add_argument(
        "--state",
        metavar="DIR|MIRROR.JSON",
        action="append",
        default=[],
        help="a directory for the database and the access keys, made if it is not there (default: "
        f"{DEFAULT_STATE}); or a file *.json that has the policy as `halfsilver mirror -c` takes it: loaded at the "
        "start if somebody has changed it, and written after every change. May be given twice, once for each; without "
        "a directory, the file's is beside it, FILE.state",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="keep the state in PostgreSQL instead, postgresql://user@host/database; several servers may share it",
    )
    parser.add_argument(
        "--engine",
        choices=ENGINE_NAMES,
        default=REFERENCE,
        help="what mirrors: the model in Python, the gateware under Verilator, or a board (default: %(default)s)",
    )
    add_rig_argument(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 is any free one (default: %(default)s)")
    parser.add_argument(
        "--tls-certificate", metavar="PEM", help="serve HTTPS, needed for other addresses than loopback"
    )
    parser.add_argument("--tls-key", metavar="PEM", help="the certificate's private key")
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="take requests without looking at their signatures, as the first account's administrator; only on "
        "loopback",
    )
    parser.add_argument(
        "--region", help=f"the server's (default: the one that the inventory file names, else {DEFAULT_REGION})"
    )
    parser.add_argument(
        "--quota",
        metavar="NAME=N",
        action="append",
        default=[],
        help=f"change a quota; may be repeated. Names: {', '.join(_QUOTAS)}",
    )
    parser.add_argument(
        "--throttle",
        type=float,
        nargs="?",
        const=1.0,
        metavar="FACTOR",
        help="refuse requests that come faster than EC2 allows (RequestLimitExceeded), to rehearse how a client backs "
        "off; sizes and rates are EC2's documented ones times FACTOR (default: 1)",
    )
    parser.add_argument(
        "--metrics",
        metavar="[ADDRESS:]PORT",
        help="pages for monitoring, on a port of their own and without signatures: /metrics for Prometheus, /healthz, "
        "/readyz; on 127.0.0.1 unless another ADDRESS is named, 0 is any free port (default: none)",
    )
    parser.add_argument(
        "--read-counters",
        type=float,
        default=COUNTER_SECONDS,
        metavar="SECONDS",
        help="how often the counters of a board are read, which carries more than the server sends it; what metrics, "
        f"alarms and console see is at most so old: {MIN_COUNTER_SECONDS:g} to {MAX_COUNTER_SECONDS:g} (default: "
        "%(default)g)",
    )
    parser.add_argument(
        "--audit",
        metavar="FILE",
        help="add a line of JSON to a file for each request, done or refused, as CloudTrail records it: who, what, "
        "when, from where. It is on the disk before the answer, and what CloudTrail's LookupEvents finds. Before it "
        "grows over 64 MiB, the file becomes FILE.1 (default: none)",
    )
    parser.add_argument(
        "--upstream",
        metavar="URL",
        help="an AWS look-alike (moto, LocalStack) that answers all but Traffic Mirroring; what it has is the "
        "inventory, and --inventory then names the accounts only",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="so many processes behind the port, each with an engine of its own, on one --database; the console, whose "
        "users one process knows, is then not served (default: %(default)s)",
    )
    parser.add_argument("--with-moto", action="store_true", help="start moto's server, and it is the upstream")
    parser.add_argument(
        "--backup",
        metavar="FILE",
        help="serve nothing: write a copy of the state directory, access keys included, while its server goes on",
    )
    parser.add_argument(
        "--restore", metavar="FILE", help="begin with the state of such a copy; the directory must be new"
    )
    parser.add_argument("--json", action="store_true", help="when ready, print one line of JSON with the address")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal ends it; exit code 0 then."""
    quotas = _quotas(arguments.quota)
    directory, mirror = _places(arguments.state)
    if not 0 <= arguments.port <= 65535:
        raise UsageError(f"--port {arguments.port}: must be 0 to 65535")
    if arguments.throttle is not None and not MIN_FACTOR <= arguments.throttle <= MAX_FACTOR:
        raise UsageError(f"--throttle {arguments.throttle}: must be {MIN_FACTOR:g} to {MAX_FACTOR:g}")
    if not MIN_COUNTER_SECONDS <= arguments.read_counters <= MAX_COUNTER_SECONDS:
        raise UsageError(
            f"--read-counters {arguments.read_counters:g}: must be {MIN_COUNTER_SECONDS:g} to {MAX_COUNTER_SECONDS:g}"
        )
    if arguments.database is not None and not arguments.database.startswith("postgresql://"):
        raise UsageError(
            "--database: must be a URL such as postgresql://user@host/database; without it, the state is "
            "in a file of the state directory"
        )
    if mirror is not None and arguments.database is not None:
        raise UsageError(f"--state {mirror} is one server's, and a --database may have several; give only one of them")
    if arguments.database is not None and (arguments.backup or arguments.restore):
        raise UsageError("--backup and --restore are for the database in the directory; PostgreSQL has pg_dump for it")
    _check_workers(arguments)
    if arguments.upstream is not None and arguments.with_moto:
        raise UsageError("--upstream names a look-alike and --with-moto starts one; give only one of them")
    if arguments.with_moto and not all(map(importlib.util.find_spec, MOTO)):
        raise EnvironmentMissing(f"--with-moto needs moto's server, which is not installed; {how_to_get('moto')}")
    try:
        from halfsilver.harness.console.console import Console
        from halfsilver.harness.console.places import PATH as CONSOLE
        from halfsilver.harness.control import backup, serving, workers
        from halfsilver.harness.control.http.server import Listen
        from halfsilver.harness.control.upstream.connection import check_url
    except ModuleNotFoundError as error:
        raise missing_package("serve", error, "serve") from None
    if arguments.backup is not None:
        backup.back_up(directory, Path(arguments.backup))
        say(f"{arguments.backup} is a copy of {directory}; it has the access keys")
        return EXIT_OK
    if arguments.restore is not None:
        backup.restore_state(Path(arguments.restore), directory)
    logging.basicConfig(format="halfsilver: %(message)s", level=logging.WARNING)
    options = serving.Options(
        open_engine=lambda: make_engine(arguments.engine, seed=DEFAULT_SEED, rig=arguments.rig),
        listen=Listen(
            arguments.host,
            arguments.port,
            _path(arguments.tls_certificate),
            _path(arguments.tls_key),
            arguments.insecure,
        ),
        state=directory,
        inventory=_path(arguments.inventory),
        mirror=mirror,
        database=arguments.database,
        region=arguments.region,
        quotas=quotas,
        monitor=None if arguments.metrics is None else _address(arguments.metrics),
        throttle=arguments.throttle,
        pages={CONSOLE: Console} if arguments.workers == 1 else {},
        upstream=None if arguments.upstream is None else check_url(arguments.upstream),
        with_moto=arguments.with_moto,
        counters=arguments.read_counters,
        audit=_path(arguments.audit),
    )
    if arguments.workers > 1:
        workers.run(options, arguments.workers, lambda ready: _announce(ready, arguments.json))
    else:
        serving.run(options, lambda ready: _announce(ready, arguments.json))
    return EXIT_OK


def _check_workers(arguments: argparse.Namespace) -> None:
    """UsageError for what several processes cannot share."""
    if not 1 <= arguments.workers <= MAX_WORKERS:
        raise UsageError(f"--workers {arguments.workers}: must be 1 to {MAX_WORKERS}")
    if arguments.workers == 1:
        return
    if arguments.database is None:
        raise UsageError("--workers needs --database: a state in a directory is one process's")
    for name in ("metrics", "audit", "upstream", "with_moto", "rig"):
        if getattr(arguments, name):
            raise UsageError(f"--{name.replace('_', '-')} is one process's; leave it or --workers out")


def _announce(ready: Ready, as_json: bool) -> None:
    for warning in ready.warnings:
        say(str(warning))
    say(f"{ready.url} serves EC2 Traffic Mirroring; engine: {ready.engine}")
    if ready.monitor is not None:
        say(f"{ready.monitor}/metrics is for Prometheus")
    if ready.restored is not None:
        say(ready.restored)
    if ready.trouble is not None:
        say(f"warning: the engine does not do what is stored: {ready.trouble}")
    if ready.upstream is not None:
        say(f"{ready.upstream} answers the rest, and what it has is the inventory")
    say("For AWS clients:")
    for name, value in (
        ("AWS_ENDPOINT_URL", ready.url),
        ("AWS_SHARED_CREDENTIALS_FILE", ready.credentials.resolve()),
        ("AWS_DEFAULT_REGION", ready.region),
    ):
        say(f"  export {name}={shlex.quote(str(value))}")
    if len(ready.accounts) > 1:
        say(f"{ready.accounts[0]} is the profile default; AWS_PROFILE={ready.accounts[1]} is another account")
    if as_json:
        print(
            json.dumps(
                {
                    "url": ready.url,
                    "region": ready.region,
                    "credentials": str(ready.credentials.resolve()),
                    "accounts": ready.accounts,
                    "metrics": ready.monitor,
                    "pid": os.getpid(),
                }
            ),
            flush=True,
        )


def _address(text: str) -> tuple[str, int]:
    """``9500``, ``10.0.0.1:9500`` or ``[::1]:9500``."""
    host, colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port[:6]) <= 65535) or (colon and not host):
        raise UsageError(f"--metrics {text}: must be a port from 0 to 65535, or ADDRESS:PORT")
    return (host.strip("[]") or "127.0.0.1", int(port))


def _quotas(options: list[str]) -> Quotas:
    values = {}
    for option in options:
        name, _, number = option.partition("=")
        if name not in _QUOTAS:
            raise UsageError(f"--quota {option}: there is no quota {name!r}; there are {', '.join(_QUOTAS)}")
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise UsageError(f"--quota {option}: must be a name and a number, such as {name}=100")
        values[name.replace("-", "_")] = int(number)
    try:
        return Quotas(**values)
    except ValueError as error:
        raise UsageError(f"--quota: {error}") from None


def _places(options: list[str]) -> tuple[Path, Path | None]:
    """The state directory, and the mirror file if one is named."""
    for option in options:
        suffix = Path(option).suffix
        if suffix not in ("", MIRROR_SUFFIX) and nearest(suffix, [MIRROR_SUFFIX]):
            right = Path(option).with_suffix(MIRROR_SUFFIX)
            raise UsageError(
                f"--state {option}: a policy file ends in {MIRROR_SUFFIX} (did you mean {right}?); "
                f"a directory needs a name that is not so near to that"
            )
    files = [Path(option) for option in options if option.endswith(MIRROR_SUFFIX)]
    directories = [Path(option) for option in options if not option.endswith(MIRROR_SUFFIX)]
    for places, what in ((files, "files"), (directories, "directories")):
        if len(places) > 1:
            raise UsageError(f"--state names two {what}, {places[0]} and {places[1]}; one of each is possible")
    mirror = files[0] if files else None
    if directories:
        return directories[0], mirror
    return Path(DEFAULT_STATE) if mirror is None else mirror.with_suffix(".state"), mirror


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
