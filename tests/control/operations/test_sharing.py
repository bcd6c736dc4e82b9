"""Targets shared between accounts, through boto3: who sees, uses, changes; what happens when sharing ends."""

from __future__ import annotations

import pytest

from tests.control.kits.inventory_kit import (
    APPLICATION,
    BATCH,
    COLLECTOR,
    OWNER,
    PARTNER,
    SCANNER,
    SECOND_COLLECTOR,
    SECURITY,
    WEB,
    Lab,
    example,
    refused,
)

HIDDEN = "InvalidTrafficMirrorTargetId.NotFound"


class Accounts(Lab):
    """The inventory with a target of the owner, a filter in each account and a share without principals."""

    def __init__(self):
        super().__init__()
        self.filters = {
            account: self.ec2(account).create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
            for account in (OWNER, SECURITY, PARTNER)
        }
        self.target = self.new_target(COLLECTOR)
        self.share = self.client("ram").create_resource_share(name="taps", resourceArns=[self.arn(self.target)])[
            "resourceShare"
        ]["resourceShareArn"]

    def ec2(self, account=OWNER):
        return self.client("ec2", account)

    def new_target(self, interface):
        made = self.ec2().create_traffic_mirror_target(
            NetworkInterfaceId=interface,
            TagSpecifications=[{"ResourceType": "traffic-mirror-target", "Tags": [{"Key": "Name", "Value": "tap"}]}],
        )
        return made["TrafficMirrorTarget"]["TrafficMirrorTargetId"]

    def arn(self, target):
        return f"arn:aws:ec2:us-east-1:{OWNER}:traffic-mirror-target/{target}"

    def let_in(self, account):
        """Make an account a principal, and have it accept where it must."""
        self.client("ram").associate_resource_share(resourceShareArn=self.share, principals=[account])
        ram = self.client("ram", account)
        for each in ram.get_resource_share_invitations()["resourceShareInvitations"]:
            if each["status"] == "PENDING":
                ram.accept_resource_share_invitation(resourceShareInvitationArn=each["resourceShareInvitationArn"])

    def mirror(self, account, interface, number=1, target=None):
        """Id of a new session."""
        return self.ec2(account).create_traffic_mirror_session(
            NetworkInterfaceId=interface,
            TrafficMirrorTargetId=target or self.target,
            SessionNumber=number,
            TrafficMirrorFilterId=self.filters[account],
        )["TrafficMirrorSession"]["TrafficMirrorSessionId"]

    def targets(self, account):
        found = self.ec2(account).describe_traffic_mirror_targets()["TrafficMirrorTargets"]
        return [each["TrafficMirrorTargetId"] for each in found]

    def sessions(self, account):
        found = self.ec2(account).describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
        return [each["TrafficMirrorSessionId"] for each in found]


@pytest.fixture
def lab():
    return Accounts()


# Access.


def test_a_target_is_its_owners_until_it_is_shared(lab):
    assert lab.targets(OWNER) == [lab.target]
    for account, interface in ((SECURITY, SCANNER), (PARTNER, APPLICATION)):
        assert lab.targets(account) == []
        with refused(HIDDEN):
            lab.mirror(account, interface)


def test_an_account_of_the_organisation_uses_it_at_once(lab):
    lab.client("ram").associate_resource_share(resourceShareArn=lab.share, principals=[SECURITY])
    assert lab.targets(SECURITY) == [lab.target]
    session = lab.mirror(SECURITY, SCANNER)
    assert lab.sessions(SECURITY) == lab.sessions(OWNER) == [session]
    assert lab.targets(PARTNER) == lab.sessions(PARTNER) == []
    assert lab.stopped() == {}


def test_an_account_elsewhere_uses_it_when_it_has_accepted(lab):
    lab.client("ram").associate_resource_share(resourceShareArn=lab.share, principals=[PARTNER])
    assert lab.targets(PARTNER) == []
    with refused(HIDDEN):
        lab.mirror(PARTNER, APPLICATION)
    lab.let_in(PARTNER)
    assert lab.targets(PARTNER) == [lab.target]
    assert lab.mirror(PARTNER, APPLICATION) in lab.sessions(OWNER)


def test_a_shared_target_is_seen_without_its_tags(lab):
    lab.let_in(PARTNER)
    (own,) = lab.ec2().describe_traffic_mirror_targets()["TrafficMirrorTargets"]
    (seen,) = lab.ec2(PARTNER).describe_traffic_mirror_targets(TrafficMirrorTargetIds=[lab.target])[
        "TrafficMirrorTargets"
    ]
    assert (own.pop("Tags"), seen.pop("Tags")) == ([{"Key": "Name", "Value": "tap"}], [])
    assert seen == own and seen["OwnerId"] == OWNER


def test_only_its_owner_deletes_a_target(lab):
    with refused(HIDDEN):
        lab.ec2(PARTNER).delete_traffic_mirror_target(TrafficMirrorTargetId=lab.target)
    lab.let_in(PARTNER)
    with refused("UnauthorizedOperation", lab.target, 403):
        lab.ec2(PARTNER).delete_traffic_mirror_target(TrafficMirrorTargetId=lab.target)
    assert lab.targets(OWNER) == [lab.target]


def test_only_its_owner_tags_a_target(lab):
    named = {"Resources": [lab.target], "Tags": [{"Key": "a", "Value": "b"}]}
    for change in ("create_tags", "delete_tags"):
        with refused(HIDDEN):
            getattr(lab.ec2(PARTNER), change)(**named)
    lab.let_in(PARTNER)
    for change in ("create_tags", "delete_tags"):
        with refused("UnauthorizedOperation", lab.target, 403):
            getattr(lab.ec2(PARTNER), change)(**named)


def test_the_targets_owner_sees_foreign_sessions_and_cannot_change_them(lab):
    lab.let_in(PARTNER)
    session = lab.mirror(PARTNER, APPLICATION)
    (seen,) = lab.ec2().describe_traffic_mirror_sessions(Filters=[{"Name": "owner-id", "Values": [PARTNER]}])[
        "TrafficMirrorSessions"
    ]
    assert (seen["TrafficMirrorSessionId"], seen["NetworkInterfaceId"]) == (session, APPLICATION)
    with refused("UnauthorizedOperation", session, 403):
        lab.ec2().modify_traffic_mirror_session(TrafficMirrorSessionId=session, SessionNumber=2)
    with refused("UnauthorizedOperation", session, 403):
        lab.ec2().delete_traffic_mirror_session(TrafficMirrorSessionId=session)
    with refused("InvalidTrafficMirrorSessionId.NotFound"):
        lab.ec2(SECURITY).delete_traffic_mirror_session(TrafficMirrorSessionId=session)
    assert lab.sessions(OWNER) == lab.sessions(PARTNER) == [session]


def test_the_source_must_be_the_callers_or_in_its_subnet(lab):
    lab.let_in(PARTNER)
    lab.let_in(SECURITY)
    for account, interface in ((PARTNER, WEB), (SECURITY, BATCH), (OWNER, APPLICATION)):
        with refused("InvalidNetworkInterfaceID.NotFound", interface):
            lab.mirror(account, interface)
    in_its_subnet = lab.mirror(OWNER, SCANNER, 1)
    lab.mirror(SECURITY, SCANNER, 2)
    assert in_its_subnet not in lab.sessions(SECURITY)


# The end of access.


def end_by_disassociating_the_account(lab):
    lab.client("ram").disassociate_resource_share(resourceShareArn=lab.share, principals=[PARTNER])


def end_by_disassociating_the_target(lab):
    lab.client("ram").disassociate_resource_share(resourceShareArn=lab.share, resourceArns=[lab.arn(lab.target)])


def end_by_deleting_the_share(lab):
    lab.client("ram").delete_resource_share(resourceShareArn=lab.share)


def end_by_leaving(lab):
    lab.client("ram", PARTNER).disassociate_resource_share(resourceShareArn=lab.share, principals=[PARTNER])


@pytest.mark.parametrize(
    "end",
    [end_by_disassociating_the_account, end_by_disassociating_the_target, end_by_deleting_the_share, end_by_leaving],
)
def test_sessions_stay_and_stop_when_sharing_ends(lab, end):
    lab.let_in(PARTNER)
    lab.mirror(OWNER, WEB)
    session = lab.mirror(PARTNER, APPLICATION)
    end(lab)
    assert lab.stopped() == {session: f"{lab.target} is no longer shared with {PARTNER}"}
    assert lab.targets(PARTNER) == []
    assert session in lab.sessions(PARTNER) and session in lab.sessions(OWNER)
    with refused(HIDDEN):
        lab.mirror(PARTNER, APPLICATION, 2)


def test_a_session_goes_on_when_it_is_modified_after_access_is_back(lab):
    lab.let_in(PARTNER)
    session = lab.mirror(PARTNER, APPLICATION)
    end_by_disassociating_the_account(lab)
    partner = lab.ec2(PARTNER)
    partner.modify_traffic_mirror_session(TrafficMirrorSessionId=session, Description="still waiting")
    assert set(lab.stopped()) == {session}
    lab.let_in(PARTNER)
    assert set(lab.stopped()) == {session}
    partner.modify_traffic_mirror_session(TrafficMirrorSessionId=session, TrafficMirrorTargetId=lab.target)
    assert lab.stopped() == {}


def test_a_second_share_keeps_the_session_going(lab):
    lab.let_in(PARTNER)
    lab.client("ram").create_resource_share(name="again", resourceArns=[lab.arn(lab.target)], principals=[PARTNER])
    lab.let_in(PARTNER)
    lab.mirror(PARTNER, APPLICATION)
    end_by_deleting_the_share(lab)
    assert lab.stopped() == {} and lab.targets(PARTNER) == [lab.target]


def test_deleting_a_shared_target_in_use_stops_the_sessions_of_others(lab):
    lab.let_in(PARTNER)
    session = lab.mirror(PARTNER, APPLICATION)
    lab.ec2().delete_traffic_mirror_target(TrafficMirrorTargetId=lab.target)
    assert lab.stopped() == {session: f"{lab.target} was deleted by its owner {OWNER}"}
    assert (lab.sessions(PARTNER), lab.sessions(OWNER)) == ([session], [])
    assert lab.client("ram").list_resources(resourceOwner="SELF")["resources"] == []
    other = lab.new_target(SECOND_COLLECTOR)
    lab.client("ram").associate_resource_share(resourceShareArn=lab.share, resourceArns=[lab.arn(other)])
    lab.ec2(PARTNER).modify_traffic_mirror_session(TrafficMirrorSessionId=session, TrafficMirrorTargetId=other)
    assert lab.stopped() == {} and lab.sessions(OWNER) == [session]


def test_a_shared_target_that_its_owner_uses_is_not_deleted(lab):
    lab.let_in(PARTNER)
    lab.mirror(PARTNER, APPLICATION)
    own = lab.mirror(OWNER, WEB)
    with refused("TrafficMirrorTargetInUse", f"Target is in use by {own}"):
        lab.ec2().delete_traffic_mirror_target(TrafficMirrorTargetId=lab.target)
    assert lab.stopped() == {}


def test_an_account_that_leaves_the_organisation_loses_what_the_organisation_was_given(lab):
    organisation = "arn:aws:organizations::999988887777:organization/o-halfsilver01"
    lab.client("ram").associate_resource_share(resourceShareArn=lab.share, principals=[organisation])
    session = lab.mirror(SECURITY, SCANNER)
    documents = example()
    del documents["Accounts"][1]["OrganizationId"]
    lab.synchronize(documents)
    assert lab.stopped() == {session: f"{lab.target} is no longer shared with {SECURITY}"}
