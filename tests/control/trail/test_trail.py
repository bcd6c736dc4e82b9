"""What is recorded of requests, and how CloudTrail's clients look it up; botocore reads the answers."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from halfsilver.harness.control.http.exchange import Route
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.iam.authorization import authorize
from halfsilver.harness.control.iam.policies import Policies
from halfsilver.harness.control.operations.call import Call, Caller, RoleSession, SignIn
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import OPERATIONS, Context
from halfsilver.harness.control.trail.audit_file import AuditFile
from halfsilver.harness.control.trail.event import event
from halfsilver.harness.control.trail.recorder import Recorder
from halfsilver.harness.control.upstream.asked import Asked, ask
from halfsilver.harness.errors import UsageError
from tests.control.kits.inventory_kit import COLLECTOR, OWNER, SECURITY, Lab, refused

FIELDS = """
eventVersion userIdentity eventTime eventSource eventName awsRegion sourceIPAddress userAgent requestParameters
responseElements requestID eventID readOnly eventType managementEvent recipientAccountId eventCategory
"""
"""What every record of a management event has, as the page "CloudTrail record contents" lists it."""


class Audited(Lab):
    """A ``Lab`` that is recorded; the security account may do nothing."""

    def __init__(self, audit: AuditFile) -> None:
        super().__init__(audit=audit)

    def execute(self, call: Call) -> Any:
        if call.caller.account == SECURITY:
            with self.store.begin() as transaction:
                context = Context(transaction, call, self.settings, self._random)
                authorize(context, Policies(), OPERATIONS[call.service, call.operation].on)
        return super().execute(call)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def lab(path: Path) -> Iterator[Audited]:
    file = AuditFile(path)
    lab = Audited(file)
    yield lab
    file.close()
    lab.store.close()


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def names(found: Mapping[str, Any]) -> list[str]:
    return [each["EventName"] for each in found["Events"]]


def test_a_change_is_on_the_disk_when_it_is_answered(lab: Audited, path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    answer = lab.client("ec2").create_traffic_mirror_filter(Description="web")
    [record] = records(path)
    assert set(FIELDS.split()) == set(record)
    assert record["userIdentity"] == {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": f"arn:aws:iam::{OWNER}:user/ann",
        "accountId": OWNER,
        "accessKeyId": f"AKIA{OWNER}",
        "userName": "ann",
    }
    assert (record["eventSource"], record["eventName"]) == ("ec2.amazonaws.com", "CreateTrafficMirrorFilter")
    assert (record["awsRegion"], record["sourceIPAddress"]) == ("us-east-1", "127.0.0.1")
    assert record["userAgent"].startswith("Boto3/")
    assert record["requestParameters"]["description"] == "web"
    made = answer["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    assert record["responseElements"]["trafficMirrorFilter"]["trafficMirrorFilterId"] == made
    assert record["requestID"] == answer["ResponseMetadata"]["RequestId"] != record["eventID"]
    assert record["readOnly"] is False and record["recipientAccountId"] == OWNER
    assert before <= datetime.strptime(record["eventTime"], "%Y-%m-%dT%H:%M:%S%z") <= datetime.now(UTC)


def test_reads_refusals_and_what_could_not_be_read(lab: Audited, path: Path) -> None:
    ec2 = lab.client("ec2")
    ec2.describe_traffic_mirror_sessions()
    with refused("InvalidTrafficMirrorFilterId.NotFound"):
        ec2.delete_traffic_mirror_filter(TrafficMirrorFilterId="tmf-0")
    with refused("UnauthorizedOperation", status=403):
        lab.client("ec2", SECURITY).delete_traffic_mirror_target(TrafficMirrorTargetId="tmt-0")
    with refused("AccessDenied", status=403):
        lab.client("cloudwatch", SECURITY).delete_alarms(AlarmNames=["a"])
    with refused("InvalidParameterValue"):
        ec2.describe_traffic_mirror_filters(MaxResults="many")
    read, gone, denied, alarm, malformed = records(path)
    assert read["readOnly"] is True and read["requestParameters"] is read["responseElements"] is None
    assert gone["errorCode"] == "Client.InvalidTrafficMirrorFilterId.NotFound" and "tmf-0" in gone["errorMessage"]
    assert gone["requestParameters"] == {"trafficMirrorFilterId": "tmf-0"} and gone["responseElements"] is None
    assert denied["errorCode"] == "Client.UnauthorizedOperation" and denied["recipientAccountId"] == SECURITY
    assert denied["userIdentity"]["accountId"] == SECURITY and "is not authorized to" in denied["errorMessage"]
    assert (alarm["errorCode"], alarm["eventSource"]) == ("AccessDenied", "monitoring.amazonaws.com")
    assert malformed["errorCode"] == "Client.InvalidParameterValue" and malformed["requestParameters"] is None


def test_nothing_that_proves_who_somebody_is(lab: Audited, path: Path) -> None:
    lab.client("ec2").describe_regions()
    lab.client("cloudwatch").list_metrics()
    written = path.read_text()
    assert "ignature" not in written and "AWS4" not in written and "secret" not in written


def test_a_role_that_gives_out_credentials_and_is_one() -> None:
    began, expires = datetime(2026, 6, 1, 11, tzinfo=UTC), datetime(2026, 6, 1, 13, tzinfo=UTC)
    role = f"arn:aws:iam::{OWNER}:role/ops"
    arn = f"arn:aws:sts::{OWNER}:assumed-role/ops/night"
    caller = Caller(OWNER, arn, "AROAEXAMPLE:night", "", RoleSession(role, "night", began))
    call = Call("sts", "AssumeRole", {"RoleArn": role, "RoleSessionName": "day"}, caller, "r", "10.0.0.1", began)
    given = {"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "topsecret", "SessionToken": "toptoken"}
    result = {"Credentials": {**given, "Expiration": expires}}
    record = event(call, "us-east-1", user_agent=None, key="ASIAOLDER", result=result)
    assert record["responseElements"] == {
        "credentials": {"accessKeyId": "ASIAEXAMPLE", "expiration": "2026-06-01T13:00:00+00:00"}
    }
    assert "topsecret" not in str(record) and "toptoken" not in str(record) and record["readOnly"] is True
    identity = record["userIdentity"]
    assert (identity["type"], identity["accessKeyId"], identity["arn"]) == ("AssumedRole", "ASIAOLDER", arn)
    assert identity["sessionContext"] == {
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROAEXAMPLE",
            "arn": role,
            "accountId": OWNER,
            "userName": "ops",
        },
        "attributes": {"creationDate": "2026-06-01T11:00:00Z", "mfaAuthenticated": "false"},
    }


def test_parameters_that_are_too_large_are_left_out(lab: Audited, path: Path) -> None:
    for size, code in ((100_000, "InvalidParameterValue"), (200_000, "InvalidParameterValue")):
        with refused(code):
            lab.client("ec2").create_tags(Resources=["tmf-0"], Tags=[{"Key": "k", "Value": "x" * size}])
    whole, large = (each["requestParameters"] for each in records(path))
    assert whole == {"resources": ["tmf-0"], "tags": [{"key": "k", "value": "x" * 100_000}]}
    assert large["omitted"] is True and large["originalSize"] > 200_000


def test_looking_it_up_by_each_attribute(lab: Audited) -> None:
    ec2, trail = lab.client("ec2"), lab.client("cloudtrail")
    made = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    target = ec2.create_traffic_mirror_target(NetworkInterfaceId=COLLECTOR)["TrafficMirrorTarget"]
    lab.client("cloudwatch").list_metrics()
    ec2.delete_traffic_mirror_filter(TrafficMirrorFilterId=made)

    def found(key: str, value: str) -> list[str]:
        return names(trail.lookup_events(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}]))

    everything = trail.lookup_events()
    assert names(everything) == [
        "DeleteTrafficMirrorFilter",
        "ListMetrics",
        "CreateTrafficMirrorTarget",
        "CreateTrafficMirrorFilter",
    ]
    newest = everything["Events"][0]
    whole = json.loads(newest["CloudTrailEvent"])
    assert (newest["EventId"], newest["Username"], newest["ReadOnly"]) == (whole["eventID"], "ann", "false")
    assert newest["EventTime"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") == whole["eventTime"]
    assert newest["Resources"] == [{"ResourceType": "AWS::EC2::TrafficMirrorFilter", "ResourceName": made}]
    assert found("EventId", newest["EventId"]) == ["DeleteTrafficMirrorFilter"]
    assert found("EventName", "CreateTrafficMirrorTarget") == ["CreateTrafficMirrorTarget"]
    assert found("EventSource", "monitoring.amazonaws.com") == ["ListMetrics"]
    assert "ListMetrics" in found("ReadOnly", "true") and "ListMetrics" not in found("ReadOnly", "false")
    assert found("ResourceName", made) == ["DeleteTrafficMirrorFilter", "CreateTrafficMirrorFilter"]
    assert found("ResourceName", target["TrafficMirrorTargetId"]) == ["CreateTrafficMirrorTarget"]
    assert found("ResourceType", "AWS::EC2::NetworkInterface") == ["CreateTrafficMirrorTarget"]
    assert "ListMetrics" in found("Username", "ann") and found("Username", "an") == []
    assert "ListMetrics" in found("AccessKeyId", f"AKIA{OWNER}") and found("AccessKeyId", "AKIA0") == []
    assert found("EventName", "Create") == []


def test_pages_times_and_accounts(lab: Audited, path: Path) -> None:
    trail, other = lab.client("cloudtrail"), lab.client("cloudtrail", "444455556666")
    for _ in range(60):
        lab.client("ec2").describe_regions()
    asked = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "DescribeRegions"}]}
    assert other.lookup_events(**asked)["Events"] == []
    with refused("InvalidTrafficMirrorFilterId.NotFound"):  # by another, and it names this account
        lab.client("ec2", "444455556666").delete_traffic_mirror_filter(TrafficMirrorFilterId=f"tmf-{OWNER}")
    assert "DeleteTrafficMirrorFilter" not in names(trail.lookup_events())
    pages = list(trail.get_paginator("lookup_events").paginate(**asked, PaginationConfig={"PageSize": 25}))
    assert [len(page["Events"]) for page in pages] == [25, 25, 10]
    written = [each["eventID"] for each in records(path) if each["eventName"] == "DescribeRegions"]
    assert [each["EventId"] for page in pages for each in page["Events"]] == written[::-1]
    assert len(trail.lookup_events(**asked)["Events"]) == 50
    lab.later = timedelta(hours=1)
    lab.client("ec2").describe_regions()
    middle = datetime.now(UTC) + timedelta(minutes=30)
    assert len(trail.lookup_events(**asked, StartTime=middle)["Events"]) == 1
    assert len(trail.lookup_events(**asked, EndTime=middle)["Events"]) == 50
    lab.later = timedelta(days=90, minutes=30)
    assert len(trail.lookup_events(**asked)["Events"]) == 1


def test_what_cannot_be_looked_up(lab: Audited) -> None:
    trail, now = lab.client("cloudtrail"), datetime.now(UTC)
    for _ in range(3):
        lab.client("ec2").describe_regions()
    one = {"AttributeKey": "EventName", "AttributeValue": "DescribeRegions"}
    token = trail.lookup_events(LookupAttributes=[one], MaxResults=1)["NextToken"]
    with refused("InvalidLookupAttributesException"):
        trail.lookup_events(LookupAttributes=[one, one])
    with refused("InvalidTimeRangeException"):
        trail.lookup_events(StartTime=now, EndTime=now - timedelta(seconds=1))
    with refused("InvalidNextTokenException"):
        trail.lookup_events(NextToken=token)
    with refused("ValidationException"):
        trail.lookup_events(MaxResults=51)
    assert trail.lookup_events(EventCategory="insight")["Events"] == []
    assert trail.exceptions.InvalidTimeRangeException
    unrecorded = Lab()
    with refused("UnsupportedOperationException", "--audit"):
        unrecorded.client("cloudtrail").lookup_events()


class Full(AuditFile):
    """One on a disk that is full while ``full``."""

    full = False

    def append(self, record: Mapping[str, Any]) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().append(record)


def test_nothing_is_done_that_could_not_be_recorded(path: Path) -> None:
    """Of a change that was made when the disk became full, the record is written before anything else is begun."""
    file = Full(path)
    lab = Audited(file)
    file.full = True
    for _ in range(2):
        with refused("ServiceUnavailable", "No space left", status=503):
            lab.client("ec2").create_traffic_mirror_filter()
    assert len(lab.records("filter")) == 1 and path.read_bytes() == b""
    file.full = False
    lab.client("ec2").describe_regions()
    assert [each["eventName"] for each in records(path)] == ["CreateTrafficMirrorFilter", "DescribeRegions"]
    assert records(path)[0]["responseElements"]
    file.close()


def test_the_file_is_bounded(path: Path) -> None:
    file = AuditFile(path, largest=4000)
    for number in range(1000):
        file.append({"number": number})
    kept = [each["number"] for each in file.newest_first()]
    file.close()
    sizes = [each.stat().st_size for each in (path, path.with_name("audit.jsonl.1"))]
    assert max(sizes) <= 4000 < sum(sizes) and len(list(path.parent.iterdir())) == 2
    assert kept == list(range(999, 999 - len(kept), -1)) and len(kept) * len('{"number": 999}\n') > 4000
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}


def test_a_file_is_added_to_and_a_torn_line_is_passed_over(path: Path) -> None:
    file = AuditFile(path)
    file.append({"number": 1})
    file.close()
    with path.open("ab") as torn:
        torn.write(b'{"number": 2, "ev')
    file = AuditFile(path)
    file.append({"number": 3})
    assert [each["number"] for each in file.newest_first()] == [3, 1]
    assert path.read_bytes().startswith(b'{"number": 1}\n{"number": 2, "ev\n')
    file.close()


def test_long_files_are_read_from_their_end(path: Path) -> None:
    file = AuditFile(path)
    with path.open("ab") as more:
        more.write(b"".join(b'{"number": %d, "text": "%s"}\n' % (number, b"x" * 999) for number in range(2500)))
    assert [each["number"] for each in file.newest_first()] == list(range(2499, -1, -1))
    file.close()


def test_files_that_cannot_be_one(path: Path, tmp_path: Path) -> None:
    file = AuditFile(path)
    with pytest.raises(UsageError, match="another server's audit file"):
        AuditFile(path)
    file.close()
    database = tmp_path / "state.sqlite"
    database.write_bytes(b"SQLite format 3\0")
    with pytest.raises(UsageError, match="something else than records"):
        AuditFile(database)
    assert database.read_bytes() == b"SQLite format 3\0"
    with pytest.raises(UsageError, match="no plain file"):
        AuditFile(tmp_path)
    with pytest.raises(UsageError, match=r"nowhere.*No such file"):
        AuditFile(tmp_path / "nowhere" / "audit.jsonl")


class Beyond(Audited):
    """What is no ``TrafficMirror`` is another server's, which says no to everybody who ends an instance."""

    def __init__(self, audit: AuditFile) -> None:
        super().__init__(audit)
        self._exchange._beyond = self._route

    def _route(self, service: str, request: Request) -> Route | None:
        asked = ask(service, request)
        if service == "cloudtrail" or "TrafficMirror" in asked.operation:
            return None
        return Route(asked.operation, ("POST",), partial(self._reply, asked), asked.recorded, not asked.reads)

    def _reply(self, asked: Asked, request: Request, call: Call) -> Response:
        if asked.operation == "RunInstances":
            raise ApiError("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)
        if asked.operation == "TerminateInstances":
            error = b"<Code>InvalidInstanceID.NotFound</Code><Message>There is no i-1</Message>"
            return Response(400, b"<Response><Errors><Error>" + error + b"</Error></Errors></Response>")
        return Response(200, b"<Answer/>")


def test_what_another_server_answers(path: Path) -> None:
    file = AuditFile(path)
    lab = Beyond(file)
    ec2 = lab.client("ec2")
    ec2.describe_instances(InstanceIds=["i-2"])
    ec2.create_subnet(VpcId="vpc-1", CidrBlock="10.0.0.0/24")
    with refused("InvalidInstanceID.NotFound"):
        ec2.terminate_instances(InstanceIds=["i-1"])
    with refused("UnauthorizedOperation", status=403):
        ec2.run_instances(MinCount=1, MaxCount=1, UserData="a secret", ClientToken="t")
    lab.client("iam").update_login_profile(UserName="bob", Password="a secret")
    read, made, gone, denied, password = records(path)
    assert (read["eventName"], read["readOnly"], read["requestParameters"]) == (
        "DescribeInstances",
        True,
        {"instanceId.1": "i-2"},
    )
    assert (made["eventName"], made["readOnly"], made["eventType"]) == ("CreateSubnet", False, "AwsApiCall")
    assert made["requestParameters"] == {"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/24"}
    assert set(FIELDS.split()) == set(made) and made["userIdentity"]["userName"] == "ann"
    assert gone["errorCode"] == "Client.InvalidInstanceID.NotFound" and gone["errorMessage"] == "There is no i-1"
    assert denied["errorCode"] == "Client.UnauthorizedOperation"
    assert (password["eventSource"], password["requestParameters"]) == ("iam.amazonaws.com", None)
    assert "a secret" not in path.read_text()
    found = lab.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "TerminateInstances"}]
    )
    assert names(found) == ["TerminateInstances"]
    file.close()


def test_sign_ins_are_looked_up_by_their_account(lab: Audited) -> None:
    caller = Caller(OWNER, f"arn:aws:iam::{OWNER}:user/ann", "AIDAEXAMPLE", "ann")
    recorder = Recorder(lab.settings.trail, "us-east-1")  # type: ignore[arg-type]
    for known, done in ((caller, True), (caller, False), (None, False)):
        recorder.note_sign_in(SignIn(known, "AKIA1", done, "192.0.2.1", "Mozilla/5.0", datetime.now(UTC), "http://h/"))
    sign_ins = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "ConsoleLogin"}]}
    found = lab.client("cloudtrail").lookup_events(**sign_ins)["Events"]
    results = [json.loads(each["CloudTrailEvent"])["responseElements"]["ConsoleLogin"] for each in found]
    assert results == ["Failure", "Success"]
    assert {(each["Username"], each["EventSource"], each["AccessKeyId"]) for each in found} == {
        ("ann", "signin.amazonaws.com", "AKIA1")
    }
    assert lab.client("cloudtrail", "444455556666").lookup_events(**sign_ins)["Events"] == []
