"""What every protocol does: find the operation a request asks for, read it, and write the result or the error."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["Operation", "Response", "Service"]


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: int
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on the wire.

    read   what the protocol found in the request (parameters not yet typed) -> parameters; raises ApiError
    write  a result and a request id -> the answer of a success
    """

    name: str
    read: Callable[[Any], dict[str, Any]]
    write: Callable[[Mapping[str, Any], str], Response]


class Service(ABC):
    """One service in its protocol. ``name`` is botocore's: cloudwatch, ec2, elbv2, ram, sts."""

    def __init__(self, name: str, protocol: str) -> None:
        self.name = name
        self.protocol = protocol

    @abstractmethod
    def claims(self, request: Request) -> bool:
        """Whether a request without signature is for this service, in this protocol."""

    def speaking(self, request: Request) -> Service:
        """The service in the protocol of the request: itself, unless it has several."""
        return self

    @abstractmethod
    def identify(self, request: Request) -> tuple[Operation, Any]:
        """The operation, and what its ``read`` takes. ApiError when there is no such operation or no sense in it."""

    @abstractmethod
    def refuse(self, error: ApiError, request_id: str) -> Response:
        """An error as this service's clients understand it."""
