"""/metrics, /healthz and /readyz of a served process; what dashboard and rules ask for is there."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from halfsilver.harness.cli import main
from tests.control.kits.prometheus_kit import PROMETHEUS, PROMTOOL, needs_prometheus
from tests.control.kits.serve_kit import ROOT, WEB, Server, make_filter, make_session, make_target, to_web
from tests.control.kits.server_kit import error_of

MONITORING = ROOT / "examples" / "monitoring"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One session, two frames it mirrors, one that it does not, and a request that is refused."""
    with Server(tmp_path_factory.mktemp("monitor") / "state", "--metrics", "0") as made:
        ec2 = made.served.client()
        make_session(ec2, make_filter(ec2, 80), make_target(ec2))
        made.served.push([to_web(80), to_web(80), to_web(81)])
        error_of(ec2.describe_traffic_mirror_filters, TrafficMirrorFilterIds=["tmf-0"])
        yield made


def fetch(server: Server, path: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(server.ready["metrics"] + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def samples(server: Server) -> dict[str, list[Any]]:
    """By name, as the library's own parser of OpenMetrics reads the page."""
    status, page = fetch(server, "/metrics", Accept=OPEN_METRICS)
    assert status == 200 and page.endswith("# EOF\n")
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def value(samples: dict[str, list[Any]], name: str, /, **labels: str) -> float:
    (found,) = [each for each in samples[name] if labels.items() <= each.labels.items()]
    return float(found.value)


def test_what_was_counted_is_shown(samples: dict[str, list[Any]], server: Server) -> None:
    length = len(to_web(80))
    into = {"direction": "ingress", "interface": WEB}
    assert value(samples, "halfsilver_frames_total", direction="ingress", verdict="mirrored") == 2
    assert value(samples, "halfsilver_frames_total", direction="ingress", verdict="no-match") == 1
    assert value(samples, "halfsilver_copies_total", **into) == 2
    assert value(samples, "halfsilver_copy_bytes_total", **into) == 2 * length
    assert value(samples, "halfsilver_skipped_copies_total", **into) == 0
    assert value(samples, "halfsilver_rule_frames_total", **into) == 2
    assert value(samples, "halfsilver_session_state", state="active") == 1
    assert value(samples, "halfsilver_engine_up") == 1
    assert value(samples, "halfsilver_engine_info", name="golden") == 1
    requests = "halfsilver_api_requests_total"
    assert value(samples, requests, service="ec2", action="CreateTrafficMirrorSession", code="OK") == 1
    refused = {"action": "DescribeTrafficMirrorFilters", "code": "InvalidTrafficMirrorFilterId.NotFound"}
    assert value(samples, requests, **refused) == 1
    seconds = value(samples, "halfsilver_api_request_duration_seconds_sum", action="CreateTrafficMirrorSession")
    assert 0 < seconds < 10


def test_health_and_readiness(server: Server) -> None:
    assert fetch(server, "/healthz") == (200, "ok\n")
    assert fetch(server, "/readyz") == (200, "ok\n")
    assert fetch(server, "/")[0] == 404
    assert fetch(server, "/metrics")[1].startswith("# HELP halfsilver_frames_total"), "Prometheus' own text by default"


def test_the_api_has_no_such_page(server: Server) -> None:
    """What is unsigned is on its own port alone."""
    with pytest.raises(urllib.error.HTTPError) as info:
        urllib.request.urlopen(f"{server.served.url}/metrics", timeout=10)
    assert info.value.code in (403, 404)


@pytest.mark.parametrize("name", ["halfsilver.rules.yml", "grafana.json"])
def test_dashboard_and_rules_ask_for_what_is_exported(name: str, samples: dict[str, list[Any]]) -> None:
    text = (MONITORING / name).read_text()
    asked = set(re.findall(r"\bhalfsilver_[a-z_]+", text))
    assert len(asked) >= 5 and asked <= set(samples)


def test_a_port_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ("x", "70000", ":80", "1.2.3.4:", "-1"):
        assert main(["serve", f"--metrics={wrong}"]) == 2
        message = f"--metrics {wrong}: must be a port from 0 to 65535, or ADDRESS:PORT"
        assert capsys.readouterr().err.strip() == f"error: {message}"


@pytest.mark.tools
@needs_prometheus
def test_promtool_reads_rules_and_configuration() -> None:
    for command in (("check", "rules", "halfsilver.rules.yml"), ("check", "config", "prometheus.yml")):
        done = subprocess.run([PROMTOOL, *command], cwd=MONITORING, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "FAILED" not in done.stdout + done.stderr, done.stdout + done.stderr


@pytest.mark.tools
@needs_prometheus
def test_a_real_prometheus_scrapes_and_answers(server: Server, tmp_path: Path) -> None:
    target = urllib.parse.urlsplit(server.ready["metrics"]).netloc
    text = (MONITORING / "prometheus.yml").read_text().replace("127.0.0.1:9510", target).replace("15s", "1s")
    (tmp_path / "prometheus.yml").write_text(text)
    (tmp_path / "halfsilver.rules.yml").write_bytes((MONITORING / "halfsilver.rules.yml").read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(PROMETHEUS), f"--config.file={tmp_path / 'prometheus.yml'}", *options], stderr=log, stdout=log
        )
    try:
        question = urllib.parse.urlencode({"query": 'halfsilver_copies_total{direction="ingress"}'})
        url = f"http://127.0.0.1:{port}/api/v1/query?{question}"
        result: list[Any] = []
        deadline = time.monotonic() + 60
        while not result and time.monotonic() < deadline:
            time.sleep(0.2)
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    result = json.load(answer)["data"]["result"]
            except (urllib.error.URLError, ConnectionError):
                continue
        assert [each["value"][1] for each in result] == ["2"], (tmp_path / "log").read_text()
    finally:
        process.terminate()
        process.wait(30)
