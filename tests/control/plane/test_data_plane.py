"""The engine behind the store: what it does with frames after each change, kept, refused or undone."""

import threading
import time
from dataclasses import replace

import pytest

from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.plane.data_plane import DataPlane
from halfsilver.harness.control.state.record import Record
from halfsilver.harness.control.state.store import Store
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import CapacityExceeded, HalfsilverError
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, Verdict
from tests.control.kits.data_plane_kit import (
    COLLECTOR,
    NIC,
    OFF_NIC,
    OTHER,
    OWNER,
    SECOND,
    SESSION,
    SOURCE,
    Refusing,
    fill,
    interface,
    mac,
    request,
    rule,
    session,
    target,
)

NLB = f"arn:aws:elasticloadbalancing:us-east-1:{OWNER}:loadbalancer/net/tap/50dc6c495c0c9188"


@pytest.fixture
def store(tmp_path):
    made = Store(str(tmp_path / "state.sqlite"))
    fill(made)
    yield made
    made.close()


@pytest.fixture
def engine():
    return Refusing()


@pytest.fixture
def plane(engine, store):
    made = DataPlane(lambda: engine, NIC)
    with store.begin() as transaction:
        made.follow(transaction)
    assert made.state.trouble is None
    return made


def change(store, plane, *records, fail=None, carried=None):
    """One committed change: records that are there are updated, others inserted."""
    with plane.change(carried) as apply, store.begin(write=True) as transaction:
        for record in records:
            there = transaction.get(record.kind, record.id)
            if there is None:
                transaction.insert(record)
            else:
                transaction.update(replace(record, serial=there.serial))
        transaction.advance()
        apply(transaction)
        if fail is not None:
            raise fail


def verdict(plane, frame=None):
    """The verdict, and the copy if there is one."""
    result = plane.process([frame or request()]).result
    assert len(result.verdicts) == 1
    return result.verdicts[0].verdict, (result.outputs[0].data if result.outputs else None)


def vni(copy):
    return int.from_bytes(copy[46:49])


# What becomes of frames.


def test_a_committed_session_mirrors_the_next_frame(store, plane):
    assert verdict(plane)[0] is Verdict.NO_SESSION
    change(store, plane, rule(1), session(vni=77))
    said, copy = verdict(plane)
    assert said is Verdict.MIRRORED and vni(copy) == 77
    assert copy[:12] == bytes.fromhex((mac(COLLECTOR) + mac(SOURCE)).replace(":", ""))
    assert copy[50:] == request().data
    assert verdict(plane, request(81))[0] is Verdict.NO_MATCH
    assert plane.state.generation == plane.state.seen == 1 and plane.state.trouble is None


def test_interfaces_keep_their_index_whoever_is_a_source(store, plane):
    """The NIC's second interface is the second even when it alone is a source: multicast is the first one's."""
    change(store, plane, rule(1), session(eni_id=SECOND))
    assert verdict(plane, request(eni_id=SECOND))[0] is Verdict.MIRRORED
    multicast = Frame(bytes.fromhex("01005e000001") + request().data[6:], Direction.INGRESS)
    assert verdict(plane, multicast)[0] is Verdict.NO_SESSION
    judged = plane.process([request(eni_id=SECOND)])
    assert judged.result.verdicts[0].eni == 1 and judged.nic.owners[SECOND] == OWNER and judged.generation == 1


def test_sessions_of_interfaces_elsewhere_are_not_the_nics(store, plane):
    change(store, plane, rule(1), session(eni_id=OFF_NIC))
    assert verdict(plane, request(eni_id=OFF_NIC))[0] is Verdict.NO_ENI
    assert plane.state.generation == 1


def test_a_stopped_session_claims_its_frames_and_says_why(store, plane):
    other = session(2, identifier="tms-00000000000000002")
    change(store, plane, rule(1), session(note={"stopped": "the share ended"}), other)
    assert verdict(plane) == (Verdict.TARGET_DOWN, None)
    first, second = plane.state.nic.policy.interfaces[0].sessions
    assert (first.session_id, first.down_reason) == (SESSION, "the share ended")
    assert second.down_reason is None and plane.state.nic.stopped == {SESSION}


def test_a_target_deleted_under_a_foreign_session_is_down(store, plane):
    gone = "tmt-0000000000000dead"
    change(store, plane, rule(1), session(target_id=gone, account=OTHER, note={"stopped": f"{gone} was deleted"}))
    assert verdict(plane)[0] is Verdict.TARGET_DOWN


def test_a_load_balancer_needs_a_vxlan_listener_and_its_interface(store, plane):
    balancer = Record(
        "load-balancer", NLB, OWNER, {"LoadBalancerArn": NLB, "Type": "network", "VpcId": "vpc-00000000000000001"}
    )
    own = interface("eni-00000000000000009", Description="ELB net/tap/50dc6c495c0c9188")
    change(
        store,
        plane,
        balancer,
        own,
        rule(1),
        target("tmt-00000000000000002", NetworkLoadBalancerArn=NLB),
        session(target_id="tmt-00000000000000002"),
    )
    assert verdict(plane)[0] is Verdict.TARGET_DOWN
    assert "listener" in plane.state.nic.policy.interfaces[0].sessions[0].down_reason
    listener = Record("listener", NLB + "/1", OWNER, {"Protocol": "UDP", "Port": 4789}, parent=NLB)
    change(store, plane, listener)
    said, copy = verdict(plane)
    assert said is Verdict.MIRRORED and copy[5] == 9, "it began by itself"
    assert plane.state.nic.stopped == set()


def test_tags_of_an_interface_set_its_mtu(store, plane):
    small = interface(COLLECTOR)
    small.tags = {"halfsilver:mtu": "576"}
    change(store, plane, small, rule(1), session())
    _, copy = verdict(plane, request(payload=bytes(1000)))
    assert len(copy) == 50 + 576 - 40


# Changes that fail.


def test_an_engine_that_refuses_keeps_the_old_policy(store, plane, engine):
    change(store, plane, rule(1), session(vni=77))
    engine.faults = [HalfsilverError("the NIC refused 3 table writes")]
    with pytest.raises(ApiError) as caught:
        change(store, plane, session(vni=78))
    assert (caught.value.code, caught.value.status) == ("ServiceUnavailable", 503)
    assert "the NIC refused 3 table writes" in caught.value.message
    assert vni(verdict(plane)[1]) == 77
    with store.begin() as transaction:
        assert transaction.get("session", SESSION).document["VirtualNetworkId"] == 77
        assert transaction.generation() == plane.state.generation == 1


@pytest.mark.parametrize(
    ("resource", "code", "status"),
    [
        ("rules", "TrafficMirrorFilterRuleLimitExceeded", 400),
        ("sessions", "TrafficMirrorSessionsPerInterfaceLimitExceeded", 400),
        ("interfaces", "ServiceUnavailable", 503),
    ],
)
def test_a_build_too_small_is_a_limit_in_awss_words(store, plane, engine, resource, code, status):
    engine.faults = [CapacityExceeded(f"the policy needs 4 {resource}, this build of the NIC has 2", resource)]
    with pytest.raises(ApiError, match=f"needs 4 {resource}, this build of the NIC has 2") as caught:
        change(store, plane, rule(1), session())
    assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(
    ("records", "code", "what"),
    [
        ([rule(number) for number in range(1, 12)], "TrafficMirrorFilterRuleLimitExceeded", "11 rules"),
        (
            [session(number, identifier=f"tms-{number:017x}") for number in (2, 3, 4)],
            "TrafficMirrorSessionsPerInterfaceLimitExceeded",
            "4 sessions",
        ),
    ],
    ids=["rules", "sessions"],
)
def test_more_than_any_nic_has_is_refused_though_quotas_allow_it(store, plane, records, code, what):
    change(store, plane, session())
    with pytest.raises(ApiError, match=what) as caught:
        change(store, plane, *records)
    assert caught.value.code == code
    assert verdict(plane)[0] is Verdict.NO_MATCH


def test_a_stored_policy_too_large_for_this_engine_can_be_made_smaller(store, engine):
    """Each change would be refused until the last one, so none is; the engine takes the first that it can."""
    with store.begin(write=True) as transaction:
        for record in (session(), *(rule(number) for number in range(1, 13))):
            transaction.insert(record)
    plane = DataPlane(lambda: engine, NIC)
    with store.begin() as transaction, pytest.raises(CapacityExceeded, match="12 rules"):
        plane.follow(transaction)
    with pytest.raises(HalfsilverError, match="12 rules"):
        plane.process([request()])
    for number in (12, 11):
        with plane.change() as apply, store.begin(write=True) as transaction:
            transaction.delete(transaction.get("rule", rule(number).id))
            transaction.advance()
            apply(transaction)
    assert plane.state.trouble is None and verdict(plane)[0] is Verdict.MIRRORED


def test_a_commit_that_fails_takes_the_policy_back(store, plane, engine):
    change(store, plane, rule(1), session(vni=77))
    with pytest.raises(OSError, match="disk"):
        change(store, plane, session(vni=78), fail=OSError("disk full"))
    assert vni(verdict(plane)[1]) == 77 and plane.state.generation == 1


def test_no_frame_is_judged_between_the_engine_and_the_commit(store, plane):
    change(store, plane, rule(1), session(vni=77))
    seen = []
    with pytest.raises(OSError), plane.change() as apply, store.begin(write=True) as transaction:
        record = transaction.get("session", SESSION)
        record.document["VirtualNetworkId"] = 78
        transaction.update(record)
        transaction.advance()
        apply(transaction)
        other = threading.Thread(target=lambda: seen.append(vni(verdict(plane)[1])))
        other.start()
        other.join(0.2)
        assert other.is_alive() and not seen
        raise OSError("disk full")
    other.join(10)
    assert seen == [77]


def test_a_change_that_does_not_concern_the_nic_leaves_the_engine_alone(store, plane, engine):
    change(store, plane, rule(1), session())
    before = len(engine.configured)
    change(store, plane, session(1, OFF_NIC, identifier="tms-00000000000000002"), target("tmt-00000000000000002"))
    assert len(engine.configured) == before and plane.state.generation == 2


# Engines that break, and other servers.


def test_an_engine_that_broke_is_replaced(store):
    engines = []

    def open_engine():
        engines.append(Refusing())
        return engines[-1]

    plane = DataPlane(open_engine, NIC)
    change(store, plane, rule(1), session())
    engines[0].dead = True
    with pytest.raises(HalfsilverError, match="does not answer"):
        plane.process([request()])
    assert engines[0].closed and "does not answer" in plane.state.trouble
    with pytest.raises(HalfsilverError, match="the engine is down: the board does not answer"):
        plane.process([request()])
    with store.begin() as transaction:
        plane.follow(transaction)
    assert plane.state.trouble is None and verdict(plane)[0] is Verdict.MIRRORED and len(engines) == 2


def test_an_engine_out_of_reach_refuses_changes_until_it_is_back(store, plane, engine):
    change(store, plane, rule(1), session())
    engine.dead = True
    with pytest.raises(ApiError, match="the board does not answer") as caught:
        change(store, plane, session(vni=78))
    assert caught.value.status == 503 and "does not answer" in plane.state.trouble
    engine.dead = False
    change(store, plane, session(vni=79))
    assert vni(verdict(plane)[1]) == 79 and plane.state.trouble is None


def test_following_a_change_of_another_server(store, plane):
    with store.begin(write=True) as transaction:
        for record in (rule(1), session(vni=91)):
            transaction.insert(record)
        transaction.advance()
    assert verdict(plane)[0] is Verdict.NO_SESSION
    with store.begin() as transaction:
        plane.follow(transaction)
    assert vni(verdict(plane)[1]) == 91 and plane.state.generation == 1


def test_a_nic_with_other_interfaces_is_a_new_engine(store):
    engines = []

    def open_engine():
        engines.append(GoldenEngine())
        return engines[-1]

    plane = DataPlane(open_engine, NIC)
    change(store, plane, rule(1), session(eni_id=OFF_NIC))
    assert verdict(plane, request(eni_id=OFF_NIC))[0] is Verdict.NO_ENI
    change(store, plane, carried=[OFF_NIC])
    assert verdict(plane, request(eni_id=OFF_NIC))[0] is Verdict.MIRRORED
    assert verdict(plane, request())[0] is Verdict.NO_ENI and len(engines) == 2
    with pytest.raises(OSError):
        change(store, plane, carried=NIC, fail=OSError("disk full"))
    assert verdict(plane, request(eni_id=OFF_NIC))[0] is Verdict.MIRRORED


def test_frames_from_another_thread_while_the_policy_changes(store, plane):
    """Every frame gets a verdict by one of the two policies, and copies carry the VNI of their session."""
    change(store, plane, rule(1), session(vni=1))
    stop, seen, errors = threading.Event(), set(), []

    def push():
        try:
            while not stop.is_set():
                judged = plane.process([request()] * 5)
                policy_vni = judged.nic.policy.interfaces[0].sessions[0].vni
                assert [vni(output.data) for output in judged.result.outputs] == [policy_vni] * 5
                seen.add(policy_vni)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=push)
    thread.start()
    for number in range(2, 22):
        change(store, plane, session(vni=number))
    deadline = time.monotonic() + 10
    while 21 not in seen and not errors and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    thread.join(10)
    assert not errors and 21 in seen
