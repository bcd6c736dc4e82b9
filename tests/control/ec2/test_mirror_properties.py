"""Random sequences of operations: whatever clients do, the store stays a policy that can be used."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.plane.documents import assemble
from halfsilver.harness.policy.policy import check
from tests.control.kits.inventory_kit import COLLECTOR, DATABASE, ENDPOINT, OWNER, SCANNER, SECURITY, SENSORS, WEB
from tests.control.kits.inventory_kit import WEBSHOP as SILENT
from tests.control.kits.mirror_kit import ANYWHERE, Desk

QUOTAS = {
    "filters": 3,
    "targets": 4,
    "sessions": 3,
    "rules_per_filter": 2,
    "sources_per_interface_target": 1,
    "sessions_per_interface": 2,
}
EXPECTED = {
    "IdempotentParameterMismatch",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "MissingParameter",
    "InvalidTrafficMirrorFilterId.NotFound",
    "InvalidTrafficMirrorFilterRuleId.NotFound",
    "InvalidTrafficMirrorSessionId.NotFound",
    "InvalidTrafficMirrorTargetId.NotFound",
    "InvalidTrafficMirrorTarget",
    "InvalidVpcEndpointId.NotFound",
    "NetworkLoadBalancerNotFoundException",
    "NlbInUseByTrafficMirrorTargetException",
    "TrafficMirrorFilterInUse",
    "TrafficMirrorFilterLimitExceeded",
    "TrafficMirrorFilterRuleAlreadyExists",
    "TrafficMirrorFilterRuleLimitExceeded",
    "TrafficMirrorSessionLimitExceeded",
    "TrafficMirrorSessionsPerInterfaceLimitExceeded",
    "TrafficMirrorSourcesPerTargetLimitExceeded",
    "TrafficMirrorTargetInUse",
    "TrafficMirrorTargetLimitExceeded",
    "UnauthorizedOperation",
    "InvalidNetworkInterfaceID.NotFound",
}
"""The codes that these operations may answer with."""

accounts = st.sampled_from([OWNER, OWNER, OWNER, SECURITY])
strangers = st.sampled_from([False] * 9 + [True])
"""Whether it is the account that does not own the object."""
enis = st.sampled_from([WEB, DATABASE, SCANNER, COLLECTOR])
numbers = st.sampled_from([1, 2, 3, 4, 32766, 0])
cidrs = st.sampled_from(["0.0.0.0/0", "0.0.0.0/0", "10.0.0.0/8", "::/0", "10.0.0.1/8"])
ports = st.fixed_dictionaries({"FromPort": st.sampled_from([0, 80, 443]), "ToPort": st.sampled_from([80, 65535])})
lengths = st.sampled_from([0, 1, 8500, 8501, 9001])
networks = st.sampled_from([1, 7, 16777215, 16777216])
RULE = {
    "TrafficDirection": st.sampled_from(["ingress", "egress"]),
    "RuleNumber": numbers,
    "RuleAction": st.sampled_from(["accept", "reject"]),
}
RULE_OPTIONS = {
    "Protocol": st.sampled_from([0, 1, 6, 17]),
    "SourcePortRange": ports,
    "DestinationPortRange": ports,
    "SourceCidrBlock": cidrs,
    "DestinationCidrBlock": cidrs,
}
SESSION_OPTIONS = {"PacketLength": lengths, "VirtualNetworkId": networks}
OF_RULES = st.lists(st.sampled_from(["destination-port-range", "source-port-range", "protocol"]), max_size=2)
OF_SESSIONS = st.lists(st.sampled_from(["packet-length", "description", "virtual-network-id"]), max_size=2)


def options(**strategies):
    """Some of these parameters."""
    return st.fixed_dictionaries({}, optional=strategies)


class Clients(RuleBasedStateMachine):
    """Two accounts of one organisation make, change and delete whatever comes to their mind."""

    filters, rules, targets, sessions = (Bundle(name) for name in ("filters", "rules", "targets", "sessions"))

    def __init__(self):
        super().__init__()
        self.desk = Desk(**QUOTAS)
        self.owners = {}

    def call(self, operation, account, **parameters):
        """The id of what was made, for a bundle; what was refused was so for a known reason."""
        try:
            result = self.desk.call(operation, account=account, **parameters)
        except ApiError as error:
            assert error.code in EXPECTED, error
            return multiple()
        if not operation.startswith("Create"):
            return None
        kind = operation.removeprefix("Create")
        self.owners[result[kind][f"{kind}Id"]] = account
        return result[kind][f"{kind}Id"]

    def account(self, name, stranger):
        """Who acts on an object."""
        return {OWNER: SECURITY, SECURITY: OWNER}[self.owners[name]] if stranger else self.owners[name]

    @initialize(target=filters)
    def begin_with_a_filter(self):
        return self.call("CreateTrafficMirrorFilter", OWNER)

    @initialize(
        target=targets, where=st.sampled_from([{"NetworkInterfaceId": COLLECTOR}, {"NetworkLoadBalancerArn": SENSORS}])
    )
    def begin_with_a_target(self, where):
        return self.call("CreateTrafficMirrorTarget", OWNER, **where)

    @rule(target=filters, account=accounts, more=options(ClientToken=st.sampled_from(["t", "u"])))
    def create_filter(self, account, more):
        return self.call("CreateTrafficMirrorFilter", account, **more)

    @rule(
        target=rules,
        parent=filters,
        stranger=strangers,
        needed=st.fixed_dictionaries(RULE),
        more=options(**RULE_OPTIONS),
    )
    def create_rule(self, parent, stranger, needed, more):
        return self.call(
            "CreateTrafficMirrorFilterRule",
            self.account(parent, stranger),
            TrafficMirrorFilterId=parent,
            **{**ANYWHERE, **needed, **more},
        )

    @rule(name=rules, stranger=strangers, removed=OF_RULES, more=options(**RULE, **RULE_OPTIONS))
    def modify_rule(self, name, stranger, removed, more):
        self.call(
            "ModifyTrafficMirrorFilterRule",
            self.account(name, stranger),
            TrafficMirrorFilterRuleId=name,
            RemoveFields=removed,
            **more,
        )

    @rule(
        target=targets,
        account=accounts,
        where=st.one_of(
            st.fixed_dictionaries({"NetworkInterfaceId": enis}),
            st.fixed_dictionaries({"NetworkLoadBalancerArn": st.sampled_from([SENSORS, SILENT])}),
            st.just({"GatewayLoadBalancerEndpointId": ENDPOINT}),
        ),
    )
    def create_target(self, account, where):
        return self.call("CreateTrafficMirrorTarget", account, **where)

    @rule(name=targets)
    def share_target(self, name):
        if self.owners[name] == OWNER and any(each.id == name for each in self.desk.records("target")):
            self.desk.client("ram").create_resource_share(
                name="s",
                principals=[SECURITY],
                resourceArns=[f"arn:aws:ec2:us-east-1:{OWNER}:traffic-mirror-target/{name}"],
            )

    @rule(target=sessions, eni=enis, parent=filters, where=targets, number=numbers, more=options(**SESSION_OPTIONS))
    def create_session(self, eni, parent, where, number, more):
        return self.call(
            "CreateTrafficMirrorSession",
            self.owners[parent],
            NetworkInterfaceId=eni,
            TrafficMirrorFilterId=parent,
            TrafficMirrorTargetId=where,
            SessionNumber=number,
            **more,
        )

    @rule(target=sessions, eni=enis, parent=filters, where=targets, number=numbers)
    def create_plain_session(self, eni, parent, where, number):
        return self.create_session(eni, parent, where, number, {})

    @rule(
        name=sessions,
        stranger=strangers,
        removed=OF_SESSIONS,
        more=options(
            TrafficMirrorFilterId=filters, TrafficMirrorTargetId=targets, SessionNumber=numbers, **SESSION_OPTIONS
        ),
    )
    def modify_session(self, name, stranger, removed, more):
        self.call(
            "ModifyTrafficMirrorSession",
            self.account(name, stranger),
            TrafficMirrorSessionId=name,
            RemoveFields=removed,
            **more,
        )

    @rule(name=st.one_of(filters, rules, targets, sessions), stranger=strangers)
    def delete(self, name, stranger):
        kind = {"tmf": "Filter", "tmfr": "FilterRule", "tmt": "Target", "tms": "Session"}[name.partition("-")[0]]
        self.call(f"DeleteTrafficMirror{kind}", self.account(name, stranger), **{f"TrafficMirror{kind}Id": name})

    def teardown(self):
        """What must hold after any sequence; a sequence is shrunk to the one that breaks it."""
        with self.desk.store.begin() as transaction:
            documents = assemble(transaction)
            filters, targets, sessions, rules = (
                transaction.find(kind) for kind in ("filter", "target", "session", "rule")
            )
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
            sources = {session.parent for session in sessions if session.document["TrafficMirrorTargetId"] == each.id}
            if "NetworkInterfaceId" in each.document:
                assert len(sources) <= QUOTAS["sources_per_interface_target"]


Clients.TestCase.settings = settings(
    max_examples=200, stateful_step_count=16, deadline=None, suppress_health_check=list(HealthCheck)
)
test_whatever_clients_do = Clients.TestCase
