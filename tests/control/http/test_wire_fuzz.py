"""Malformed requests by the ten thousand: refused, each of them, and no operation hears of one."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from botocore.model import OperationModel
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halfsilver.harness.control.http.app import App
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from tests.control.kits.wire_kit import SERVED, FakeControl, call, exchange, inputs, model, scope_of, sent
from tests.control.kits.wire_mutations import garbage, malformed, shaken

MODELS = [model(service, name) for service, name in SERVED]
EXAMPLES, EACH = 450, 40
"""Valid requests that are drawn, and the malformed ones that are made of each."""
GARBAGE = 4_000

fuzz = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))


class Rig:
    """An application with a control that only remembers, and one event loop for all requests."""

    def __init__(self) -> None:
        self.control = FakeControl()
        self.app = App(exchange(self.control))
        self.runner = asyncio.Runner()
        self.statuses: Counter[int] = Counter()

    def ask(self, request: Request) -> Response:
        response = self.runner.run(call(self.app, scope_of(request), [request.body]))
        assert response is not None
        self.statuses[response.status] += 1
        return response

    def refused(self, request: Request) -> None:
        """Refused for the client's fault, in a document that can be read, and nothing was done."""
        response = self.ask(request)
        assert 400 <= response.status < 500, (request, request.body, response.body)
        assert not self.control.calls, (request, request.body)
        if response.body.startswith(b"<"):
            ElementTree.fromstring(response.body)
        assert b"Traceback" not in response.body


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    found = Rig()
    yield found
    found.app.close()
    found.runner.close()


@st.composite
def requests(draw: st.DrawFn) -> tuple[OperationModel, Request]:
    """A right request of some operation, as botocore sends it."""
    operation = draw(st.sampled_from(MODELS))
    return operation, sent(operation, draw(inputs(operation)))


def test_twenty_thousand_malformed_requests_change_nothing(rig: Rig) -> None:
    @fuzz
    @given(chosen=requests(), seed=st.integers(0, 1 << 32))
    def by_the_model(chosen: tuple[OperationModel, Request], seed: int) -> None:
        operation, request = chosen
        randomness = random.Random(seed)
        for _ in range(EACH):
            rig.refused(malformed(operation, request, randomness))

    by_the_model()
    randomness = random.Random(1)
    for _ in range(GARBAGE):
        rig.refused(garbage(randomness))
    assert sum(rig.statuses.values()) >= 20_000
    assert set(rig.statuses) <= {400, 404, 405, 413, 431}


@settings(fuzz, max_examples=150)
@given(chosen=requests(), seed=st.integers(0, 1 << 32))
def test_what_gets_through_is_what_the_model_allows(
    rig: Rig, chosen: tuple[OperationModel, Request], seed: int
) -> None:
    """Requests with bytes changed at random: botocore's own validation is the judge of those that are taken."""
    _, request = chosen
    randomness = random.Random(seed)
    for _ in range(20):
        changed = shaken(request, randomness)
        response = rig.ask(changed)
        if response.status == 200:
            taken = rig.control.calls.pop()
            shape = model(taken.service, taken.operation).input_shape
            if shape is None:
                assert not taken.parameters, (changed.body, taken.parameters)
            else:
                report = ParamValidator().validate(taken.parameters, shape)
                assert not report.has_errors(), (changed.body, report.generate_report())
        else:
            assert 400 <= response.status < 500, (changed.body, response.body)
        assert not rig.control.calls
