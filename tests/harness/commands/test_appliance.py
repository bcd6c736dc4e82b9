"""``--appliance``: copies to a Gateway Load Balancer endpoint as an appliance behind the load balancer gets them."""

import copy
import json

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from tests.harness.commands.cli_kit import DOCUMENTS, FRAMES, read_copies, run, write_capture, write_policy

ENDPOINT, OTHER_ZONE, GATEWAY, APPLIANCE = "eni-50", "eni-89", "eni-90", "eni-91"


def interface(name, **more):
    number = name.removeprefix("eni-")
    return {
        "NetworkInterfaceId": name,
        "MacAddress": f"0a:00:00:00:00:{number}",
        "PrivateIpAddress": f"10.9.0.{number}",
    } | more


def policy_documents():
    """The first session's copies go to an endpoint, the second's to an interface."""
    documents = copy.deepcopy(DOCUMENTS)
    there = {"VpcId": "vpc-9", "AvailabilityZone": "us-east-1a"}
    documents["NetworkInterfaces"] += [
        interface(ENDPOINT, InterfaceType="gateway_load_balancer_endpoint"),
        interface(OTHER_ZONE, InterfaceType="gateway_load_balancer", **there | {"AvailabilityZone": "us-east-1b"}),
        interface(GATEWAY, InterfaceType="gateway_load_balancer", **there),
        interface(APPLIANCE, **there),
    ]
    documents["VpcEndpoints"] = [{"VpcEndpointId": "vpce-031e129cdc0cd8633", "NetworkInterfaceIds": [ENDPOINT]}]
    documents["TrafficMirrorTargets"] += [
        {"TrafficMirrorTargetId": "tmt-2", "GatewayLoadBalancerEndpointId": "vpce-031e129cdc0cd8633"}
    ]
    (session,) = documents["TrafficMirrorSessions"]
    (filter_,) = documents["TrafficMirrorFilters"]
    documents["TrafficMirrorFilters"] += [
        {**filter_, "TrafficMirrorFilterId": "tmf-2", "EgressFilterRules": [], "IngressFilterRules": []}
    ]
    documents["TrafficMirrorFilters"][1]["EgressFilterRules"] = [
        {**filter_["EgressFilterRules"][0], "TrafficMirrorFilterRuleId": "tmfr-9"}
    ]
    filter_["EgressFilterRules"] = []
    session["TrafficMirrorTargetId"] = "tmt-2"
    documents["TrafficMirrorSessions"] += [
        {
            **session,
            "TrafficMirrorSessionId": "tms-2",
            "SessionNumber": 2,
            "TrafficMirrorFilterId": "tmf-2",
            "TrafficMirrorTargetId": "tmt-1",
            "VirtualNetworkId": 43,
        }
    ]
    return documents


def mirror(folder, documents, *options):
    words = ["mirror", "-r", write_capture(folder), "-c", write_policy(folder, documents)]
    return run(*words, "-w", str(folder / "out.pcapng"), *options)


def test_copies_to_the_endpoint_are_in_geneve_and_others_are_not(tmp_path):
    assert mirror(tmp_path, policy_documents()) == 0
    as_sent = [bytes(each) for each in read_copies((tmp_path / "out.pcapng").read_bytes())]
    assert mirror(tmp_path, policy_documents(), "--appliance", APPLIANCE) == 0
    to_endpoint, to_interface = read_copies((tmp_path / "out.pcapng").read_bytes())
    assert (to_endpoint[Ether].src, to_endpoint[Ether].dst) == ("0a:00:00:00:00:90", "0a:00:00:00:00:91")
    assert (to_endpoint[IP].src, to_endpoint[IP].dst) == ("10.9.0.90", "10.9.0.91")
    assert bytes(to_endpoint[GENEVE].options[0])[4:].hex() == "31e129cdc0cd8633"
    assert bytes(to_endpoint[GENEVE].payload) == as_sent[0][14:]
    assert bytes(to_endpoint[VXLAN].payload) == FRAMES[0][:100]
    assert json.loads(to_endpoint.comments[1])["session"] == "tms-1"
    assert bytes(to_interface) == as_sent[1]


def without_gateway(documents):
    documents["NetworkInterfaces"] = [
        each for each in documents["NetworkInterfaces"] if each["NetworkInterfaceId"] not in (GATEWAY, OTHER_ZONE)
    ]


def in_another_vpc(documents):
    for each in documents["NetworkInterfaces"]:
        if each["NetworkInterfaceId"] in (GATEWAY, OTHER_ZONE):
            each["VpcId"] = "vpc-8"


def without_mac(documents):
    del documents["NetworkInterfaces"][-1]["MacAddress"]


def without_endpoint(documents):
    documents["TrafficMirrorSessions"][0]["TrafficMirrorTargetId"] = "tmt-1"


@pytest.mark.parametrize(
    ("spoil", "eni", "says"),
    [
        (None, "eni-99", "the appliance eni-99 is not in NetworkInterfaces, which has eni-10, eni-40, eni-50"),
        (without_gateway, APPLIANCE, "no interface in vpc-9 with the InterfaceType gateway_load_balancer"),
        (in_another_vpc, APPLIANCE, "no interface in vpc-9 with the InterfaceType gateway_load_balancer"),
        (without_mac, APPLIANCE, "eni-91 has no MacAddress, which GENEVE packets to an appliance need"),
        (without_endpoint, APPLIANCE, "no copies go to a Gateway Load Balancer endpoint"),
    ],
)
def test_no_way_to_the_appliance_is_one_line(tmp_path, capsys, spoil, eni, says):
    documents = policy_documents()
    if spoil:
        spoil(documents)
    assert mirror(tmp_path, documents, "--appliance", eni) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out.pcapng").exists()


def test_without_a_file_the_option_is_refused(tmp_path, capsys):
    words = ["-r", write_capture(tmp_path), "-c", write_policy(tmp_path, policy_documents())]
    assert run("mirror", *words, "--appliance", APPLIANCE) == 2
    assert "--appliance says what is in the file of -w" in capsys.readouterr().err
    assert run("live", "-i", "lo", *words[2:], "-o", "udp", "--appliance", APPLIANCE) == 2
    assert "--appliance says what is in a file" in capsys.readouterr().err
