"""STS: who the caller is. Every authenticated caller may ask, whatever its policies say."""

from __future__ import annotations

from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.operation import Context, operation

__all__ = ["get_caller_identity"]


@operation("sts", "GetCallerIdentity")
def get_caller_identity(context: Context, parameters: Parameters) -> dict[str, Any]:
    caller = context.caller
    return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn}
