"""kill -9 at any moment: every answered change is there afterwards, no half change is, and the engine does it all.

The server is killed while a client sends changes one after the other. Each change concerns several objects or several
members at once, so that half of one would show. What the client knows is one state, or two: as it was before the
request that was never answered, and as it would be after it. The restarted server must be in one of them.
"""

import copy
import json
import multiprocessing
import os
import random
import socket
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from botocore.exceptions import HTTPClientError
from botocore.parsers import ResponseParserError

from halfsilver.harness.cli import main
from halfsilver.harness.control.http.server import Listen
from halfsilver.harness.control.serving import Options, run
from halfsilver.harness.control.state.store import Store
from halfsilver.harness.engines.golden import GoldenEngine
from tests.control.kits.serve_kit import (
    ANYWHERE,
    INVENTORY,
    WEB,
    Served,
    make_filter,
    make_session,
    make_target,
    to_web,
    vnis,
)

KILLS = 30
LONGEST_LIFE = 0.5
"""Seconds that a server may answer before it is killed; half of the lives are much shorter."""
PORTS = range(8000, 8008)


def live(state, port, ready, log):
    """One life of a server, in a process of its own."""
    write_to(ready, log)
    sys.exit(main(["serve", "--inventory", str(INVENTORY), "--state", str(state), "--port", str(port), "--json"]))


def live_too_fast(state, port, ready, log):
    """The same of one that answers before its commit."""
    write_to(ready, log)
    options = Options(GoldenEngine, Listen(port=port), state, INVENTORY, open_store=TooFast)
    run(options, lambda known: print(json.dumps({"url": known.url, "credentials": str(known.credentials)}), flush=True))


def write_to(ready, log):
    for number, path in ((1, ready), (2, log)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)


class TooFast(Store):
    """Commits when somebody is going to look, or to write more; whoever asks sees no difference."""

    held = None

    @contextmanager
    def begin(self, write=False, *, fresh=False):
        self.commit()
        if not write or fresh:
            with super().begin(write, fresh=fresh) as transaction:
                yield transaction
            return
        held = super().begin(write)
        transaction = held.__enter__()
        try:
            yield transaction
        except BaseException:
            held.__exit__(*sys.exc_info())
            raise
        self.held = held

    def commit(self):
        held, self.held = self.held, None
        if held is not None:
            held.__exit__(None, None, None)

    def close(self):
        self.commit()
        super().close()


class Lost(AssertionError):
    """What is there after a kill is neither what was answered nor what was asked for last."""


@dataclass
class World:
    """What the client believes: ports of rules, VNI and description of the session, one tag on three objects."""

    ports: set = field(default_factory=set)
    vni: int = 1
    tag: int = 0
    generation: int = 0

    @property
    def description(self):
        return f"number {self.vni}"


class Client:
    """Makes changes, and compares what is there with what it believes."""

    def __init__(self, served, rng):
        self.rng = rng
        self.client = served.client()
        self.served = served
        self.filter = make_filter(self.client)
        self.target = make_target(self.client)
        self.session = make_session(self.client, self.filter, self.target, VirtualNetworkId=1, Description="number 1")
        self.rules = {}
        self.tag(0)
        self.world = World(generation=served.status()["generation"])
        self.believed = [self.world]
        self.answered = 0

    def tag(self, number):
        self.client.create_tags(
            Resources=[self.filter, self.target, self.session], Tags=[{"Key": "number", "Value": str(number)}]
        )

    def change(self):
        """One change; ``believed`` has two worlds while it is not answered."""
        after = copy.deepcopy(self.world)
        after.generation += 1
        self.believed = [self.world, after]
        kind = self.rng.choice(("rule", "session", "tags"))
        if kind == "session":
            after.vni += 1
            self.client.modify_traffic_mirror_session(
                TrafficMirrorSessionId=self.session, VirtualNetworkId=after.vni, Description=after.description
            )
        elif kind == "tags":
            after.tag += 1
            self.tag(after.tag)
        else:
            port = self.rng.choice(PORTS)
            after.ports ^= {port}
            if port in after.ports:
                made = self.client.create_traffic_mirror_filter_rule(
                    TrafficMirrorFilterId=self.filter,
                    TrafficDirection="ingress",
                    RuleNumber=port,
                    RuleAction="accept",
                    Protocol=6,
                    DestinationPortRange={"FromPort": port, "ToPort": port},
                    **ANYWHERE,
                )
                self.rules[port] = made["TrafficMirrorFilterRule"]["TrafficMirrorFilterRuleId"]
            else:
                self.client.delete_traffic_mirror_filter_rule(TrafficMirrorFilterRuleId=self.rules[port])
        self.world, self.believed = after, [after]
        self.answered += 1

    def send_until_dead(self, killed, errors):
        """Changes until the server is killed, and an answer does not come or not whole. All else is an error."""
        try:
            while True:
                self.change()
        except Exception as error:
            if not killed.is_set() or not isinstance(error, (HTTPClientError, ResponseParserError)):
                errors.append(error)

    def look(self):
        """The world that is there, by the API; AssertionError for half a change."""
        [mirror_filter] = self.client.describe_traffic_mirror_filters()["TrafficMirrorFilters"]
        [session] = self.client.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
        [target] = self.client.describe_traffic_mirror_targets()["TrafficMirrorTargets"]
        rules = mirror_filter["IngressFilterRules"]
        self.rules = {each["RuleNumber"]: each["TrafficMirrorFilterRuleId"] for each in rules}
        assert all(each["DestinationPortRange"]["FromPort"] == each["RuleNumber"] for each in rules)
        [tag] = {each["Tags"][0]["Value"] for each in (mirror_filter, session, target)}
        world = World(
            {each["RuleNumber"] for each in rules},
            session["VirtualNetworkId"],
            int(tag),
            self.served.status()["stored_generation"],
        )
        assert session["Description"] == world.description
        return world

    def check(self):
        """One of the believed worlds is there, and the engine does what it says."""
        there = self.look()
        if there not in self.believed:
            raise Lost(f"{there} is there, and not one of {self.believed}")
        status = self.served.status()
        assert (status["generation"], status["engine"]["state"]) == (there.generation, "running")
        _, copies = self.served.push([to_web(port) for port in PORTS], "?eni=" + WEB)
        assert [each["TCP"].dport for each in (copy["VXLAN"] for copy in copies)] == sorted(there.ports)
        assert set(vnis(copies)) <= {there.vni}
        lost = there != self.believed[-1]
        self.world, self.believed = there, [there]
        return lost


def test_nothing_answered_is_lost_and_nothing_is_half(tmp_path):
    """The server's modules are imported once, and each life is a fork: the time goes to the lives."""
    answered, unanswered_kept, unanswered_lost = kill_again_and_again(live, tmp_path)
    print(
        f"{KILLS + 1} lives, {answered} answered changes; of those that were not answered {unanswered_kept} "
        f"were made and {unanswered_lost} were not"
    )
    assert answered > KILLS
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_server_that_answers_before_its_commit_is_found_out(tmp_path):
    """That the test above can fail: this one loses what it answered last, if nothing more has been asked since."""
    with pytest.raises(Lost):
        kill_again_and_again(live_too_fast, tmp_path)


def kill_again_and_again(live, folder):
    """Changes that were answered; of those that were not, how many were made and how many were not."""
    seed = int.from_bytes(os.urandom(4))
    print("seed", seed)  # of what is changed; when it is killed, no seed repeats
    rng = random.Random(seed)
    fork = multiprocessing.get_context("forkserver")
    fork.set_forkserver_preload(["halfsilver.harness.control.serving", "halfsilver.harness.engines.golden"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log, client, unanswered_kept, unanswered_lost = folder / "log", None, 0, 0
    for life in range(KILLS + 1):
        ready = folder / f"ready{life}"
        process = fork.Process(target=live, args=(folder / "state", port, ready, log))
        process.start()
        try:
            served = wait_for(ready, process, log)
            if client is None:
                client = Client(served, rng)
            else:
                pending = len(client.believed) > 1
                lost = client.check()
                unanswered_lost += lost
                unanswered_kept += pending and not lost
            killed, errors = threading.Event(), []
            sender = threading.Thread(target=client.send_until_dead, args=(killed, errors))
            sender.start()
            time.sleep(rng.uniform(0, LONGEST_LIFE) * rng.choice((1, 0.1)))
            killed.set()
        finally:
            process.kill()
            process.join(30)
        sender.join(30)
        assert not sender.is_alive() and not errors, errors
    return client.answered, unanswered_kept, unanswered_lost


def wait_for(ready, process, log):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.exitcode is None, log.read_text()
        if ready.exists() and ready.read_text().endswith("\n"):
            said = json.loads(ready.read_text())
            return Served(said["url"], Path(said["credentials"]))
        time.sleep(0.01)
    raise AssertionError(f"not ready within 30 seconds: {log.read_text()}")
