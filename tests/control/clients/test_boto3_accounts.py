"""Several accounts and users, and who may do what, through boto3: shared targets, IAM policies, signatures."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.auth
import pytest
from botocore import UNSIGNED

from tests.control.kits.inventory_kit import APPLICATION, OWNER, PARTNER, SCANNER, SECURITY, SECURITY_COLLECTOR, WEB
from tests.control.kits.serve_kit import ANYWHERE, REGION, make_filter, make_session, make_target
from tests.control.kits.server_kit import Cloud, error_of, ids, tags


def target_arn(target_id: str, account: str = SECURITY) -> str:
    return f"arn:aws:ec2:{REGION}:{account}:traffic-mirror-target/{target_id}"


def targets_of(cloud: Cloud, account: str) -> list[str]:
    return ids(cloud.client(account=account).describe_traffic_mirror_targets()["TrafficMirrorTargets"])


def sessions_of(cloud: Cloud, account: str) -> list[str]:
    return ids(cloud.client(account=account).describe_traffic_mirror_sessions()["TrafficMirrorSessions"])


def session_state(cloud: Cloud, session_id: str, profile: str) -> tuple[str, str | None]:
    """Whether the engine mirrors a session, and why not."""
    _, _, body = cloud.server.served.request("GET", "/halfsilver/status", profile=profile)
    return next(
        (each["state"], each["reason"])
        for interface in json.loads(body)["interfaces"]
        for each in interface["sessions"]
        if each["id"] == session_id
    )


# A target shared with another account.


def test_a_target_is_shared_accepted_used_and_taken_back(cloud: Cloud) -> None:
    """The guide's way, from "Share a traffic mirror target" to the deletion of the share and of the target."""
    owner, guest = cloud.client(account=SECURITY), cloud.client(account=PARTNER)
    sharer, receiver = cloud.client("ram", SECURITY), cloud.client("ram", PARTNER)
    target_id = make_target(owner, SECURITY_COLLECTOR)
    filter_id = make_filter(guest, 80)
    wish = {
        "NetworkInterfaceId": APPLICATION,
        "TrafficMirrorTargetId": target_id,
        "TrafficMirrorFilterId": filter_id,
        "SessionNumber": 1,
    }
    not_there = ("InvalidTrafficMirrorTargetId.NotFound", 400)
    assert error_of(guest.create_traffic_mirror_session, **wish)[:2] == not_there

    arn = sharer.create_resource_share(name="sensor", resourceArns=[target_arn(target_id)], principals=[PARTNER])[
        "resourceShare"
    ]["resourceShareArn"]
    assert targets_of(cloud, PARTNER) == []
    assert error_of(guest.create_traffic_mirror_session, **wish)[:2] == not_there
    (invitation,) = receiver.get_resource_share_invitations(resourceShareArns=[arn])["resourceShareInvitations"]
    assert (invitation["senderAccountId"], invitation["status"]) == (SECURITY, "PENDING")
    receiver.accept_resource_share_invitation(resourceShareInvitationArn=invitation["resourceShareInvitationArn"])
    with pytest.raises(receiver.exceptions.ResourceShareInvitationAlreadyAcceptedException):
        receiver.accept_resource_share_invitation(resourceShareInvitationArn=invitation["resourceShareInvitationArn"])

    assert targets_of(cloud, PARTNER) == [target_id]
    session_id = guest.create_traffic_mirror_session(**wish)["TrafficMirrorSession"]["TrafficMirrorSessionId"]
    assert sessions_of(cloud, SECURITY) == sessions_of(cloud, PARTNER) == [session_id]
    assert sessions_of(cloud, OWNER) == targets_of(cloud, OWNER) == []
    assert session_state(cloud, session_id, PARTNER) == ("active", None)
    for change, parameters in (
        (owner.delete_traffic_mirror_session, {}),
        (owner.modify_traffic_mirror_session, {"SessionNumber": 2}),
    ):
        assert error_of(change, TrafficMirrorSessionId=session_id, **parameters)[:2] == ("UnauthorizedOperation", 403)
    assert error_of(guest.delete_traffic_mirror_target, TrafficMirrorTargetId=target_id)[:2] == (
        "UnauthorizedOperation",
        403,
    )

    sharer.delete_resource_share(resourceShareArn=arn)
    assert targets_of(cloud, PARTNER) == [] and sessions_of(cloud, PARTNER) == [session_id]
    assert session_state(cloud, session_id, PARTNER) == ("stopped", f"{target_id} is no longer shared with {PARTNER}")
    owner.delete_traffic_mirror_target(TrafficMirrorTargetId=target_id)
    assert sessions_of(cloud, PARTNER) == [session_id]


def test_an_account_of_the_organisation_needs_no_invitation(cloud: Cloud) -> None:
    target_id = make_target(cloud.client(account=SECURITY), SECURITY_COLLECTOR)
    cloud.client("ram", SECURITY).create_resource_share(
        name="sensor", resourceArns=[target_arn(target_id)], principals=[OWNER], allowExternalPrincipals=False
    )
    assert cloud.client("ram").get_resource_share_invitations()["resourceShareInvitations"] == []
    ec2 = cloud.client()
    session_id = make_session(ec2, make_filter(ec2), target_id)
    assert sessions_of(cloud, SECURITY) == [session_id]


def test_the_owner_of_a_subnet_mirrors_what_others_have_in_it(cloud: Cloud) -> None:
    """And each sees its own sessions only, as the guide says of shared VPCs."""
    owner, participant = cloud.client(), cloud.client(account=SECURITY)
    first = make_session(owner, make_filter(owner), make_target(owner), eni_id=SCANNER)
    second = make_session(
        participant, make_filter(participant), make_target(participant, SECURITY_COLLECTOR), number=2, eni_id=SCANNER
    )
    assert (sessions_of(cloud, OWNER), sessions_of(cloud, SECURITY)) == ([first], [second])
    assert error_of(participant.delete_traffic_mirror_session, TrafficMirrorSessionId=first)[0] == (
        "InvalidTrafficMirrorSessionId.NotFound"
    )


# Users who may not do everything.


def test_the_guides_example_policy(cloud: Cloud) -> None:
    """A user may create sessions to one target only; the policy needs the session itself too, which it leaves out."""
    ec2 = cloud.client()
    filter_id, allowed, other = make_filter(ec2), make_target(ec2), make_target(ec2)

    def guide(*more: str) -> dict[str, Any]:
        return {
            "Effect": "Allow",
            "Action": "ec2:CreateTrafficMirrorSession",
            "Resource": [
                f"arn:aws:ec2:*:*:traffic-mirror-target/{allowed}",
                "arn:aws:ec2:*:*:traffic-mirror-filter/*",
                "arn:aws:ec2:*:*:network-interface/*",
                *more,
            ],
        }

    cloud.add_user("to-the-letter", guide())
    cloud.add_user("as-meant", guide("arn:aws:ec2:*:*:traffic-mirror-session/*"))
    wish = {"NetworkInterfaceId": WEB, "TrafficMirrorFilterId": filter_id, "SessionNumber": 1}
    strict = cloud.client(user="to-the-letter")
    code, status, message = error_of(strict.create_traffic_mirror_session, TrafficMirrorTargetId=allowed, **wish)
    assert (code, status) == ("UnauthorizedOperation", 403)
    assert message == (
        f"You are not authorized to perform this operation. User: arn:aws:iam::{OWNER}:user/to-the-letter is not "
        f"authorized to perform: ec2:CreateTrafficMirrorSession on resource: arn:aws:ec2:{REGION}:{OWNER}:"
        "traffic-mirror-session/* because no identity-based policy allows the ec2:CreateTrafficMirrorSession action"
    )
    user = cloud.client(user="as-meant")
    refused = error_of(user.create_traffic_mirror_session, TrafficMirrorTargetId=other, **wish)
    assert refused[:2] == ("UnauthorizedOperation", 403) and f"traffic-mirror-target/{other}" in refused[2]
    tagged = {**wish, "TrafficMirrorTargetId": allowed, "TagSpecifications": tags("session", a="b")}
    assert "ec2:CreateTags" in error_of(user.create_traffic_mirror_session, **tagged)[2]
    assert error_of(user.describe_traffic_mirror_sessions)[:2] == ("UnauthorizedOperation", 403)
    assert error_of(user.create_traffic_mirror_session, TrafficMirrorTargetId=allowed, DryRun=True, **wish)[0] == (
        "DryRunOperation"
    )
    assert error_of(user.create_traffic_mirror_session, TrafficMirrorTargetId=other, DryRun=True, **wish)[0] == (
        "UnauthorizedOperation"
    )
    user.create_traffic_mirror_session(TrafficMirrorTargetId=allowed, **wish)


def test_policies_by_tag_and_by_attribute(cloud: Cloud) -> None:
    """Deny goes before Allow; a team may change what has its tag; a variable stands for the user's name."""
    cloud.add_user(
        "ann",
        {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": ["ec2:Delete*", "ec2:Modify*"],
            "Resource": "*",
            "Condition": {"StringNotEquals": {"ec2:ResourceTag/owner": "${aws:username}"}},
        },
    )
    admin, ann = cloud.client(), cloud.client(user="ann")
    hers, another = (
        admin.create_traffic_mirror_filter(TagSpecifications=tags("filter", owner=name))["TrafficMirrorFilter"][
            "TrafficMirrorFilterId"
        ]
        for name in ("ann", "bob")
    )
    assert error_of(ann.delete_traffic_mirror_filter, TrafficMirrorFilterId=another)[:2] == (
        "UnauthorizedOperation",
        403,
    )
    assert (
        "explicit deny"
        in error_of(
            ann.modify_traffic_mirror_filter_network_services,
            TrafficMirrorFilterId=another,
            AddNetworkServices=["amazon-dns"],
        )[2]
    )
    ann.delete_traffic_mirror_filter(TrafficMirrorFilterId=hers)


def test_a_reader_reads_in_every_service_and_writes_in_none(cloud: Cloud) -> None:
    cloud.add_user(
        "reader",
        {"Effect": "Allow", "Resource": "*", "Action": ["ec2:Describe*", "elasticloadbalancing:Describe*", "ram:Get*"]},
    )
    make_filter(cloud.client())
    assert len(cloud.client(user="reader").describe_traffic_mirror_filters()["TrafficMirrorFilters"]) == 1
    assert cloud.client("elbv2", user="reader").describe_load_balancers()["LoadBalancers"]
    assert cloud.client("ram", user="reader").get_resource_shares(resourceOwner="SELF")["resourceShares"] == []
    assert cloud.client("sts", user="reader").get_caller_identity()["Arn"].endswith("user/reader")
    assert error_of(cloud.client(user="reader").create_traffic_mirror_filter)[:2] == ("UnauthorizedOperation", 403)
    assert error_of(cloud.client("ram", user="reader").create_resource_share, name="x")[:2] == (
        "AccessDeniedException",
        403,
    )
    cloud.add_user("nobody", {"Effect": "Deny", "Action": "*", "Resource": "*"})
    assert error_of(cloud.client("elbv2", user="nobody").describe_load_balancers)[:2] == ("AccessDenied", 403)


# Signatures.


CALLS = {
    "ec2": ("describe_regions", {}),
    "elbv2": ("describe_load_balancers", {}),
    "sts": ("get_caller_identity", {}),
    "ram": ("get_resource_shares", {"resourceOwner": "SELF"}),
}


def refusal(client: Any, service: str) -> tuple[str, int]:
    operation, parameters = CALLS[service]
    return error_of(getattr(client, operation), **parameters)[:2]


@pytest.mark.parametrize(
    ("service", "wrong_secret", "unknown_key", "wrong_region", "old", "unsigned"),
    [
        (
            "ec2",
            ("AuthFailure", 401),
            ("AuthFailure", 401),
            ("AuthFailure", 401),
            ("RequestExpired", 400),
            ("MissingAuthenticationToken", 403),
        ),
        (
            "elbv2",
            ("SignatureDoesNotMatch", 403),
            ("InvalidClientTokenId", 403),
            ("SignatureDoesNotMatch", 403),
            ("SignatureDoesNotMatch", 403),
            ("MissingAuthenticationToken", 403),
        ),
        (
            "sts",
            ("SignatureDoesNotMatch", 403),
            ("InvalidClientTokenId", 403),
            ("SignatureDoesNotMatch", 403),
            ("SignatureDoesNotMatch", 403),
            ("MissingAuthenticationToken", 403),
        ),
        (
            "ram",
            ("InvalidSignatureException", 403),
            ("UnrecognizedClientException", 403),
            ("InvalidSignatureException", 403),
            ("InvalidSignatureException", 403),
            ("MissingAuthenticationTokenException", 403),
        ),
    ],
)
def test_wrong_signatures(
    running_cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    wrong_secret: tuple[str, int],
    unknown_key: tuple[str, int],
    wrong_region: tuple[str, int],
    old: tuple[str, int],
    unsigned: tuple[str, int],
) -> None:
    """Each service has its own codes for them."""
    key_id, secret = running_cloud.keys[OWNER, "admin"]
    assert refusal(running_cloud.new_client(service, key=(key_id, secret[:-1] + "!")), service) == wrong_secret
    assert refusal(running_cloud.new_client(service, key=("AKIA" + "A" * 16, secret)), service) == unknown_key
    assert refusal(running_cloud.new_client(service, region="mars-north-1"), service) == wrong_region
    assert refusal(running_cloud.new_client(service, signature_version=UNSIGNED), service) == unsigned
    for skew, expected in ((timedelta(minutes=-16), old), (timedelta(minutes=16), old), (timedelta(minutes=14), None)):
        monkeypatch.setattr(
            botocore.auth,
            "get_current_datetime",
            lambda skew=skew, **_: (datetime.now(UTC) + skew).replace(tzinfo=None),
        )
        client = running_cloud.new_client(service)
        if expected is None:
            operation, parameters = CALLS[service]
            getattr(client, operation)(**parameters)
        else:
            assert refusal(client, service) == expected


def test_presigned_urls(cloud: Cloud) -> None:
    """What one user signs, anybody can send, as it is and for as long as it says."""

    def fetch(url: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    ec2 = cloud.client()
    wish = {"Description": "from <a> link", "ClientToken": "presigned"}
    url = ec2.generate_presigned_url("create_traffic_mirror_filter", wish, ExpiresIn=60, HttpMethod="GET")
    status, body = fetch(url)
    assert status == 200 and "<description>from &lt;a&gt; link</description>" in body
    assert fetch(url)[0] == 200
    (filter_,) = ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"]
    assert filter_["Description"] == "from <a> link"
    assert fetch(url.replace("link", "lint"))[0] == 401
    assert fetch(url + "&DryRun=true")[0] == 401
    identity = cloud.client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    assert f"<Account>{OWNER}</Account>" in fetch(identity)[1]


def test_a_key_that_is_taken_away_is_refused_at_once(cloud: Cloud) -> None:
    """Its owner need not stop the server to lock somebody out."""
    cloud.add_user("leaver", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    client = cloud.client(user="leaver")
    client.describe_regions()
    users = cloud.server.state / "keys.json"
    users.write_text(users.read_text().replace(cloud.keys[OWNER, "leaver"][0], "AKIA" + "B" * 16))
    assert error_of(client.describe_regions)[:2] == ("AuthFailure", 401)


def test_actions_of_rules_are_on_the_filter_too(cloud: Cloud) -> None:
    """Whoever may not touch a filter cannot do so by its rules."""
    ec2 = cloud.client()
    mine, locked = make_filter(ec2, 80), make_filter(ec2, 80)
    cloud.add_user(
        "rules",
        {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ec2:*", "Resource": f"arn:aws:ec2:*:*:traffic-mirror-filter/{locked}"},
    )
    user = cloud.client(user="rules")
    rule = {"TrafficDirection": "ingress", "RuleNumber": 5, "RuleAction": "accept", **ANYWHERE}
    user.create_traffic_mirror_filter_rule(TrafficMirrorFilterId=mine, **rule)
    assert error_of(user.create_traffic_mirror_filter_rule, TrafficMirrorFilterId=locked, **rule)[:2] == (
        "UnauthorizedOperation",
        403,
    )
    (rule_id,) = ids(ec2.describe_traffic_mirror_filter_rules(TrafficMirrorFilterId=locked)["TrafficMirrorFilterRules"])
    assert error_of(user.delete_traffic_mirror_filter_rule, TrafficMirrorFilterRuleId=rule_id)[0] == (
        "UnauthorizedOperation"
    )
