"""Between clients and the look-alike: what is its own goes there, and what comes of that is the inventory, at once."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from halfsilver.harness.control.control import Control
from halfsilver.harness.control.http.exchange import Route
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.iam.sigv4 import SIGNING_NAMES
from halfsilver.harness.control.operations.call import Call
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.upstream.answers import mended
from halfsilver.harness.control.upstream.asked import Asked, ask, service_of
from halfsilver.harness.control.upstream.connection import Connection, Scope, UpstreamBusy, UpstreamError
from halfsilver.harness.control.upstream.division import is_ours
from halfsilver.harness.control.upstream.stock import Stock
from halfsilver.harness.errors import HalfsilverError

__all__ = ["Gateway", "POLL_SECONDS"]

POLL_SECONDS = 10.0
"""How often the look-alike is read without being asked: others may change it, and it may be back."""

WRITE_SECONDS = 20.0
"""How long the client of a write waits until all that came of it is asked for. Clients give up after a minute, and ask
again: there would be two of what they made. Later readings have no such end."""

CHOICE_SECONDS = 1.0
"""How long a new session waits for a reading that is under way."""

_LOG = logging.getLogger(__name__)
_IAM_NAMES = {"monitoring": "cloudwatch"}
"""The service's name in signatures -> in the actions of policies, where they differ."""
_APART = frozenset(
    {
        *("iam", "logs", "s3", "cloudwatch", "kms", "sns", "sqs", "ssm", "secretsmanager", "dynamodb", "events"),
        *("route53", "budgets", "ecr"),
    }
)
"""Services that make nothing an inventory has: their writes are not waited for."""
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH")


class Gateway:
    """What Exchange asks whose a request is, and what it then has answered. Threads may share it.

    served  the operations that the server has itself (service, name)
    adopt   makes documents the inventory; HalfsilverError or ApiError, and then all is as before
    """

    def __init__(
        self,
        connection: Connection,
        stock: Stock,
        control: Control,
        served: Container[tuple[str, str]],
        adopt: Callable[[dict[str, Any]], None],
        *,
        poll: float = POLL_SECONDS,
    ) -> None:
        self._connection = connection
        self._stock = stock
        self._control = control
        self._served = served
        self._adopt = adopt
        self._reading = threading.Lock()
        self._counting = threading.Lock()
        self._begun: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._adopted: dict[str, Any] | None = None
        self._trouble: str | None = None
        self._closed = threading.Event()
        self._poller = threading.Thread(target=self._poll, args=(poll,), name="halfsilver-upstream", daemon=True)
        self._poller.start()

    def close(self) -> None:
        """Read no more."""
        self._closed.set()
        self._poller.join()

    # Requests.

    def route(self, service: str, request: Request) -> Route | None:
        """What answers a request that is the look-alike's; None: it is ours. ApiError when that cannot be said.

        service  by its name in signatures, or botocore's
        """
        name = service_of(service, request.path)
        asked = ask(name, request) if name not in ("ram", "sts") else Asked(name, "")
        if is_ours(asked, self._served):
            return None
        return Route(
            asked.operation,
            _METHODS,
            lambda request, call: self._pass_on(asked, request, call),
            asked.recorded,
            not asked.reads,
        )

    def execute(self, call: Call) -> Mapping[str, Any]:
        """One of our own operations. A new session may be on an interface that the NIC does not carry yet."""
        if call.service == "ec2":
            self._know(call.region)
        result = self._control.execute(call)
        made = call.operation == "CreateTrafficMirrorSession" and not call.region
        if made and call.parameters["NetworkInterfaceId"] not in self._stock.carried:
            self._attempt(self._choose)
        return result

    def _pass_on(self, asked: Asked, request: Request, call: Call) -> Response:
        signing_name = SIGNING_NAMES.get(asked.service, call.service)
        self._control.permit(call, f"{_IAM_NAMES.get(signing_name, signing_name)}:{asked.operation}")
        region = call.region or self._stock.region
        attachment = self._ending(asked, region)
        arns = self._stock.arns
        query = arns.to_upstream(request.query_string.encode("latin-1")).decode("latin-1")
        request = replace(request, query_string=query, body=arns.to_upstream(request.body))
        scope = Scope(call.caller.account, region, signing_name)
        try:
            answer = self._connection.send(request, scope)
        except UpstreamBusy as error:
            if asked.service == "ec2":
                raise ApiError("RequestLimitExceeded", f"Request limit exceeded: {error}.", 503) from error
            raise ApiError("ServiceUnavailable", f"Too many requests: {error}.", 503) from error
        except UpstreamError as error:
            raise ApiError("ServiceUnavailable", f"The upstream cannot answer: {error}.", 503) from error
        if not asked.reads and asked.service not in _APART and answer.status < 300:
            if attachment is not None:
                self._stock.detach(attachment, region)
            self._attempt(partial(self._refresh, region, within=WRITE_SECONDS))
        body = arns.to_clients(answer.body)
        return replace(answer, body=mended(asked.operation, body) if asked.service == "ec2" else body)

    def _ending(self, asked: Asked, region: str) -> Mapping[str, Any] | None:
        """The attachment that the request ends. ApiError for one that has ended, with its instance too, as at AWS."""
        if (asked.service, asked.operation) != ("ec2", "DetachNetworkInterface"):
            return None
        identifier = asked.form.get("AttachmentId", "")
        attachment = self._stock.attachment(identifier, region)
        if attachment is None:
            message = f"The attachment ID '{identifier[:64]}' does not exist"
            raise ApiError("InvalidAttachmentID.NotFound", message)
        return attachment

    # Reading back.

    def refresh(self, *, accept: bool = False) -> None:
        """Make the inventory what the look-alike has now, in all regions that were asked for.

        accept  even if it has nothing any more of what it had
        UpstreamError, HalfsilverError or ApiError, and then the inventory of a region is as before.
        """
        for region in self._stock.regions:
            self._refresh(region, accept=accept)

    def _know(self, region: str) -> None:
        """Read another region than the server's own before its first request is answered. ApiError: it cannot be."""
        if not region or region in self._stock.regions:
            return
        try:
            self._refresh(region, within=WRITE_SECONDS)
        except HalfsilverError as error:
            raise ApiError("ServiceUnavailable", f"The upstream cannot answer: {error}.", 503) from error

    def _refresh(self, region: str, *, accept: bool = False, within: float = math.inf) -> None:
        """A region's part; readings that begin later do for all who wait.

        within  seconds, for who has a client that waits
        """
        with self._counting:
            wanted = self._begun[region] + 1
        until = time.monotonic() + within
        if not self._reading.acquire(timeout=-1 if within == math.inf else within):
            raise UpstreamError("the upstream is still being read")
        try:
            if self._done[region] >= wanted and not accept:
                return
            with self._counting:
                self._begun[region] += 1
                number = self._begun[region]
            if accept:
                self._stock.accept(region)
            self._take_up(self._stock.read(region, until))
            self._done[region] = number
        finally:
            self._reading.release()

    def _choose(self) -> None:
        """Choose again which interfaces the NIC carries. If a look-alike is slow, its next reading does."""
        if self._reading.acquire(timeout=CHOICE_SECONDS):
            try:
                self._take_up(self._stock.documents())
            finally:
                self._reading.release()

    def _take_up(self, documents: dict[str, Any]) -> None:
        if documents != self._adopted:
            self._adopt(documents)
            self._adopted = documents

    def _attempt(self, do: Callable[[], None]) -> None:
        """Do it; what is wrong is logged once, and the next reading tries again."""
        try:
            do()
        except (HalfsilverError, ApiError) as error:
            if str(error) != self._trouble:
                _LOG.warning("the inventory is not read from the upstream: %s", error)
            self._trouble = str(error)
            return
        if self._trouble is not None:
            _LOG.warning("the inventory is the upstream's again")
        self._trouble = None

    def _poll(self, seconds: float) -> None:
        while not self._closed.wait(seconds):
            try:
                self._attempt(self.refresh)
            except Exception:
                _LOG.exception("the inventory is not read from the upstream")
