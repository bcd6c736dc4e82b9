"""The Verilated NIC as an engine: copies as scapy builds them, records in frame order, counters where they belong."""

import random

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from halfsilver.harness.errors import HalfsilverError, UsageError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame, Tally
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim import engine as engine_module
from halfsilver.sim.engine import VerilatorEngine
from tests.harness.policy.policy_kit import documents, sixteen_sources_and

INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS
PARAMETERS = NicParameters(width=64, enis=4)
SOURCE, APPLIANCE, STRANGER = "0a:00:00:00:00:01", "0a:00:00:00:00:02", "0a:00:00:00:00:99"
VNI, PACKET_LENGTH = 7159709, 100
ONE_PORT = Flags(source_port_base=0xFF80, source_port_mask=0)


def web_request(payload, destination=SOURCE):
    """Matches the first ingress rule of the account in ``policy_kit``: TCP from 10.1/16 to port 80."""
    return bytes(
        Ether(src=STRANGER, dst=destination)
        / IP(src="10.1.2.3", dst="10.0.0.1")
        / TCP(sport=1234, dport=80)
        / Raw(payload)
    )


def dns_query(name):
    """Sent by the source to the Amazon resolver; the filter has the network service."""
    return bytes(
        Ether(src=SOURCE, dst=STRANGER)
        / IP(src="10.0.0.1", dst="169.254.169.253")
        / UDP(sport=4321, dport=53)
        / DNS(qd=DNSQR(qname=name))
    )


def vxlan(inner):
    """The copy as an independent tool builds it."""
    return bytes(
        Ether(src=SOURCE, dst=APPLIANCE)
        / IP(src="10.0.0.1", dst="10.0.0.2", id=0, ttl=255)
        / UDP(sport=0xFF80, dport=4789, chksum=0)
        / VXLAN(vni=VNI, flags=8)
        / Raw(inner)
    )


@pytest.fixture
def engine():
    made = []

    def make(flags=ONE_PORT, parameters=PARAMETERS, **options):
        made.append(VerilatorEngine(parameters, **options))
        made[-1].configure(Policy.from_documents(documents()), flags)
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_copy_verdict_and_counters_of_one_frame(engine):
    frame = web_request(bytes(range(200)))
    result = engine().process([Frame(frame, INGRESS)])
    assert [(output.frame, output.data) for output in result.outputs] == [(0, vxlan(frame[:PACKET_LENGTH]))]
    (record,) = result.verdicts
    assert (record.verdict, record.eni, record.session, record.rule) == (Verdict.MIRRORED, 0, 0, 0)
    assert (record.sequence, record.length, record.copied, record.generation) == (0, len(frame), PACKET_LENGTH, 1)
    assert result.counters.verdicts == {(INGRESS, Verdict.MIRRORED): Tally(1, PACKET_LENGTH)}
    assert result.counters.sessions == {(INGRESS, 0, 0): Tally(1, PACKET_LENGTH)}
    assert result.counters.rules == {(INGRESS, 0, 0, 0): Tally(1, PACKET_LENGTH)}
    assert result.cycles is not None and result.cycles > len(frame) // 8


def test_every_frame_passes_whatever_its_verdict(engine):
    frames = [
        Frame(web_request(b"mirrored"), INGRESS),
        Frame(web_request(b"bad"), INGRESS, bad=True),
        Frame(web_request(b"dropped"), INGRESS, dropped=True),
        Frame(b"short", EGRESS),
        Frame(dns_query("a.example"), EGRESS),
    ]
    result = engine().process(frames)
    wanted = {way: [len(frame.data) for frame in frames if frame.direction is way] for way in (INGRESS, EGRESS)}
    assert result.production == {way: Tally(len(each), sum(each)) for way, each in wanted.items()}


def test_verdicts_are_in_frame_order_and_numbered_per_direction(engine):
    nic = engine()
    frames = [
        Frame(web_request(b"one"), INGRESS),
        Frame(dns_query("a.example"), EGRESS),
        Frame(web_request(b"bad"), INGRESS, bad=True),
        Frame(web_request(b"dropped"), INGRESS, dropped=True),
        Frame(bytes(Ether(src=SOURCE, dst="ff:ff:ff:ff:ff:ff") / ARP()), EGRESS),
        Frame(web_request(b"elsewhere", STRANGER), INGRESS),
        Frame(b"short", EGRESS),
    ]
    expected = [
        Verdict.MIRRORED,
        Verdict.MIRRORED,
        Verdict.MALFORMED,
        Verdict.DROPPED,
        Verdict.NOT_ELIGIBLE,
        Verdict.NO_ENI,
        Verdict.MALFORMED,
    ]
    first, second = nic.process(frames), nic.process(frames)
    for offset, result in ((0, first), (1, second)):
        assert [record.verdict for record in result.verdicts] == expected
        assert [record.direction for record in result.verdicts] == [frame.direction for frame in frames]
        assert [record.sequence for record in result.verdicts] == [
            place + offset * total for place, total in ((0, 4), (0, 3), (1, 4), (2, 4), (1, 3), (3, 4), (2, 3))
        ]
        assert [output.frame for output in result.outputs] == [0, 1]
    assert second.counters.verdicts[INGRESS, Verdict.NO_ENI] == Tally(2, 2 * len(frames[5].data))


def test_a_frame_without_bytes_is_refused(engine):
    """A capture file can hold one, a packet port cannot carry it."""
    with pytest.raises(UsageError, match="frame 2 of the batch has no bytes"):
        engine().process([Frame(web_request(b"first"), INGRESS), Frame(b"", INGRESS)])


def test_a_second_policy_is_a_new_generation_and_counters_go_on(engine):
    nic = engine()
    frame = Frame(web_request(b"x"), INGRESS)
    nic.process([frame])
    silent = documents()
    silent["TrafficMirrorSessions"] = []
    assert nic.configure(Policy.from_documents(silent), ONE_PORT) == 2
    result = nic.process([frame])
    assert result.outputs == []
    assert result.verdicts[0].verdict is Verdict.NO_SESSION
    assert result.verdicts[0].generation == 2
    assert result.verdicts[0].sequence == 1
    assert result.counters.verdicts[INGRESS, Verdict.MIRRORED].frames == 1


def test_seed_changes_the_pauses_and_nothing_else(engine):
    rng = random.Random(1)
    frames = [Frame(web_request(rng.randbytes(rng.randrange(300))), INGRESS) for _ in range(40)]
    one, two, again = (engine(seed=seed).process(frames) for seed in (1, 2, 1))
    assert (one.outputs, one.verdicts, one.counters) == (two.outputs, two.verdicts, two.counters)
    assert one.cycles == again.cycles != two.cycles


def test_full_rate_copies_are_given_to_their_frames(engine):
    rng = random.Random(2)
    frames = [
        Frame(web_request(rng.randbytes(60)), INGRESS)
        if rng.random() < 0.5
        else Frame(dns_query(f"{rng.getrandbits(64):x}.example"), EGRESS)
        for _ in range(60)
    ]
    result = engine(full_rate=True, output_stalls=0.3).process(frames)
    mirrored = {index for index, record in enumerate(result.verdicts) if record.verdict is Verdict.MIRRORED}
    assert {output.frame for output in result.outputs} == mirrored
    assert len(mirrored) > 20
    for output in result.outputs:
        assert output.data == vxlan(frames[output.frame].data[:PACKET_LENGTH])
    order = [output.frame for output in result.outputs]
    for direction in Direction:
        own = [index for index in order if frames[index].direction is direction]
        assert own == sorted(own)


def test_identity_is_read_from_the_registers(engine):
    identity = engine().identify()
    assert identity.name == "verilator"
    assert identity.parameters["width"] == 64
    assert identity.parameters["enis"] == 4
    assert identity.parameters["extension_headers"] == 8
    assert identity.parameters["queue_depth"] == 16384


def test_progress_ends_with_the_whole_batch(engine):
    calls = []
    engine().process([Frame(web_request(b"x"), INGRESS)] * 5, lambda done, total: calls.append((done, total)))
    assert calls[-1] == (5, 5)
    assert all(total == 5 for _, total in calls)


@pytest.mark.parametrize("extra_interfaces, enis", [(-1, 1), (0, 4), (14, 16)])
def test_the_smallest_build_that_fits_is_taken(monkeypatch, extra_interfaces, enis):
    """The account has two interfaces that are not targets."""
    account = sixteen_sources_and(extra_interfaces - 14) if extra_interfaces > 0 else documents()
    if extra_interfaces < 0:
        account["NetworkInterfaces"].pop()

    class Asked(Exception):
        pass

    def ask(parameters, trace):
        raise Asked(parameters.enis)

    monkeypatch.setattr(engine_module, "build_nic", ask)
    with pytest.raises(Asked, match=f"^{enis}$"):
        VerilatorEngine().configure(Policy.from_documents(account))


def test_a_policy_that_does_not_fit_is_refused(engine):
    with pytest.raises(HalfsilverError, match="16 network interfaces, this build of the NIC has 4"):
        engine().configure(Policy.from_documents(sixteen_sources_and(0)))


def test_frames_before_a_policy_are_refused():
    with pytest.raises(UsageError, match="configure comes before process"):
        VerilatorEngine(PARAMETERS).process([Frame(bytes(60), INGRESS)])
