"""Two servers share an account: their state is in one PostgreSQL, each has an engine of its own."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier

import pytest
from botocore.exceptions import ClientError

from tests.control.kits.postgresql_kit import needs_postgresql, postgresql
from tests.control.kits.serve_kit import DATABASE, Server, make_filter, make_session, make_target, to_web, vnis

pytestmark = needs_postgresql


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Two that share the access keys as well; both engines carry the same interfaces."""
    state = tmp_path_factory.mktemp("postgresql") / "state"
    with ExitStack() as stack:
        url = stack.enter_context(postgresql())
        yield [stack.enter_context(Server(state, "--database", url)) for _ in range(2)]


@pytest.fixture
def parts(servers):
    """A filter and a target for a test, and no session."""
    client = servers[0].served.client()
    made = make_filter(client, 80), make_target(client)
    yield made
    for each in client.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]:
        client.delete_traffic_mirror_session(TrafficMirrorSessionId=each["TrafficMirrorSessionId"])
    client.delete_traffic_mirror_target(TrafficMirrorTargetId=made[1])
    client.delete_traffic_mirror_filter(TrafficMirrorFilterId=made[0])


def test_what_one_has_answered_both_do(servers, parts):
    """No waiting: a request to the other server is answered, and frames are judged, by the new policy."""
    one, two = (each.served for each in servers)
    session = make_session(one.client(), *parts, VirtualNetworkId=51)
    assert vnis(two.push([to_web(80)])[1]) == [51]
    two.client().modify_traffic_mirror_session(TrafficMirrorSessionId=session, VirtualNetworkId=52)
    [seen] = one.client().describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    assert seen["VirtualNetworkId"] == 52
    assert vnis(one.push([to_web(80)])[1]) == vnis(two.push([to_web(80)])[1]) == [52]


def test_a_server_that_is_not_asked_follows_by_itself(servers, parts):
    one, two = (each.served for each in servers)
    make_session(one.client(), *parts)
    wanted = one.status()["generation"]
    deadline = time.monotonic() + 10
    while two.status()["generation"] < wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    shown = two.status()
    assert shown["generation"] == wanted and shown["interfaces"][0]["sessions"][0]["state"] == "active"


def test_of_two_clients_at_two_servers_that_take_one_number_one_wins(servers, parts):
    clients = [each.served.client() for each in servers]
    together = Barrier(2)

    def create(client):
        together.wait(10)
        try:
            return make_session(client, *parts, number=7, eni_id=DATABASE)
        except ClientError as error:
            return error.response["Error"]

    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            results = list(pool.map(create, clients))
            [made] = [each for each in results if isinstance(each, str)]
            [refused] = [each for each in results if not isinstance(each, str)]
            assert "is already being used" in refused["Message"]
            for client in clients:
                there = client.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
                assert [each["TrafficMirrorSessionId"] for each in there] == [made]
            clients[0].delete_traffic_mirror_session(TrafficMirrorSessionId=made)


def test_a_server_that_was_killed_finds_all_of_it_again(tmp_path):
    with postgresql() as url:
        with Server(tmp_path / "state", "--database", url) as server:
            client = server.served.client()
            make_session(client, make_filter(client, 80), make_target(client), VirtualNetworkId=61)
            before = server.served.status()["generation"]
            server.end(signal.SIGKILL)
        with Server(tmp_path / "state", "--database", url) as server:
            assert vnis(server.served.push([to_web(80)])[1]) == [61]
            assert server.served.status()["generation"] == before


def test_a_database_that_goes_away_is_a_clear_answer(tmp_path):
    """Requests get 503 while it is away; the engine goes on with what it has."""
    with postgresql() as url:
        server = Server(tmp_path / "state", "--database", url)
        client = server.served.client()
    try:
        with pytest.raises(ClientError) as caught:
            client.describe_traffic_mirror_sessions()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
        assert server.served.status()["engine"]["state"] == "running"
    finally:
        assert server.end() == 0
    assert "Traceback" not in server.log.read_text()
