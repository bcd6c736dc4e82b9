"""Random sequences of operations: whatever clients do, the store stays a policy that can be used."""

from __future__ import annotations

from collections import Counter

from bench_kit import COLLECTOR, DATABASE, ENDPOINT, OWNER, SCANNER, SECURITY, SENSORS, WEB
from bench_kit import WEBSHOP as SILENT
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule
from mirror_kit import ANYWHERE, Desk

from harness.control.documents import assemble
from harness.control.errors import ApiError
from harness.policy import check

QUOTAS = {"filters": 3, "targets": 4, "sessions": 3, "rules_per_filter": 2, "sources_per_interface_target": 1,
          "sessions_per_interface": 2}
EXPECTED = {
    "IdempotentParameterMismatch", "InvalidParameterCombination", "InvalidParameterValue", "MissingParameter",
    "InvalidTrafficMirrorFilterId.NotFound", "InvalidTrafficMirrorFilterRuleId.NotFound",
    "InvalidTrafficMirrorSessionId.NotFound", "InvalidTrafficMirrorTargetId.NotFound",
    "InvalidTrafficMirrorTarget", "InvalidVpcEndpointId.NotFound", "NetworkLoadBalancerNotFoundException",
    "NlbInUseByTrafficMirrorTargetException", "TrafficMirrorFilterInUse", "TrafficMirrorFilterLimitExceeded",
    "TrafficMirrorFilterRuleAlreadyExists", "TrafficMirrorFilterRuleLimitExceeded", "TrafficMirrorSessionLimitExceeded",
    "TrafficMirrorSessionsPerInterfaceLimitExceeded", "TrafficMirrorSourcesPerTargetLimitExceeded",
    "TrafficMirrorTargetInUse", "TrafficMirrorTargetLimitExceeded", "UnauthorizedOperation",
    "InvalidNetworkInterfaceID.NotFound",
}
"""The codes that these operations may answer with."""

accounts = st.sampled_from([OWNER, OWNER, OWNER, SECURITY])
enis = st.sampled_from([WEB, DATABASE, SCANNER, COLLECTOR])
numbers = st.sampled_from([1, 2, 3, 4, 32766, 0])
cidrs = st.sampled_from(["0.0.0.0/0", "10.0.0.0/8", "::/0", "10.0.0.1/8"])
ports = st.fixed_dictionaries({"FromPort": st.sampled_from([0, 80, 443]), "ToPort": st.sampled_from([0, 80, 65535])})
protocols = st.sampled_from([0, 1, 6, 17])
lengths = st.sampled_from([0, 1, 8500, 8501, 9001])
networks = st.sampled_from([1, 7, 16777215, 16777216])
tokens = st.sampled_from(["t", "u"])
RULE = {"TrafficDirection": st.sampled_from(["ingress", "egress"]), "RuleNumber": numbers,
        "RuleAction": st.sampled_from(["accept", "reject"])}
RULE_OPTIONS = {"Protocol": protocols, "SourcePortRange": ports, "DestinationPortRange": ports,
                "SourceCidrBlock": cidrs, "DestinationCidrBlock": cidrs}
REMOVABLE_OF_RULES = st.lists(st.sampled_from(["destination-port-range", "source-port-range", "protocol"]), max_size=2)
REMOVABLE_OF_SESSIONS = st.lists(st.sampled_from(["packet-length", "description", "virtual-network-id"]), max_size=2)


class Clients(RuleBasedStateMachine):
    """Two accounts of one organisation make, change and delete whatever comes to their mind."""

    filters, rules, targets, sessions = (Bundle(name) for name in ("filters", "rules", "targets", "sessions"))

    def __init__(self):
        super().__init__()
        self.desk = Desk(**QUOTAS)

    @initialize(target=filters)
    def begin_with_a_filter(self):
        return self.desk.filter()

    @initialize(target=targets, which=st.sampled_from([{}, {"NetworkLoadBalancerArn": SENSORS}]))
    def begin_with_a_target(self, which):
        return self.desk.target(**which)

    @initialize(target=targets)
    def begin_with_a_target_of_the_other(self):
        return self.desk.target("eni-0a1b2c3d4e5f60110", account=SECURITY)

    def call(self, operation, member, **parameters):
        """The id of what was made or changed; what was refused has none, and a known code."""
        try:
            result = self.desk.call(operation, **parameters)
        except ApiError as error:
            assert error.code in EXPECTED, error
            return "x-refused"
        found = result.get(member, result)
        return found[f"{member}Id"]

    @rule(target=filters, account=accounts, options=st.fixed_dictionaries({}, optional={"ClientToken": tokens}))
    def create_filter(self, account, options):
        return self.call("CreateTrafficMirrorFilter", "TrafficMirrorFilter", account=account, **options)

    @rule(target=rules, account=accounts, parent=filters, needed=st.fixed_dictionaries(RULE),
          options=st.fixed_dictionaries({}, optional=RULE_OPTIONS))
    def create_rule(self, account, parent, needed, options):
        return self.call("CreateTrafficMirrorFilterRule", "TrafficMirrorFilterRule", account=account,
                         TrafficMirrorFilterId=parent, **{**ANYWHERE, **needed, **options})

    @rule(account=accounts, name=rules, removed=REMOVABLE_OF_RULES,
          options=st.fixed_dictionaries({}, optional={**RULE, **RULE_OPTIONS}))
    def modify_rule(self, account, name, removed, options):
        self.call("ModifyTrafficMirrorFilterRule", "TrafficMirrorFilterRule", account=account,
                  TrafficMirrorFilterRuleId=name, RemoveFields=removed, **options)

    @rule(target=targets, account=accounts, where=st.one_of(
        st.fixed_dictionaries({"NetworkInterfaceId": enis}),
        st.fixed_dictionaries({"NetworkLoadBalancerArn": st.sampled_from([SENSORS, SILENT])}),
        st.just({"GatewayLoadBalancerEndpointId": ENDPOINT})))
    def create_target(self, account, where):
        return self.call("CreateTrafficMirrorTarget", "TrafficMirrorTarget", account=account, **where)

    @rule(name=targets)
    def share_target(self, name):
        if self.desk.call("DescribeTrafficMirrorTargets", Filters=[
                {"Name": "traffic-mirror-target-id", "Values": [name]}])["TrafficMirrorTargets"]:
            self.desk.client("ram").create_resource_share(
                name="s", principals=[SECURITY],
                resourceArns=[f"arn:aws:ec2:us-east-1:{OWNER}:traffic-mirror-target/{name}"])

    @rule(target=sessions, account=accounts, eni=enis, parent=filters, where=targets, number=numbers,
          options=st.fixed_dictionaries({}, optional={"PacketLength": lengths, "VirtualNetworkId": networks}))
    def create_session(self, account, eni, parent, where, number, options):
        return self.call("CreateTrafficMirrorSession", "TrafficMirrorSession", account=account, NetworkInterfaceId=eni,
                         TrafficMirrorFilterId=parent, TrafficMirrorTargetId=where, SessionNumber=number, **options)

    @rule(account=accounts, name=sessions, parent=st.none() | filters, where=st.none() | targets,
          removed=REMOVABLE_OF_SESSIONS, options=st.fixed_dictionaries({}, optional={
              "PacketLength": lengths, "VirtualNetworkId": networks, "SessionNumber": numbers}))
    def modify_session(self, account, name, parent, where, removed, options):
        if parent is not None:
            options["TrafficMirrorFilterId"] = parent
        if where is not None:
            options["TrafficMirrorTargetId"] = where
        self.call("ModifyTrafficMirrorSession", "TrafficMirrorSession", account=account, TrafficMirrorSessionId=name,
                  RemoveFields=removed, **options)

    @rule(account=accounts, name=filters)
    def delete_filter(self, account, name):
        self.call("DeleteTrafficMirrorFilter", "TrafficMirrorFilter", account=account, TrafficMirrorFilterId=name)

    @rule(account=accounts, name=rules)
    def delete_rule(self, account, name):
        self.call("DeleteTrafficMirrorFilterRule", "TrafficMirrorFilterRule", account=account,
                  TrafficMirrorFilterRuleId=name)

    @rule(account=accounts, name=targets)
    def delete_target(self, account, name):
        self.call("DeleteTrafficMirrorTarget", "TrafficMirrorTarget", account=account, TrafficMirrorTargetId=name)

    @rule(account=accounts, name=sessions)
    def delete_session(self, account, name):
        self.call("DeleteTrafficMirrorSession", "TrafficMirrorSession", account=account, TrafficMirrorSessionId=name)

    def teardown(self):
        """What must hold after any sequence; a sequence is shrunk to the one that breaks it."""
        with self.desk.store.begin() as transaction:
            documents = assemble(transaction)
            filters, targets, sessions, rules = (
                transaction.find(kind) for kind in ("filter", "target", "session", "rule"))
        assert [problem for problem in check(documents) if problem.severity == "error"] == []
        for account in (OWNER, SECURITY):
            for kind, present in (("filters", filters), ("targets", targets), ("sessions", sessions)):
                assert sum(each.account == account for each in present) <= QUOTAS[kind]
        names = {each.id for each in (*filters, *targets)}
        per_filter = Counter(each.parent for each in rules)
        assert max(per_filter.values(), default=0) <= QUOTAS["rules_per_filter"] and set(per_filter) <= names
        places = [(each.document["NetworkInterfaceId"], each.document["SessionNumber"]) for each in sessions]
        assert len(set(places)) == len(places)
        assert max(Counter(eni for eni, _ in places).values(), default=0) <= QUOTAS["sessions_per_interface"]
        assert not {each.document.get("NetworkInterfaceId") for each in targets} & {eni for eni, _ in places}
        for each in sessions:
            assert each.document["TrafficMirrorFilterId"] in names
            assert each.document["TrafficMirrorTargetId"] in names or each.note["stopped"]
        for each in targets:
            sources = {session.parent for session in sessions
                       if session.document["TrafficMirrorTargetId"] == each.id}
            if "NetworkInterfaceId" in each.document:
                assert len(sources) <= QUOTAS["sources_per_interface_target"]


Clients.TestCase.settings = settings(max_examples=200, stateful_step_count=16, deadline=None,
                                     suppress_health_check=list(HealthCheck))
test_whatever_clients_do = Clients.TestCase
