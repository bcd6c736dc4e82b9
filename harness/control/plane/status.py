"""What the engine does at the moment, in plain values: for the status page, and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from halfsilver.harness.control.metrics.card import Reading
from halfsilver.harness.control.plane.data_plane import EngineState
from halfsilver.harness.control.plane.nic_policy import NicPolicy
from halfsilver.harness.policy.policy import Interface, Session

__all__ = ["describe_engine"]


def describe_engine(
    state: EngineState,
    reading: Reading,
    account: str | None = None,
    obstacles: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """JSON values. ``account``: only interfaces and sessions of this account; ``obstacles``: those of sessions, by id.

    generation         of the store, whose policy the engine runs; -1 before the first
    stored_generation  of the store, as last seen
    engine             name, detail, parameters; state "running", "behind" (it runs an older policy) or "down"; reason;
                       counters_read, when a card's were read last, null for an engine that is none, and
                       counters_trouble, why they cannot be
    interfaces         the NIC's: index, id, owner, mac, and sessions: id, owner, number, target, filter, vni;
                       state "active", "stopped" (until it is modified) or "down" (until its target is there); reason;
                       obstacles: copies are sent, and the target cannot receive them
    """
    identity, nic = state.identity, state.nic
    working = "running" if state.trouble is None else "behind"
    engine = {
        "name": identity.name if identity else None,
        "detail": identity.detail if identity else None,
        "parameters": identity.parameters if identity else {},
        "state": working if identity else "down",
        "reason": state.trouble,
        "counters_read": None if reading.at is None else reading.at.isoformat(timespec="milliseconds"),
        "counters_trouble": reading.trouble,
    }
    interfaces = []
    for index, interface in enumerate(nic.policy.interfaces if nic else ()):
        assert nic is not None
        described = _describe_interface(nic, index, interface, account, obstacles or {})
        if account in (None, described["owner"]) or described["sessions"]:
            interfaces.append(described)
    return {"generation": state.generation, "stored_generation": state.seen, "engine": engine, "interfaces": interfaces}


def _describe_interface(
    nic: NicPolicy, index: int, interface: Interface, account: str | None, obstacles: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    owner = nic.owners[interface.eni_id]
    seen = [each for each in interface.sessions if account in (None, owner, nic.owners[each.session_id])]
    return {
        "index": index,
        "id": interface.eni_id,
        "owner": owner,
        "mac": interface.mac.hex(":"),
        "sessions": [_describe_session(nic, each, obstacles.get(each.session_id, ())) for each in seen],
    }


def _describe_session(nic: NicPolicy, session: Session, obstacles: Sequence[str]) -> dict[str, Any]:
    working = "active" if session.outer is not None else "down"
    state = "stopped" if session.session_id in nic.stopped else working
    return {
        "id": session.session_id,
        "owner": nic.owners[session.session_id],
        "number": session.number,
        "target": session.target_id,
        "filter": session.filter_id,
        "vni": session.vni,
        "state": state,
        "reason": session.down_reason,
        "obstacles": list(obstacles),
    }
