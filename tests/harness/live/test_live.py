"""``halfsilver live``: a host with an interface, and a collector with Linux' VXLAN device, in networks of their own."""

import json
import select
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from halfsilver.harness.live.copies import CopySender
from halfsilver.harness.live.tap import open_tap
from tests.harness.commands.cli_kit import COLLECTOR, FRAMES, ROOT, WEB, read_copies, write_policy
from tests.judges.namespace_kit import namespace, needs_root

pytestmark = [pytest.mark.root, *needs_root]
PATIENCE = 60
COUNT = 20


def live(inside, *words):
    """The command in a namespace; it has begun to hear when this returns."""
    command = ["ip", "netns", "exec", inside.name, sys.executable, "-m", "halfsilver.harness.cli", "live", *words]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert select.select([process.stderr], [], [], PATIENCE)[0]
    line = process.stderr.readline().decode()
    assert line.startswith("mirroring near0"), line
    return process


@pytest.fixture
def networks():
    """The host's namespace, and that of the collector at the other end of its cable, with VXLAN network 42."""
    with namespace() as host, namespace() as collector:
        host.links(
            f"link add near0 address {WEB} type veth peer name far0 address {COLLECTOR} netns {collector.name}",
            "addr add 10.0.0.10/24 dev near0",
            "link set near0 up",
        )
        collector.links(
            "addr add 10.0.0.40/24 dev far0",
            "link set far0 up",
            "link add vx42 type vxlan id 42 dstport 4789 local 10.0.0.40 nolearning",
            "link set vx42 addrgenmode none up",
        )
        yield host, collector


def receive(device, wanted, count):
    """So many frames that ``wanted`` says are meant; others speak as well."""
    came = []
    device.settimeout(PATIENCE)
    while len(came) < count:
        data = device.recv(1 << 16)
        if wanted(data):
            came.append(data)
    return came


def send_datagrams(host, count):
    """From a socket of the kernel's, which leaves the checksum to the NIC."""

    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(count):
                sender.sendto(f"datagram {number:03}".encode(), ("10.0.0.40", 9000))

    host.enter(lambda: send() or True)


def test_copies_come_to_a_linux_vxlan_device_and_are_not_copied_again(networks, tmp_path):
    host, collector = networks
    (vxlan, far) = collector.open_devices("vx42", "far0")
    process = live(host, "-i", "near0", "-c", write_policy(tmp_path), "-o", "udp", "--json")
    try:
        send_datagrams(host, COUNT)
        inner = receive(vxlan, lambda data: b"datagram" in data, COUNT)
        for number in range(COUNT):
            far.send(FRAMES[0][:250] + number.to_bytes(4, "big"))
        ingress = receive(vxlan, lambda data: data[:14] == FRAMES[0][:14], COUNT)
    finally:
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=PATIENCE)
        vxlan.close(), far.close()
    assert process.returncode == 0, errors
    for number, data in enumerate(inner):
        packet = Ether(data)
        assert (packet.src, packet.dst, packet[UDP].dport) == (WEB, COLLECTOR, 9000)
        assert bytes(packet[UDP].payload) == f"datagram {number:03}".encode()
        given = packet[UDP].chksum
        del packet[UDP].chksum
        assert Ether(bytes(packet))[UDP].chksum == given
    assert ingress == [FRAMES[0][:100]] * COUNT
    sums = json.loads(out)
    assert sums["conserved"] and sums["lost"] == 0 and sums["unsent"] == {}
    assert sums["verdicts"]["mirrored"] == sums["sent"] >= 2 * COUNT
    # Those of the datagrams were heard before the frames that came behind them; of the last, some may not have been.
    assert COUNT <= sums["own_copies"] <= sums["sent"]
    assert f"passed over: {sums['own_copies']:,} frames".encode() in errors


def test_copies_are_on_the_wire_as_they_were_made(networks):
    """Over IPv6 byte for byte; over IPv4 but for the identification, which the kernel chooses. One that is too long is
    not sent, and said."""
    host, collector = networks
    host.links("addr add fd00::10/64 dev near0 nodad")
    collector.links("addr add fd00::40/64 dev far0 nodad")
    inside = UDP(sport=65_500, dport=4789) / VXLAN(vni=42) / FRAMES[0]
    four = IP(src="10.0.0.10", dst="10.0.0.40", ttl=255, id=0) / inside
    six = IPv6(src="fd00::10", dst="fd00::40", hlim=255) / inside
    (far,) = collector.open_devices("far0")
    sender = host.enter(CopySender)
    for packet in (four, six, IP(src="10.0.0.10", dst="10.0.0.40") / UDP(dport=4789) / bytes(1473)):
        sender.send(bytes(14) + bytes(packet))
    came = [Ether(data) for data in receive(far, lambda data: b"\x12\xb5" in data[:60], 2)]
    sender.close(), far.close()
    first, second = sorted(came, key=lambda packet: packet.type)
    for packet in (first[IP], four):
        packet.id = 0
        del packet.chksum
    assert bytes(first[IP]) == bytes(four) and bytes(second[IPv6]) == bytes(six)
    assert (sender.sent, dict(sender.unsent)) == (2, {"Message too long": 1})


def test_what_found_no_room_is_counted(networks, monkeypatch):
    """A small buffer, and nobody who takes frames out of it meanwhile."""
    monkeypatch.setattr("halfsilver.harness.bench.packet_wire.BUFFER_BYTES", 8192)
    host, collector = networks
    tap = host.enter(lambda: open_tap("near0"))
    (far,) = collector.open_devices("far0")
    for number in range(500):
        far.send(FRAMES[0] + number.to_bytes(4, "big"))
    far.send(b"\xff" * 6 + bytes(54))
    came = 0
    while frames := tap.take(0.5, 10):
        assert len(frames) <= 10
        came += sum(frame.data[:14] == FRAMES[0][:14] for frame in frames)
    assert 0 < came < 500 and tap.lost >= 500 - came
    tap.close(), far.close()


def test_a_file_has_the_copies_and_why(networks, tmp_path):
    host, _ = networks
    out = tmp_path / "copies.pcapng"
    words = ("-i", "near0", "-c", write_policy(tmp_path), "-o", str(out), "--seconds", "40", "--frames", str(COUNT))
    process = live(host, *words)
    send_datagrams(host, COUNT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    copies = [copy for copy in read_copies(out.read_bytes()) if b"datagram" in bytes(copy)]
    assert copies and all(copy.comments[0].startswith(b"mirrored by rule 30, session 1") for copy in copies)


def test_an_interface_that_goes_away_ends_the_run_and_leaves_what_there_was(networks, tmp_path):
    host, collector = networks
    out = tmp_path / "copies.pcapng"
    process = live(host, "-i", "near0", "-c", write_policy(tmp_path), "-o", str(out))
    (far,) = collector.open_devices("far0")
    for _ in range(5 * COUNT):
        far.send(FRAMES[0])
    copies = 0
    while copies < 5 * COUNT:
        line = process.stderr.readline().decode()
        assert line, "it has ended"
        copies = int(line.split(" frames ")[1].split(", ")[1].split()[0])
    far.close()
    host.links("link del near0")
    out_text, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3 and b"conserved" in out_text
    assert b"warning: near0: the network interface went away" in errors or b"warning: near0 " in errors
    assert FRAMES[0][:100] in [bytes(copy)[50:] for copy in read_copies(out.read_bytes())]


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is missing (apt install util-linux)")
def test_without_the_right_it_is_one_line_and_exit_code_3(tmp_path):
    words = ("-i", "lo", "-c", write_policy(tmp_path), "-o", "udp")
    drop = ["setpriv", "--bounding-set=-net_raw,-net_admin", "--inh-caps=-net_raw,-net_admin"]
    command = [*drop, sys.executable, "-m", "halfsilver.harness.cli", "live", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: lo: this user may not send and receive raw frames")


def test_nothing_heard_is_never_green(networks, tmp_path):
    host, _ = networks
    host.links(
        "link add idle0 arp off type veth peer name idle1 arp off",
        *(f"link set {name} addrgenmode none up" for name in ("idle0", "idle1")),
    )
    words = ("-i", "idle0", "-c", write_policy(tmp_path), "-o", "udp", "--seconds", "0.1")
    command = ["ip", "netns", "exec", host.name, sys.executable, "-m", "halfsilver.harness.cli", "live", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 5 and "no frame went over it" in done.stderr
