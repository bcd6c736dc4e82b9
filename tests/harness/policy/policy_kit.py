"""AWS-shaped documents for the policy tests: a small account, and what ``check`` says of it."""

from __future__ import annotations

from typing import Any

from halfsilver.harness.policy.policy import Policy, Problem, Session, check

NLB_ARN = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/net/tap/50dc6c495c0c9188"
FILTER = "TrafficMirrorFilters[0] tmf-04812ff784EXAMPLE"
SESSION = "TrafficMirrorSessions[0] tms-08a33b1214EXAMPLE"
TARGET = "TrafficMirrorTargets[0] tmt-07f75d8feeEXAMPLE"
SOURCE, APPLIANCE, BALANCER_A, BALANCER_B, ENDPOINT, SPARE = (
    "eni-0000000000000001a",
    "eni-0000000000000002b",
    "eni-0000000000000003c",
    "eni-0000000000000004d",
    "eni-0000000000000005e",
    "eni-0000000000000006f",
)


def rule(number: int, direction: str = "ingress", **fields: Any) -> dict[str, Any]:
    """A rule as describe-traffic-mirror-filters prints it: accepts all IPv4 unless told otherwise."""
    return {
        "TrafficMirrorFilterRuleId": f"tmfr-{direction}{number}",
        "TrafficMirrorFilterId": "tmf-04812ff784EXAMPLE",
        "TrafficDirection": direction,
        "RuleNumber": number,
        "RuleAction": "accept",
        "DestinationCidrBlock": "0.0.0.0/0",
        "SourceCidrBlock": "0.0.0.0/0",
        "Description": "",
        **fields,
    }


def interface(eni_id: str, last: int, **fields: Any) -> dict[str, Any]:
    """An interface with MAC 0a:..:last and address 10.0.0.last, with keys mirroring does not need."""
    return {
        "NetworkInterfaceId": eni_id,
        "MacAddress": f"0a:00:00:00:00:{last:02x}",
        "PrivateIpAddress": f"10.0.0.{last}",
        "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": f"10.0.0.{last}"}],
        "Ipv6Addresses": [],
        "AvailabilityZone": "eu-central-1a",
        "VpcId": "vpc-0e9801d129EXAMPLE",
        "Status": "in-use",
        "SourceDestCheck": True,
        "Groups": [{"GroupName": "default", "GroupId": "sg-1"}],
        "TagSet": [],
        "Description": "",
        **fields,
    }


def documents(**lists: Any) -> dict[str, Any]:
    """A small account: one session from SOURCE to APPLIANCE; ``lists`` replaces top-level lists."""
    return {
        "TrafficMirrorFilters": [
            {
                "TrafficMirrorFilterId": "tmf-04812ff784EXAMPLE",
                "IngressFilterRules": [
                    rule(200, RuleAction="reject", Protocol=1),
                    rule(
                        100,
                        Protocol=6,
                        SourceCidrBlock="10.1.0.0/16",
                        DestinationCidrBlock="10.0.0.0/24",
                        DestinationPortRange={"FromPort": 80, "ToPort": 443},
                    ),
                ],
                "EgressFilterRules": [rule(10, "egress", SourceCidrBlock="::/0", DestinationCidrBlock="2001:db8::/32")],
                "NetworkServices": ["amazon-dns"],
                "Description": "TCP Filter",
                "Tags": [],
            }
        ],
        "TrafficMirrorSessions": [
            {
                "TrafficMirrorSessionId": "tms-08a33b1214EXAMPLE",
                "TrafficMirrorTargetId": "tmt-07f75d8feeEXAMPLE",
                "TrafficMirrorFilterId": "tmf-04812ff784EXAMPLE",
                "NetworkInterfaceId": SOURCE,
                "OwnerId": "111122223333",
                "PacketLength": 100,
                "SessionNumber": 1,
                "VirtualNetworkId": 7159709,
                "Description": "example session",
                "Tags": [],
            }
        ],
        "TrafficMirrorTargets": [
            {
                "TrafficMirrorTargetId": "tmt-07f75d8feeEXAMPLE",
                "NetworkInterfaceId": APPLIANCE,
                "Type": "network-interface",
                "OwnerId": "111122223333",
                "Tags": [],
            }
        ],
        "NetworkInterfaces": [interface(APPLIANCE, 2), interface(SOURCE, 1), interface(SPARE, 6)],
        **lists,
    }


def to_balancer(**fields: Any) -> dict[str, Any]:
    """The account with a load balancer target; its interfaces are in zones b and a."""
    result = documents(
        LoadBalancers=[{"LoadBalancerArn": NLB_ARN, "VpcId": "vpc-0e9801d129EXAMPLE", "Type": "network", **fields}],
        TrafficMirrorTargets=[
            {
                "TrafficMirrorTargetId": "tmt-07f75d8feeEXAMPLE",
                "NetworkLoadBalancerArn": NLB_ARN,
                "Type": "network-load-balancer",
            }
        ],
        NetworkInterfaces=[
            interface(SOURCE, 1),
            interface(BALANCER_B, 4, AvailabilityZone="eu-central-1b", Description="ELB net/tap/50dc6c495c0c9188"),
            interface(BALANCER_A, 3, Description="ELB net/tap/50dc6c495c0c9188"),
        ],
    )
    del result["TrafficMirrorSessions"][0]["PacketLength"]
    return result


def to_endpoint() -> dict[str, Any]:
    """The account with a Gateway Load Balancer endpoint as target."""
    return documents(
        VpcEndpoints=[
            {
                "VpcEndpointId": "vpce-0123456789abcdef0",
                "VpcEndpointType": "GatewayLoadBalancer",
                "NetworkInterfaceIds": [ENDPOINT],
            }
        ],
        TrafficMirrorTargets=[
            {
                "TrafficMirrorTargetId": "tmt-07f75d8feeEXAMPLE",
                "GatewayLoadBalancerEndpointId": "vpce-0123456789abcdef0",
                "Type": "gateway-load-balancer-endpoint",
            }
        ],
        NetworkInterfaces=[interface(SOURCE, 1), interface(ENDPOINT, 5)],
    )


def permission(protocol: str = "tcp", *networks: str, low: int | None = 443, **fields: Any) -> dict[str, Any]:
    """A permission as describe-security-groups prints it."""
    ports = {} if low is None else {"FromPort": low, "ToPort": low}
    return {
        "IpProtocol": protocol,
        **ports,
        "IpRanges": [{"CidrIp": network} for network in networks if ":" not in network],
        "Ipv6Ranges": [{"CidrIpv6": network} for network in networks if ":" in network],
        "PrefixListIds": [],
        "UserIdGroupPairs": [],
        **fields,
    }


def group(*permissions: dict[str, Any], group_id: str = "sg-1") -> dict[str, Any]:
    return {
        "GroupId": group_id,
        "GroupName": "default",
        "Description": "",
        "OwnerId": "111122223333",
        "VpcId": "vpc-0e9801d129EXAMPLE",
        "IpPermissions": list(permissions),
        "IpPermissionsEgress": [],
    }


def entry(number: int, action: str = "allow", protocol: str = "-1", **fields: Any) -> dict[str, Any]:
    """An entry as describe-network-acls prints it."""
    if "Ipv6CidrBlock" not in fields:
        fields = {"CidrBlock": "0.0.0.0/0", **fields}
    return {"RuleNumber": number, "RuleAction": action, "Protocol": protocol, "Egress": False, **fields}


def guarded() -> dict[str, Any]:
    """The small account with lists that guard its interfaces."""
    entries = [
        entry(1, protocol="6", PortRange={"From": 1, "To": 9}),
        entry(2, protocol="1", IcmpTypeCode={"Type": -1, "Code": -1}),
        {**entry(3, protocol="1", IcmpTypeCode={"Type": 8, "Code": 0}), "Egress": True},
    ]
    pairs = [{"GroupId": "sg-1", "UserId": "111122223333"}]
    permissions = [permission("tcp", "10.0.0.0/8", UserIdGroupPairs=pairs), permission("-1", "::/0", low=None)]
    acl = {"NetworkAclId": "acl-1", "VpcId": "vpc-0e9801d129EXAMPLE", "IsDefault": True, "Entries": entries}
    vpcs = [{"VpcId": "vpc-0e9801d129EXAMPLE", "CidrBlock": "10.0.0.0/16"}]
    return documents(SecurityGroups=[group(*permissions)], NetworkAcls=[acl], Vpcs=vpcs)


def at(config: Any, path: str) -> tuple[Any, Any]:
    """Container and key of a dotted path, list indices as numbers."""
    keys: list[Any] = [int(part) if part.isdigit() else part for part in path.split(".")]
    for key in keys[:-1]:
        config = config[key]
    return config, keys[-1]


def only_session(config: dict[str, Any]) -> Session:
    (session,) = Policy.from_documents(config).interfaces[0].sessions
    return session


def errors(config: object) -> list[Problem]:
    return [problem for problem in check(config) if problem.severity == "error"]


def warnings(config: object) -> list[Problem]:
    return [problem for problem in check(config) if problem.severity == "warning"]


def sixteen_sources_and(more: int) -> dict[str, Any]:
    config = documents()
    first = config["TrafficMirrorSessions"][0]
    for number in range(10, 25 + more):
        config["NetworkInterfaces"].append(interface(f"eni-{number}", number))
        config["TrafficMirrorSessions"].append(
            {**first, "TrafficMirrorSessionId": f"tms-{number}", "NetworkInterfaceId": f"eni-{number}"}
        )
    return config
