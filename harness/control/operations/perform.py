"""Doing an operation for a call that is allowed to: once for a token, and not at all for a dry run."""

from __future__ import annotations

from typing import Any

from halfsilver.harness.control.operations import idempotency
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context, Operation

__all__ = ["perform"]


def perform(operation: Operation, context: Context) -> tuple[dict[str, Any], bool]:
    """The result, and whether it is not merely that of an earlier request with the same token.

    ApiError if the operation refuses, and DryRunOperation where it would not have.
    """
    call, transaction = context.call, context.transaction
    earlier = idempotency.recall(transaction, call)
    result = operation.handler(context, call.parameters) if earlier is None else earlier
    if call.parameters.get("DryRun"):
        raise ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
    if earlier is None and operation.writes:
        idempotency.remember(transaction, call, result)
    return result, earlier is None
