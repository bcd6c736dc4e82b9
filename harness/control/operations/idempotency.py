"""ClientToken: a request that is sent again has the first one's answer, and does nothing.

Source: EC2 developer guide, "Ensuring idempotency": the same token with other parameters is an error. A token is one
account's, for one operation, and is kept for a day.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from halfsilver.harness.control.operations.call import Call
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.parameters import invalid
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import Transaction

__all__ = ["KEPT", "recall", "remember"]

KEPT = timedelta(hours=24)
"""How long a token is remembered. EC2 does not say for these operations."""
MAX_TOKEN = 64
"""ASCII characters of a token (EC2 API, RunInstances)."""
_NAMES = ("ClientToken", "clientToken")
"""What EC2 and RAM call it."""
_SWEEP = 2
"""Old tokens that a new one sweeps out. As they are the first in the store, none is left in the end."""
_TIME = "halfsilver time"


def recall(transaction: Transaction, call: Call) -> dict[str, Any] | None:
    """The stored result of a request with this token; None if there is no token or it is new.

    IdempotentParameterMismatch (RAM: ...Exception) if the token came with other parameters before.
    """
    token = _token(call)
    record = transaction.get(Kind.TOKEN, _identifier(call, token)) if token is not None else None
    if record is None or _is_old(record, call.now):
        return None
    if record.document["Parameters"] != _digest(call):
        mismatch = "IdempotentParameterMismatchException" if call.service == "ram" else "IdempotentParameterMismatch"
        raise ApiError(mismatch, "The request uses the same client token as a previous, but non-identical request")
    result: dict[str, Any] = json.loads(record.document["Result"], object_hook=_from_json)
    return result


def remember(transaction: Transaction, call: Call, result: dict[str, Any]) -> None:
    """Keep the result of a request that has a token, and forget some that are old."""
    token = _token(call)
    if token is None:
        return
    for record in transaction.find(Kind.TOKEN, limit=_SWEEP):
        if _is_old(record, call.now):
            transaction.delete(record)
    identifier = _identifier(call, token)
    former = transaction.get(Kind.TOKEN, identifier)
    if former is not None:
        transaction.delete(former)
    document = {
        "Parameters": _digest(call),
        "Result": json.dumps(result, default=_to_json),
        "Time": call.now.isoformat(),
    }
    transaction.insert(Record(Kind.TOKEN, identifier, call.caller.account, document))


def _token(call: Call) -> str | None:
    for name in _NAMES:
        token: str | None = call.parameters.get(name)
        if token is not None:
            if not 1 <= len(token) <= MAX_TOKEN or not token.isascii() or not token.isprintable():
                right = f"It must have 1 to {MAX_TOKEN} ASCII characters."
                if call.service == "ram":
                    raise ApiError("InvalidClientTokenException", f"The client token is not valid. {right}")
                raise invalid(name, token, right)
            return token
    return None


def _identifier(call: Call, token: str) -> str:
    place = f"{call.region}:" if call.region else ""
    return f"token:{place}{call.caller.account}:{call.service}:{call.operation}:{token}"


def _is_old(record: Record, now: datetime) -> bool:
    """Also if it is of a day that is yet to come: then the clock was wrong, and is right again."""
    return abs(now - datetime.fromisoformat(record.document["Time"])) >= KEPT


def _digest(call: Call) -> str:
    """Of all parameters but the token itself and DryRun."""
    asked = {name: value for name, value in call.parameters.items() if name not in (*_NAMES, "DryRun")}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=_to_json).encode()).hexdigest()


def _to_json(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {_TIME: value.isoformat()}
    raise TypeError(f"{type(value).__name__} is no part of a result")


def _from_json(found: dict[str, Any]) -> Any:
    return datetime.fromisoformat(found[_TIME]) if set(found) == {_TIME} else found
