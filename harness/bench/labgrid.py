"""A board of a labgrid lab: its place is acquired while the board is used, and says what a bench file says.

labgrid stays outside of this environment, because it brings another pyserial under the same name. What is asked is its
``labgrid-client``, wherever the PATH has it, with its own settings (LG_COORDINATOR, ~/.config/labgrid.yaml). Of the
resources of a place these are taken, and others left alone:

    NetworkSerialPort         the registers, over RFC 2217 or as raw bytes; called ``serial`` if there are several
    RemoteNetworkInterface    called ``net`` and ``host``: the wires, of an exporter on this computer
    HalfsilverBoard           what else a bench file has, by its keys (`BenchBoard`); ``build_enis`` is enis of build

The last one is a class that labgrid does not know, which exporters pass on as it is. Its keys go before the others'.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import yaml

from halfsilver.harness.bench.bench_file import BenchBoard, board_of
from halfsilver.harness.errors import CardUnreachable, EnvironmentMissing

__all__ = ["CLIENT", "acquired", "board_of_place"]

CLIENT = "labgrid-client"
CLIENT_SECONDS = 60
"""An exporter that starts a port server takes some."""

_BUILD = "build_"
_HERE = ("localhost", "127.0.0.1", "::1")


@contextmanager
def acquired(place: str) -> Iterator[BenchBoard]:
    """The board of a place, which is ours meanwhile, and given back afterwards.

    EnvironmentMissing without labgrid's client. CardUnreachable if the place cannot be had, and who has it; UsageError
    if its resources make no board.
    """
    _ask(place, "acquire")
    try:
        yield board_of_place(place, _ask(place, "env"), socket.gethostname())
    finally:
        _ask(place, "release")


def board_of_place(place: str, environment: str, here: str) -> BenchBoard:
    """From what ``labgrid-client env`` prints of an acquired place; ``here`` is the name of this computer."""
    resources = [
        (cls, dict(settings))
        for resource in yaml.safe_load(environment)["targets"][place]["resources"]
        for cls, settings in resource.items()
    ]
    own = [settings for cls, settings in resources if cls == "HalfsilverBoard"]
    told = {key: value for settings in own for key, value in settings.items() if key != "name"}
    build = {key.removeprefix(_BUILD): told.pop(key) for key in list(told) if key.startswith(_BUILD)}
    table = {**_serial(resources, place), **_wires(resources, place, here), **told}
    return board_of("labgrid", place, table | ({"build": build} if build else {}))


def _serial(resources: list[tuple[str, dict[str, Any]]], place: str) -> dict[str, Any]:
    ports = [settings for cls, settings in resources if cls == "NetworkSerialPort"]
    mine = [port for port in ports if port.get("name") == "serial"] if len(ports) > 1 else ports
    if len(mine) != len(ports) and len(mine) != 1:
        raise CardUnreachable(f"labgrid place {place} has {len(ports)} serial ports: one must be called serial")
    return {key: value for port in mine for key, value in _port(port).items()}


def _port(port: Mapping[str, Any]) -> dict[str, Any]:
    raw = port.get("protocol", "rfc2217") == "raw"
    host = f"[{port['host']}]" if ":" in port["host"] else port["host"]
    url = f"{host}:{port['port']}"
    return {"serial": f"socket://{url}" if raw else f"rfc2217://{url}?ign_set_control", "baud": port["speed"]}


def _wires(resources: list[tuple[str, dict[str, Any]]], place: str, here: str) -> dict[str, str]:
    found = {}
    for cls, settings in resources:
        side = settings.get("name")
        if cls == "RemoteNetworkInterface" and side in ("net", "host"):
            if settings["host"] not in (here, *_HERE):
                raise CardUnreachable(
                    f"labgrid place {place}: its interface {settings['ifname']} is at {settings['host']}, and this is "
                    f"{here}: frames are sent by the computer that has the wires, so run it there"
                )
            found[side] = f"packet:{settings['ifname']}"
    return found


def _ask(place: str, action: str) -> str:
    """What the client prints."""
    program = shutil.which(CLIENT)
    if program is None:
        raise EnvironmentMissing(
            f"labgrid:// needs {CLIENT}, which is not on the PATH: pipx install labgrid brings it, apart from "
            "Halfsilver, as its pyserial is another"
        )
    try:
        done = subprocess.run(
            [program, "-p", place, action], capture_output=True, text=True, timeout=CLIENT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise CardUnreachable(f"labgrid place {place}: {action} took more than {CLIENT_SECONDS} seconds") from None
    if done.returncode:
        said = [line.removeprefix(f"{CLIENT}: ") for line in done.stderr.splitlines() if line.strip()]
        raise CardUnreachable(f"labgrid place {place}: {action}: {said[-1] if said else 'failed without a word'}")
    return done.stdout
