"""``halfsilver serve`` as its users meet it: processes, signals, files, and what it says when it cannot."""

import gc
import gzip
import json
import shutil
import signal
import socket
import sqlite3
import stat
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from halfsilver.harness.cli import main
from halfsilver.harness.control.state.store import Store
from tests.control.kits.serve_kit import (
    COLLECTOR,
    DATABASE,
    HALFSILVER,
    INVENTORY,
    WEB,
    Server,
    capture,
    make_filter,
    make_session,
    make_target,
    to_web,
    vnis,
)

SECURITY = "222233334444"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for the tests that do not end it; each makes its own objects, on an interface that no other uses."""
    with Server(tmp_path_factory.mktemp("serve") / "state") as made:
        yield made


def within(seconds, condition):
    """The first true value of a condition; fails when time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"not within {seconds} seconds")


# A newcomer.


def test_what_a_newcomer_sees_is_what_a_client_needs(server):
    """The three lines, pasted into a shell, let the AWS CLI's credentials and endpoint be found; no secret is shown."""
    said = server.log.read_text()
    exports = dict(line.split("export ")[1].split("=", 1) for line in said.splitlines() if "export " in line)
    credentials = server.ready["credentials"]
    assert exports == {
        "AWS_ENDPOINT_URL": server.ready["url"],
        "AWS_SHARED_CREDENTIALS_FILE": credentials,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    secrets = [line.split("=")[1].strip() for line in Path(credentials).read_text().splitlines() if "secret" in line]
    assert len(secrets) == 4 and not any(secret in said for secret in secrets)
    identities = [
        server.served.client("sts", profile).get_caller_identity()["Account"] for profile in ("default", SECURITY)
    ]
    assert identities == ["111122223333", SECURITY]


def test_what_it_keeps_is_its_owners_alone(server):
    assert stat.S_IMODE(server.state.stat().st_mode) == 0o700
    for name in ("keys.json", "credentials", "state.sqlite", "state.sqlite-wal", "state.sqlite-shm"):
        assert stat.S_IMODE((server.state / name).stat().st_mode) == 0o600


# Frames.


def test_frames_come_out_as_the_policy_says_and_the_next_as_it_is_changed(server):
    client = server.served.client()
    session = make_session(client, make_filter(client, 80), make_target(client), VirtualNetworkId=11, PacketLength=90)
    verdicts, copies = server.served.push([to_web(80), to_web(81), to_web(80, DATABASE)])
    assert verdicts == "mirrored=1 no-match=1 no-session=1" and vnis(copies) == [11]
    assert bytes(copies[0])[50:] == bytes(to_web(80))[:90]
    client.modify_traffic_mirror_session(
        TrafficMirrorSessionId=session, VirtualNetworkId=12, RemoveFields=["packet-length"]
    )
    _, copies = server.served.push([to_web(80)], "?direction=ingress&eni=" + WEB)
    assert vnis(copies) == [12] and bytes(copies[0])[50:] == bytes(to_web(80))
    client.delete_traffic_mirror_session(TrafficMirrorSessionId=session)
    assert server.served.push([to_web(80)]) == ("no-session=1", [])


def test_frames_are_their_interfaces_accounts(server):
    body = capture([to_web(80)])
    code, _, answer = server.served.request("POST", "/halfsilver/frames", body, profile=SECURITY)
    assert code == 403 and b"<Code>UnauthorizedOperation</Code>" in answer and WEB.encode() in answer
    stranger = to_web(80)
    stranger.dst = "0a:00:00:00:00:77"
    assert server.served.push([stranger], profile=SECURITY) == ("no-eni=1", [])


@pytest.mark.parametrize(
    ("query", "body", "status", "code"),
    [
        ("?eni=eni-00000000000000bad", None, 400, b"InvalidNetworkInterfaceID.NotFound"),
        ("?eni=" + DATABASE, None, 400, b"InvalidParameterValue"),
        ("?eni=" + COLLECTOR, None, 400, b"InvalidNetworkInterfaceID.NotFound"),
        ("?direction=sideways", None, 400, b"InvalidParameterValue"),
        ("?port=1", None, 400, b"UnknownParameter"),
        ("?a=1&b=2&c=3", None, 400, b"InvalidQueryParameter"),
        ("", b"", 400, b"InvalidParameterValue"),
        ("", b"no capture", 400, b"InvalidParameterValue"),
        ("", capture([to_web(80)])[:-1], 400, b"InvalidParameterValue"),
        ("", capture([to_web(80)] * 2001), 400, b"InvalidParameterValue"),
        ("", gzip.compress(capture([to_web(80)])), 400, b"InvalidParameterValue"),
        (
            "",
            struct.pack("<IHHiIIIIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101, 1, 0, 1, 1) + b"E",
            400,
            b"InvalidParameterValue",
        ),
        ("", capture([to_web(80, payload=bytes(1400))] * 1000), 413, b"RequestEntityTooLarge"),
    ],
    ids=range(13),
)
def test_captures_that_are_refused(server, query, body, status, code):
    """Nothing of a refused capture is judged."""
    answered, _, said = server.served.request(
        "POST", "/halfsilver/frames" + query, capture([to_web(80)]) if body is None else body
    )
    assert (answered, b"<Code>" + code + b"</Code>" in said) == (status, True), said


def test_frames_must_be_posted_and_signed(server):
    code, _, said = server.served.request("GET", "/halfsilver/frames")
    assert code == 405 and b"POST" in said
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], data=b'x'), timeout=10)",
            server.ready["url"] + "/halfsilver/frames",
        ],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "HTTP Error 403" in done.stderr


# Two at once.


def test_of_two_clients_that_take_one_number_one_wins(server):
    client = server.served.client()
    clients = [server.served.client(), server.served.client()]
    filter_id, target_id = make_filter(client), make_target(client, "eni-0a1b2c3d4e5f60101")
    together = Barrier(2)

    def create(each):
        together.wait(10)
        try:
            return make_session(each, filter_id, target_id, number=7, eni_id=DATABASE)
        except ClientError as error:
            return error.response["Error"]

    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            results = list(pool.map(create, clients))
            made = [each for each in results if isinstance(each, str)]
            refused = [each for each in results if not isinstance(each, str)]
            assert len(made) == 1 and "is already being used" in refused[0]["Message"]
            there = client.describe_traffic_mirror_sessions(
                Filters=[{"Name": "network-interface-id", "Values": [DATABASE]}]
            )["TrafficMirrorSessions"]
            assert [each["TrafficMirrorSessionId"] for each in there] == made
            client.delete_traffic_mirror_session(TrafficMirrorSessionId=made[0])


# Signals and files.


def inventory_file(path, change):
    documents = json.loads(INVENTORY.read_text())
    change(documents)
    path.write_text(json.dumps(documents))
    return path


def drop(identifier):
    def change(documents):
        documents["NetworkInterfaces"] = [
            each for each in documents["NetworkInterfaces"] if each["NetworkInterfaceId"] != identifier
        ]

    return change


def test_a_hangup_rereads_the_inventory(tmp_path):
    """An interface that is gone takes its session along, a collector that is gone stops its sessions."""
    inventory = inventory_file(tmp_path / "inventory.json", lambda documents: None)
    with Server(tmp_path / "state", inventory=inventory) as server:
        client = server.served.client()
        filter_id, target_id = make_filter(client, 80), make_target(client)
        session = make_session(client, filter_id, target_id)
        inventory.write_text("{")
        server.process.send_signal(signal.SIGHUP)
        within(10, lambda: "is not JSON" in server.log.read_text())
        assert server.served.push([to_web(80)])[0] == "mirrored=1"
        inventory_file(inventory, drop(COLLECTOR))
        server.process.send_signal(signal.SIGHUP)
        within(10, lambda: server.served.push([to_web(80)])[0] == "target-down=1")
        shown = server.served.status()["interfaces"][0]["sessions"]
        assert [(each["id"], each["state"]) for each in shown] == [(session, "stopped")]
        assert COLLECTOR in shown[0]["reason"]
        inventory_file(inventory, lambda documents: None)
        server.process.send_signal(signal.SIGHUP)
        within(
            10,
            lambda: client.describe_network_interfaces(
                Filters=[{"Name": "network-interface-id", "Values": [COLLECTOR]}]
            )["NetworkInterfaces"],
        )
        assert server.served.push([to_web(80)])[0] == "target-down=1"
        client.modify_traffic_mirror_session(TrafficMirrorSessionId=session, Description="again")
        assert server.served.push([to_web(80)])[0] == "mirrored=1"

        def without_web(documents):
            drop(WEB)(documents)
            documents["Nic"]["NetworkInterfaceIds"].remove(WEB)

        inventory_file(inventory, without_web)
        server.process.send_signal(signal.SIGHUP)
        within(10, lambda: server.served.push([to_web(80)])[0] == "no-eni=1")
        assert client.describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == []
        assert server.end() == 0


def test_the_policy_in_a_file(tmp_path):
    """``--state mirror.json``: written after each change, valid for ``halfsilver mirror``, loaded when edited."""
    mirror = tmp_path / "lab.json"
    shutil.copy(INVENTORY, mirror)
    with Server(tmp_path / "lab.state", "--state", str(mirror), inventory=None) as server:
        client = server.served.client()
        session = make_session(client, make_filter(client, 80), make_target(client), VirtualNetworkId=21)
        documents = json.loads(mirror.read_text())
        assert [each["TrafficMirrorSessionId"] for each in documents["TrafficMirrorSessions"]] == [session]
        server.end(signal.SIGKILL)
    capture_file = tmp_path / "in.pcap"
    capture_file.write_bytes(capture([to_web(80), to_web(81)]))
    done = subprocess.run(
        [str(HALFSILVER), "mirror", "-r", str(capture_file), "-c", str(mirror), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["verdicts"] == {"mirrored": 1, "no-match": 1}

    documents["TrafficMirrorSessions"][0]["VirtualNetworkId"] = 22
    mirror.write_text(json.dumps(documents))
    with Server(tmp_path / "lab.state", "--state", str(mirror), inventory=None) as server:
        assert vnis(server.served.push([to_web(80)])[1]) == [22]
        said = f"{mirror} was edited and is the stored policy now: 1 filter, 1 rule, 1 target, 1 session\n"
        assert server.log.read_text().count(said) == 1
        client = server.served.client()
        client.modify_traffic_mirror_session(TrafficMirrorSessionId=session, VirtualNetworkId=23)
        assert client.describe_network_interfaces(NetworkInterfaceIds=[WEB])["NetworkInterfaces"]
    replaced = server.log.read_text().count("was edited")
    # Not edited since: what the database says counts, not a file that a crash left behind by one change.
    with Server(tmp_path / "lab.state", "--state", str(mirror), inventory=None) as server:
        assert vnis(server.served.push([to_web(80)])[1]) == [23]
        assert server.served.client("sts", SECURITY).get_caller_identity()["Account"] == SECURITY
        assert server.log.read_text().count("was edited") == replaced


def test_a_mirror_file_with_mistakes(refusal, state, tmp_path):
    """Nothing of it is taken."""
    documents = json.loads(INVENTORY.read_text())
    documents["TrafficMirrorSessions"] = [{"TrafficMirrorSessionId": "tms-1", "NetworkInterfaceId": "eni-x"}]
    mirror = tmp_path / "lab.json"
    mirror.write_text(json.dumps(documents))
    said = refusal(2, "--state", str(state), "--state", str(mirror), "--port", "0")
    assert f"{mirror}: TrafficMirrorSessions[0]" in said and json.loads(mirror.read_text()) == documents


def test_a_mirror_file_of_the_database_before_is_no_edit(tmp_path):
    """The server died after the commit and before the file: the older file does not undo the change."""
    mirror = tmp_path / "lab.json"
    with Server(tmp_path / "state", "--state", str(mirror)) as server:
        client = server.served.client()
        session = make_session(client, make_filter(client, 80), make_target(client), VirtualNetworkId=31)
    older, digest = mirror.read_bytes(), (tmp_path / "state" / "mirror.sha256").read_bytes()
    with Server(tmp_path / "state", "--state", str(mirror)) as server:
        server.served.client().modify_traffic_mirror_session(TrafficMirrorSessionId=session, VirtualNetworkId=32)
    mirror.write_bytes(older)
    (tmp_path / "state" / "mirror.sha256").write_bytes(digest)
    with Server(tmp_path / "state", "--state", str(mirror)) as server:
        assert vnis(server.served.push([to_web(80)])[1]) == [32]
    assert json.loads(mirror.read_text())["TrafficMirrorSessions"][0]["VirtualNetworkId"] == 32


def test_an_answered_change_is_not_lost_when_the_disk_is_full_for_the_digest(tmp_path):
    """The state directory takes no more files: the database has the change, and no file of the server's undoes it."""
    mirror, state = tmp_path / "lab.json", tmp_path / "state"
    with Server(state, "--state", str(mirror)) as server:
        client = server.served.client()
        session = make_session(client, make_filter(client, 80), make_target(client), VirtualNetworkId=41)
        (state / "mirror.sha256").rename(state / "aside")
        (state / "mirror.sha256").mkdir()  # nothing can take this name, as root too
        client.modify_traffic_mirror_session(TrafficMirrorSessionId=session, VirtualNetworkId=42)
        between = mirror.read_bytes()
        client.modify_traffic_mirror_session(TrafficMirrorSessionId=session, VirtualNetworkId=43)
        assert "is behind" in server.log.read_text()
        server.end(signal.SIGKILL)
    mirror.write_bytes(between)  # as if the server had died before it wrote the last one
    (state / "mirror.sha256").rmdir()
    (state / "aside").rename(state / "mirror.sha256")
    with Server(state, "--state", str(mirror)) as server:
        assert vnis(server.served.push([to_web(80)])[1]) == [43]


def test_a_database_that_others_could_read_is_closed_to_them(tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    Store(str(tmp_path / "state" / "state.sqlite")).close()
    (tmp_path / "state" / "state.sqlite").chmod(0o644)
    with Server(tmp_path / "state") as server:
        assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in server.state.glob("state.sqlite*"))


def test_without_signatures(tmp_path):
    with Server(tmp_path / "state", "--insecure") as server:
        server.served.credentials = tmp_path / "nobody"
        server.served.credentials.write_text("[default]\naws_access_key_id = x\naws_secret_access_key = y\n")
        client = server.served.client()
        make_session(client, make_filter(client, 80), make_target(client))
        assert server.served.push([to_web(80)])[0] == "mirrored=1"


# Refusals.


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def refusal(capfd):
    """Start a server, in this process, that must not come to serve; what it said, in one line."""

    def late(number, frame):
        raise AssertionError("the server did not refuse")

    def attempt(code, *arguments):
        before = signal.signal(signal.SIGALRM, late)
        signal.alarm(60)
        try:
            got = main(["serve", *arguments])
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        out, said = capfd.readouterr()
        assert (got, out) == (code, ""), said
        assert said.startswith("error: ") and said.count("\n") == 1, said
        return said

    return attempt


def test_a_port_in_use(refusal, server, state):
    port = server.ready["url"].rpartition(":")[2]
    said = refusal(2, "--inventory", str(INVENTORY), "--state", str(state), "--port", port)
    assert port in said and "in use" in said


def test_a_state_directory_in_use(refusal, server):
    said = refusal(2, "--inventory", str(INVENTORY), "--state", str(server.state), "--port", "0")
    assert str(server.process.pid) in said and "in use by another server" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--inventory", "/nonexistent/inventory.json"], "error: /nonexistent/inventory.json: cannot be read: No such"),
        (["--bench", "/nonexistent/inventory.json"], "/nonexistent/inventory.json"),
        ([], "--inventory"),
        (["--state", "one.json", "--state", "two.json"], "one.json and two.json"),
        (["--inventory", str(INVENTORY), "--state", "policy.jsn"], "--state policy.jsn: a policy file ends in .json"),
        (["--inventory", str(INVENTORY), "--state", "lab/policy.JSON"], "did you mean lab/policy.json?"),
        (["--inventory", str(INVENTORY), "--quota", "sessions=many"], "sessions=100"),
        (["--inventory", str(INVENTORY), "--quota", "sessions=0"], "1 to 1,000,000"),
        (["--inventory", str(INVENTORY), "--quota", "sessoins=5"], "sessions-per-interface"),
        (["--inventory", str(INVENTORY), "--port", "65536"], "65535"),
        (["--inventory", str(INVENTORY), "--throttle", "0"], "--throttle 0.0: must be 0.01 to 100"),
        (["--inventory", str(INVENTORY), "--region", "eu-west-1"], "us-east-1"),
        (["--inventory", str(INVENTORY), "--host", "0.0.0.0"], "TLS only, give --tls-certificate PEM --tls-key PEM"),
        (["--inventory", str(INVENTORY), "--host", "0.0.0.0", "--insecure"], "loopback"),
        (["--inventory", str(INVENTORY), "--tls-certificate", "cert.pem"], "--tls-certificate PEM --tls-key PEM"),
        (["--inventory", str(INVENTORY), "--database", "mysql://user:x@host/database"], "postgresql://user@host/"),
        (["--inventory", str(INVENTORY), "--database", "state.sqlite"], "state directory"),
        (
            ["--inventory", str(INVENTORY), "--database", "postgresql://host/database", "--state", "lab.json"],
            "--database",
        ),
    ],
)
def test_what_cannot_be_served(refusal, state, options, words):
    port = [] if "--port" in options else ["--port", "0"]
    assert words in refusal(2, "--state", str(state), *port, *options)


@pytest.mark.parametrize("place", ["state", "deep/er/state"])
@pytest.mark.parametrize(
    ("code", "options"),
    [
        (2, ["--region", "eu-west-1"]),
        (2, ["--tls-certificate", "none.pem", "--tls-key", "none.pem"]),
        (2, ["--host", "0.0.0.0"]),
        (3, ["--database", "postgresql://halfsilver@127.0.0.1:1/x?connect_timeout=2"]),
    ],
    ids=["region", "certificate", "address", "database"],
)
def test_a_server_that_does_not_start_leaves_nothing_behind(refusal, tmp_path, place, code, options):
    refusal(code, "--inventory", str(INVENTORY), "--state", str(tmp_path / place), "--port", "0", *options)
    assert not list(tmp_path.iterdir())


def test_a_certificate_is_looked_at_before_a_policy_file_is_made(refusal, tmp_path):
    tls = ("--tls-certificate", "none.pem", "--tls-key", "none.pem")
    refusal(2, "--inventory", str(INVENTORY), "--state", str(tmp_path / "lab.json"), "--port", "0", *tls)
    assert not list(tmp_path.iterdir())


def test_a_server_that_does_not_start_leaves_garbage_to_be_collected(refusal, state):
    refusal(2, "--inventory", str(INVENTORY), "--state", str(state), "--port", "0", "--region", "eu-west-1")
    assert gc.isenabled()


def test_a_server_that_does_not_start_leaves_what_was_there(refusal, state):
    """Empty or not; a second attempt then finds the first one's keys."""
    (state / "mine").mkdir(parents=True)
    state.chmod(0o700)
    refusal(2, "--inventory", str(INVENTORY), "--state", str(state), "--port", "0", "--region", "eu-west-1")
    assert (state / "mine").is_dir()
    with Server(state):
        assert (state / "keys.json").exists()
    refusal(2, "--inventory", str(INVENTORY), "--state", str(state), "--port", "0", "--region", "eu-west-1")
    assert (state / "keys.json").exists() and (state / "state.sqlite").exists()


def test_an_inventory_with_mistakes_has_a_line_for_each(state, tmp_path, capfd):
    def change(documents):
        documents["NetworkInterfaces"][0]["MacAddress"] = "x"
        documents["NetworkInterfaces"][1]["PrivateIpAddress"] = "y"

    inventory = inventory_file(tmp_path / "inventory.json", change)
    assert main(["serve", "--inventory", str(inventory), "--state", str(state), "--port", "0"]) == 2
    said = capfd.readouterr().err
    assert said.count(str(inventory)) == len(said.splitlines()) == 2 and "MacAddress" in said and "PrivateIp" in said


def test_a_state_directory_that_others_may_read(refusal, state):
    state.mkdir(mode=0o755)
    assert "chmod 700" in refusal(2, "--inventory", str(INVENTORY), "--state", str(state), "--port", "0")


def test_access_keys_that_others_may_read(refusal, state):
    state.mkdir(mode=0o700)
    (state / "keys.json").write_text("{}")
    (state / "keys.json").chmod(0o644)
    assert "chmod 600" in refusal(2, "--inventory", str(INVENTORY), "--state", str(state), "--port", "0")


def test_a_database_of_a_newer_version(refusal, state):
    state.mkdir(mode=0o700)
    Store(str(state / "state.sqlite")).close()
    with sqlite3.connect(state / "state.sqlite") as connection:
        connection.execute("UPDATE halfsilver_meta SET value = value + 1 WHERE name = 'schema'")
    assert "version" in refusal(3, "--inventory", str(INVENTORY), "--state", str(state), "--port", "0")


def test_a_database_that_is_none(refusal, state):
    state.mkdir(mode=0o700)
    (state / "state.sqlite").write_text("no database" * 1000)
    assert "state.sqlite" in refusal(3, "--inventory", str(INVENTORY), "--state", str(state), "--port", "0")


def test_a_postgresql_that_does_not_answer(refusal, state):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql://halfsilver:verysecret@127.0.0.1:{free.getsockname()[1]}/x?connect_timeout=2"
        said = refusal(3, "--inventory", str(INVENTORY), "--state", str(state), "--port", "0", "--database", url)
    assert "verysecret" not in said


def test_an_engine_without_its_packages(refusal, state, monkeypatch):
    import halfsilver.sim

    # What is imported anew must not stay the package's: tests behind this one would find two of each module.
    monkeypatch.setattr(halfsilver, "sim", halfsilver.sim)
    monkeypatch.setitem(sys.modules, "pyverilator", None)
    for name in [each for each in sys.modules if each.startswith(("halfsilver.sim", "pyverilator."))]:
        monkeypatch.delitem(sys.modules, name)
    said = refusal(3, "--inventory", str(INVENTORY), "--state", str(state), "--port", "0", "--engine", "verilator")
    assert "needs pyverilator" in said and "pip install '.[sim]' in " in said


def test_throttled_requests_are_sent_again_by_boto3_until_they_succeed(tmp_path):
    with Server(tmp_path / "state", "--throttle", "0.04") as server:  # two changes, then one in five seconds
        patient = server.served.session("default").client(
            "ec2", endpoint_url=server.served.url, config=Config(retries={"total_max_attempts": 10})
        )
        sent = []
        patient.meta.events.register("before-send.ec2", lambda **_: sent.append(1))
        for _ in range(3):
            patient.create_traffic_mirror_filter()
        assert len(sent) > 3, "one of them was refused first"
        hasty = server.served.client()
        with pytest.raises(ClientError) as refused:
            for _ in range(3):
                hasty.create_traffic_mirror_filter()
        assert refused.value.response["Error"]["Code"] == "RequestLimitExceeded"
        assert len(hasty.describe_traffic_mirror_filters()["TrafficMirrorFilters"]) in (3, 4, 5)
