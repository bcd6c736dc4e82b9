"""RAM through boto3: shares, principals in and outside the organisation, invitations, lists, modelled errors."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.control.kits.inventory_kit import (
    COLLECTOR,
    ORGANISATION,
    OWNER,
    PARTNER,
    SECOND_COLLECTOR,
    SECURITY,
    Lab,
    example,
    refused,
)

NO_SHARE = f"arn:aws:ram:us-east-1:{OWNER}:resource-share/00000000-0000-4000-8000-000000000000"


@pytest.fixture
def lab():
    return Lab()


@pytest.fixture
def ram(lab):
    return lab.client("ram")


def new_target(lab, interface=COLLECTOR):
    """ARN of a new target of the owner."""
    target = lab.client("ec2").create_traffic_mirror_target(NetworkInterfaceId=interface)["TrafficMirrorTarget"]
    return f"arn:aws:ec2:us-east-1:{OWNER}:traffic-mirror-target/{target['TrafficMirrorTargetId']}"


def share(ram, **parameters):
    """ARN of a new share."""
    return ram.create_resource_share(**{"name": "taps", **parameters})["resourceShare"]["resourceShareArn"]


def principals(ram, arn):
    """Status and external flag of each principal of a share."""
    found = ram.get_resource_share_associations(associationType="PRINCIPAL", resourceShareArns=[arn])
    return {each["associatedEntity"]: (each["status"], each["external"]) for each in found["resourceShareAssociations"]}


def invitations(lab, account=PARTNER):
    found = lab.client("ram", account).get_resource_share_invitations()["resourceShareInvitations"]
    return [(each["resourceShareInvitationArn"], each["status"]) for each in found]


def shared_with(lab, account):
    found = lab.client("ram", account).list_resources(resourceOwner="OTHER-ACCOUNTS")["resources"]
    return [each["arn"] for each in found]


# Shares.


def test_a_new_share(ram):
    made = ram.create_resource_share(name="taps", tags=[{"key": "team", "value": "net"}])["resourceShare"]
    assert made["resourceShareArn"].startswith(f"arn:aws:ram:us-east-1:{OWNER}:resource-share/")
    assert (made["name"], made["owningAccountId"], made["status"]) == ("taps", OWNER, "ACTIVE")
    assert (made["allowExternalPrincipals"], made["tags"]) == (True, [{"key": "team", "value": "net"}])
    assert made["creationTime"] == made["lastUpdatedTime"]
    assert ram.get_resource_shares(resourceOwner="SELF")["resourceShares"] == [made]


def test_finding_shares(lab, ram):
    first = share(ram, tags=[{"key": "team", "value": "net"}])
    second = share(ram, name="others", tags=[{"key": "team", "value": "web"}])

    def found(**parameters):
        answer = ram.get_resource_shares(**{"resourceOwner": "SELF", **parameters})
        return [each["resourceShareArn"] for each in answer["resourceShares"]]

    assert found() == [first, second]
    assert found(name="others") == [second]
    assert found(resourceShareArns=[first]) == [first]
    assert found(tagFilters=[{"tagKey": "team", "tagValues": ["web", "x"]}]) == [second]
    assert found(tagFilters=[{"tagKey": "team"}]) == [first, second]
    assert found(resourceShareStatus="DELETED") == []
    assert found(resourceOwner="OTHER-ACCOUNTS") == []
    assert lab.client("ram", PARTNER).get_resource_shares(resourceOwner="SELF")["resourceShares"] == []
    with refused("UnknownResourceException", NO_SHARE):
        found(resourceShareArns=[NO_SHARE])
    with refused("MalformedArnException"):
        found(resourceShareArns=["x"])


def test_pages_of_shares(ram):
    made = [share(ram, name=f"share{number}") for number in range(7)]
    pages = list(
        ram.get_paginator("get_resource_shares").paginate(resourceOwner="SELF", PaginationConfig={"PageSize": 3})
    )
    assert [[each["resourceShareArn"] for each in page["resourceShares"]] for page in pages] == [
        made[:3],
        made[3:6],
        made[6:],
    ]
    with refused("InvalidNextTokenException"):
        ram.get_resource_shares(resourceOwner="SELF", nextToken="abc")
    with refused("InvalidNextTokenException"):
        ram.get_resource_shares(resourceOwner="OTHER-ACCOUNTS", nextToken=pages[0]["nextToken"])


def test_update_and_tags(ram):
    arn = share(ram)
    updated = ram.update_resource_share(resourceShareArn=arn, name="sensors")["resourceShare"]
    assert (updated["name"], updated["allowExternalPrincipals"]) == ("sensors", True)
    ram.tag_resource(resourceShareArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": ""}])
    ram.untag_resource(resourceShareArn=arn, tagKeys=["a", "c"])
    assert ram.get_resource_shares(resourceOwner="SELF")["resourceShares"][0]["tags"] == [{"key": "b", "value": ""}]
    with refused("MissingRequiredParameterException"):
        ram.update_resource_share(resourceShareArn=arn)
    with refused("UnknownResourceException"):
        ram.update_resource_share(resourceShareArn=NO_SHARE, name="x")
    with refused("InvalidParameterException"):
        ram.tag_resource(resourceShareArn=arn, tags=[{"key": "aws:x", "value": ""}])
    with refused("TagLimitExceededException"):
        ram.tag_resource(resourceShareArn=arn, tags=[{"key": str(number), "value": ""} for number in range(50)])
    with refused("InvalidParameterException"):
        ram.create_resource_share(name="")


def test_delete(lab, ram):
    arn = share(ram, resourceArns=[new_target(lab)], principals=[SECURITY, PARTNER])
    assert ram.delete_resource_share(resourceShareArn=arn)["returnValue"] is True
    assert [each["status"] for each in ram.get_resource_shares(resourceOwner="SELF")["resourceShares"]] == ["DELETED"]
    assert set(principals(ram, arn).values()) == {("DISASSOCIATED", False), ("DISASSOCIATED", True)}
    assert shared_with(lab, SECURITY) == []
    assert [status for _, status in invitations(lab)] == ["EXPIRED"]
    for again in (
        lambda: ram.delete_resource_share(resourceShareArn=arn),
        lambda: ram.associate_resource_share(resourceShareArn=arn, principals=[PARTNER]),
    ):
        with refused("UnknownResourceException", f"ResourceShare {arn} could not be found."):
            again()


def test_a_deleted_share_is_forgotten_after_two_hours(lab, ram):
    arn = share(ram, principals=[PARTNER])
    ram.delete_resource_share(resourceShareArn=arn)

    def shown():
        return [each["resourceShareArn"] for each in ram.get_resource_shares(resourceOwner="SELF")["resourceShares"]]

    kept = [share(ram)]
    assert shown() == [arn, *kept]
    lab.later = timedelta(hours=3)
    kept.append(share(ram))
    assert shown() == kept
    assert invitations(lab) == [] and lab.records("share-association") == []


# Resources and principals.


def test_the_same_organisation_needs_no_acceptance(lab, ram):
    target = new_target(lab)
    arn = share(ram, resourceArns=[target], principals=[SECURITY])
    assert principals(ram, arn) == {SECURITY: ("ASSOCIATED", False)}
    assert shared_with(lab, SECURITY) == [target]
    assert invitations(lab, SECURITY) == []


def test_a_whole_organisation(lab, ram):
    arn = share(ram, resourceArns=[new_target(lab)], principals=[ORGANISATION])
    assert principals(ram, arn) == {ORGANISATION: ("ASSOCIATED", False)}
    assert len(shared_with(lab, SECURITY)) == 1
    assert shared_with(lab, PARTNER) == []
    (seen,) = lab.client("ram", SECURITY).get_resource_shares(resourceOwner="OTHER-ACCOUNTS")["resourceShares"]
    assert (seen["resourceShareArn"], seen["owningAccountId"], "tags" in seen) == (arn, OWNER, False)


UNIT = "arn:aws:organizations::999988887777:ou/o-halfsilver01/ou-ab12-{}"
TEAMS, TAPS, ELSEWHERE = (UNIT.format(name) for name in ("teams0000", "taps00000", "nobody000"))


def in_units(taps=True):
    """The example, where two accounts of the organisation are in units, one of them in a unit of a unit."""
    documents = example()
    inner = "/ou-ab12-taps00000" if taps else ""
    for account in documents["Accounts"]:
        if account["Id"] == SECURITY:
            account["Paths"] = [f"o-halfsilver01/r-ab12/ou-ab12-teams0000{inner}/{SECURITY}/"]
        if account["Id"] == OWNER:
            account["Paths"] = [f"o-halfsilver01/r-ab12/ou-ab12-other0000/{OWNER}/"]
    return documents


@pytest.mark.parametrize("unit", [TEAMS, TAPS])
def test_a_unit_of_the_organisation(unit):
    lab = Lab(in_units())
    ram = lab.client("ram")
    arn = share(ram, resourceArns=[new_target(lab)], principals=[unit])
    assert principals(ram, arn) == {unit: ("ASSOCIATED", False)}
    assert len(shared_with(lab, SECURITY)) == 1 and shared_with(lab, PARTNER) == []
    (seen,) = lab.client("ram", SECURITY).get_resource_shares(resourceOwner="OTHER-ACCOUNTS")["resourceShares"]
    assert seen["resourceShareArn"] == arn
    lab.synchronize(in_units(taps=False))
    assert len(shared_with(lab, SECURITY)) == (1 if unit == TEAMS else 0)  # it has left the inner one
    ram.disassociate_resource_share(resourceShareArn=arn, principals=[unit])
    assert shared_with(lab, SECURITY) == []


def test_units_that_are_none_of_the_owners_organisation():
    ram = Lab(in_units()).client("ram")
    for unit in (ELSEWHERE, TEAMS.replace("halfsilver01", "halfsilver02")):
        with refused("UnknownResourceException", "could not be found"):
            share(ram, principals=[unit])
    with refused("InvalidParameterException", "malformed"):
        share(ram, principals=[TEAMS + "/x"])
    partner = Lab(in_units()).client("ram", PARTNER)
    with refused("UnknownResourceException"):
        share(partner, principals=[TEAMS])


def test_an_account_elsewhere_has_to_accept(lab, ram):
    target = new_target(lab)
    arn = share(ram, resourceArns=[target], principals=[PARTNER])
    partner = lab.client("ram", PARTNER)
    assert principals(ram, arn) == {PARTNER: ("ASSOCIATING", True)}
    assert shared_with(lab, PARTNER) == []
    assert partner.get_resource_shares(resourceOwner="OTHER-ACCOUNTS")["resourceShares"] == []
    (invitation,) = partner.get_resource_share_invitations(resourceShareArns=[arn])["resourceShareInvitations"]
    assert (invitation["senderAccountId"], invitation["receiverAccountId"]) == (OWNER, PARTNER)
    assert (invitation["resourceShareName"], invitation["status"]) == ("taps", "PENDING")
    assert ram.get_resource_share_invitations()["resourceShareInvitations"] == []
    name = invitation["resourceShareInvitationArn"]
    accepted = partner.accept_resource_share_invitation(resourceShareInvitationArn=name)["resourceShareInvitation"]
    assert accepted["status"] == "ACCEPTED"
    assert principals(ram, arn) == {PARTNER: ("ASSOCIATED", True)}
    assert shared_with(lab, PARTNER) == [target]
    for call in (partner.accept_resource_share_invitation, partner.reject_resource_share_invitation):
        with refused("ResourceShareInvitationAlreadyAcceptedException", name):
            call(resourceShareInvitationArn=name)


def test_two_accounts_in_no_organisation_are_not_in_the_same(lab):
    partner = lab.client("ram", PARTNER)
    arn = share(partner, principals=["999999999999"])
    assert principals(partner, arn) == {"999999999999": ("ASSOCIATING", True)}


def test_an_invitation_rejected_and_repeated(lab, ram):
    arn = share(ram, principals=[PARTNER])
    partner = lab.client("ram", PARTNER)
    ((name, _),) = invitations(lab)
    partner.reject_resource_share_invitation(resourceShareInvitationArn=name)
    assert principals(ram, arn) == {PARTNER: ("FAILED", True)}
    with refused("ResourceShareInvitationAlreadyRejectedException"):
        partner.accept_resource_share_invitation(resourceShareInvitationArn=name)
    ram.associate_resource_share(resourceShareArn=arn, principals=[PARTNER])
    assert [status for _, status in invitations(lab)] == ["REJECTED", "PENDING"]
    ram.associate_resource_share(resourceShareArn=arn, principals=[PARTNER])
    assert len(invitations(lab)) == 2
    assert principals(ram, arn) == {PARTNER: ("ASSOCIATING", True)}


def test_an_invitation_expires_after_seven_days(lab, ram):
    arn = share(ram, principals=[PARTNER])
    ((name, _),) = invitations(lab)
    lab.later = timedelta(days=7, minutes=1)
    assert invitations(lab) == [(name, "EXPIRED")]
    with refused("ResourceShareInvitationExpiredException"):
        lab.client("ram", PARTNER).accept_resource_share_invitation(resourceShareInvitationArn=name)
    ram.associate_resource_share(resourceShareArn=arn, principals=[PARTNER])
    assert [status for _, status in invitations(lab)] == ["EXPIRED", "PENDING"]


def test_invitations_of_others_do_not_exist(lab, ram):
    share(ram, principals=[PARTNER])
    ((name, _),) = invitations(lab)
    for client in (ram, lab.client("ram", SECURITY)):
        with refused("ResourceShareInvitationArnNotFoundException"):
            client.accept_resource_share_invitation(resourceShareInvitationArn=name)
        with refused("ResourceShareInvitationArnNotFoundException"):
            client.get_resource_share_invitations(resourceShareInvitationArns=[name])
    with refused("MalformedArnException"):
        ram.accept_resource_share_invitation(resourceShareInvitationArn="x")
    with refused("UnknownResourceException"):
        ram.get_resource_share_invitations(resourceShareArns=[NO_SHARE])


@pytest.mark.parametrize(
    ("principal", "code", "message"),
    [
        (
            "o-halfsilver01",
            "InvalidParameterException",
            "Principal ID o-halfsilver01 is malformed. Verify the ID and try again.",
        ),
        (
            "arn:aws:organizations::999988887777:organization/o-otherother1",
            "UnknownResourceException",
            "Organization o-otherother1 could not be found.",
        ),
        (
            "arn:aws:organizations::999988887777:ou/o-halfsilver01/ou-abcd-12345678",
            "UnknownResourceException",
            "could not be found",
        ),
        ("arn:aws:iam::444455556666:user/ann", "InvalidParameterException", "malformed"),
        ("44445555666", "InvalidParameterException", "malformed"),
        ("４４４４５５５５６６６６", "InvalidParameterException", "malformed"),
        (OWNER, "InvalidParameterException", "owns the resource share"),
    ],
)
def test_principals_that_cannot_be(lab, ram, principal, code, message):
    with refused(code, message):
        ram.create_resource_share(name="taps", principals=[PARTNER, principal])
    arn = share(ram)
    with refused(code, message):
        ram.associate_resource_share(resourceShareArn=arn, principals=[principal])


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ("tmt-00000000000000000", "MalformedArnException"),
        (f"arn:aws:ec2:us-east-1:{OWNER}:subnet/subnet-0a1b2c3d4e5f60001", "MalformedArnException"),
        (f"arn:aws:ec2:us-east-1:{OWNER}:traffic-mirror-target/tmt-00000000000000000", "UnknownResourceException"),
    ],
)
def test_resources_that_cannot_be_shared(ram, resource, code):
    with refused(code):
        ram.create_resource_share(name="taps", resourceArns=[resource])


def test_only_the_owner_of_a_target_shares_it(lab):
    target = new_target(lab)
    for arn in (target, target.replace(OWNER, SECURITY), target.replace("us-east-1", "eu-west-1")):
        with refused("UnknownResourceException"):
            lab.client("ram", SECURITY).create_resource_share(name="taps", resourceArns=[arn])


def test_a_share_for_the_organisation_only(lab, ram):
    arn = share(ram, allowExternalPrincipals=False, principals=[SECURITY])
    with refused("OperationNotPermittedException", "can only be shared within your AWS Organization"):
        ram.associate_resource_share(resourceShareArn=arn, principals=[PARTNER])
    ram.update_resource_share(resourceShareArn=arn, allowExternalPrincipals=True)
    ram.associate_resource_share(resourceShareArn=arn, principals=[PARTNER])
    with refused("OperationNotPermittedException"):
        ram.update_resource_share(resourceShareArn=arn, allowExternalPrincipals=False)


def test_associate_and_disassociate(lab, ram):
    first, second = new_target(lab), new_target(lab, SECOND_COLLECTOR)
    arn = share(ram)
    made = ram.associate_resource_share(
        resourceShareArn=arn, resourceArns=[first, second, first], principals=[SECURITY]
    )["resourceShareAssociations"]
    assert [
        (each["associatedEntity"], each["associationType"], each["status"], each["resourceShareName"]) for each in made
    ] == [
        (first, "RESOURCE", "ASSOCIATED", "taps"),
        (second, "RESOURCE", "ASSOCIATED", "taps"),
        (SECURITY, "PRINCIPAL", "ASSOCIATED", "taps"),
    ]
    assert shared_with(lab, SECURITY) == [first, second]
    gone = ram.disassociate_resource_share(resourceShareArn=arn, resourceArns=[first])["resourceShareAssociations"]
    assert [(each["associatedEntity"], each["status"]) for each in gone] == [(first, "DISASSOCIATED")]
    assert shared_with(lab, SECURITY) == [second]
    with refused("UnknownResourceException", f"{first} is not associated"):
        ram.disassociate_resource_share(resourceShareArn=arn, resourceArns=[first])
    ram.associate_resource_share(resourceShareArn=arn, resourceArns=[first])
    assert shared_with(lab, SECURITY) == [first, second]
    for call in (ram.associate_resource_share, ram.disassociate_resource_share):
        with refused("InvalidParameterException"):
            call(resourceShareArn=arn)
        with refused("InvalidParameterException"):
            call(resourceShareArn=arn, sources=[OWNER])


def test_nothing_is_kept_of_a_share_that_is_refused(lab, ram):
    with refused("UnknownResourceException"):
        ram.create_resource_share(
            name="taps",
            principals=[PARTNER],
            resourceArns=[
                new_target(lab),
                f"arn:aws:ec2:us-east-1:{OWNER}:traffic-mirror-target/tmt-00000000000000000",
            ],
        )
    assert lab.records("resource-share") == lab.records("share-association") == lab.records("share-invitation") == []


@pytest.mark.parametrize(
    ("account", "code"), [(SECURITY, "OperationNotPermittedException"), (PARTNER, "UnknownResourceException")]
)
def test_others_cannot_change_a_share(lab, ram, account, code):
    arn = share(ram, principals=[SECURITY])
    other = lab.client("ram", account)
    for operation, parameters in (
        ("update_resource_share", {"name": "mine"}),
        ("associate_resource_share", {"principals": [account]}),
        ("disassociate_resource_share", {"principals": [SECURITY, PARTNER]}),
        ("delete_resource_share", {}),
    ):
        with refused(code):
            getattr(other, operation)(resourceShareArn=arn, **parameters)
    with refused("UnknownResourceException"):
        other.tag_resource(resourceShareArn=arn, tags=[{"key": "a", "value": ""}])
    assert principals(ram, arn) == {SECURITY: ("ASSOCIATED", False)}


def test_a_principal_leaves(lab, ram):
    arn = share(ram, resourceArns=[new_target(lab)], principals=[PARTNER, SECURITY])
    partner = lab.client("ram", PARTNER)
    with refused("UnknownResourceException"):
        partner.disassociate_resource_share(resourceShareArn=arn, principals=[PARTNER])
    partner.accept_resource_share_invitation(resourceShareInvitationArn=invitations(lab)[0][0])
    partner.disassociate_resource_share(resourceShareArn=arn, principals=[PARTNER])
    assert shared_with(lab, PARTNER) == []
    assert principals(ram, arn)[PARTNER] == ("DISASSOCIATED", True)
    with refused("OperationNotPermittedException"):
        lab.client("ram", SECURITY).disassociate_resource_share(resourceShareArn=arn, principals=[SECURITY])
    assert len(shared_with(lab, SECURITY)) == 1


# Lists.


def test_lists_of_the_owner(lab, ram):
    first, second = new_target(lab), new_target(lab, SECOND_COLLECTOR)
    one = share(ram, resourceArns=[first], principals=[SECURITY])
    two = share(ram, name="more", resourceArns=[first, second], principals=[ORGANISATION, PARTNER])

    def resources(**parameters):
        found = ram.list_resources(resourceOwner="SELF", **parameters)["resources"]
        return [(each["arn"], each["resourceShareArn"]) for each in found]

    assert resources() == [(first, one), (first, two), (second, two)]
    assert resources(principal=SECURITY) == [(first, one)]
    assert resources(resourceArns=[second]) == [(second, two)]
    assert resources(resourceShareArns=[one], resourceType="ec2:TrafficMirrorTarget") == [(first, one)]
    shown = ram.list_resources(resourceOwner="SELF")["resources"][0]
    assert (shown["type"], shown["status"]) == ("ec2:TrafficMirrorTarget", "AVAILABLE")

    def parties(**parameters):
        found = ram.list_principals(resourceOwner="SELF", **parameters)["principals"]
        return [(each["id"], each["resourceShareArn"], each["external"]) for each in found]

    assert parties() == [(SECURITY, one, False), (ORGANISATION, two, False)]
    assert parties(resourceArn=second) == [(ORGANISATION, two, False)]
    assert parties(principals=[SECURITY]) == [(SECURITY, one, False)]
    for call, code in (
        (ram.list_resources, "InvalidResourceTypeException"),
        (ram.list_principals, "InvalidParameterException"),
    ):
        with refused(code):
            call(resourceOwner="SELF", resourceType="ec2:Subnet")


def test_lists_of_a_principal(lab, ram):
    arn = share(ram, resourceArns=[new_target(lab)], principals=[SECURITY])
    security = lab.client("ram", SECURITY)
    (owner,) = security.list_principals(resourceOwner="OTHER-ACCOUNTS")["principals"]
    assert (owner["id"], owner["resourceShareArn"], owner["external"]) == (OWNER, arn, False)
    assert security.list_resources(resourceOwner="SELF")["resources"] == []
    assert ram.list_principals(resourceOwner="OTHER-ACCOUNTS")["principals"] == []


def test_associations(lab, ram):
    target = new_target(lab)
    arn = share(ram, resourceArns=[target], principals=[SECURITY, PARTNER])

    def found(kind, **parameters):
        answer = ram.get_resource_share_associations(associationType=kind, **parameters)
        return [each["associatedEntity"] for each in answer["resourceShareAssociations"]]

    assert found("RESOURCE") == found("RESOURCE", resourceArn=target) == [target]
    assert found("PRINCIPAL", associationStatus="ASSOCIATING") == [PARTNER]
    assert found("PRINCIPAL", principal=SECURITY, resourceShareArns=[arn]) == [SECURITY]
    assert found("SOURCE") == []
    for kind, wrong in (("RESOURCE", {"principal": SECURITY}), ("PRINCIPAL", {"resourceArn": target})):
        with refused("InvalidParameterException"):
            found(kind, **wrong)
    assert (
        lab.client("ram", SECURITY).get_resource_share_associations(associationType="RESOURCE")[
            "resourceShareAssociations"
        ]
        == []
    )


def test_resource_types_and_permissions(ram):
    assert ram.list_resource_types()["resourceTypes"] == [
        {"resourceType": "ec2:TrafficMirrorTarget", "serviceName": "ec2", "resourceRegionScope": "REGIONAL"}
    ]
    assert ram.list_resource_types(resourceRegionScope="GLOBAL")["resourceTypes"] == []
    assert ram.list_resource_share_permissions(resourceShareArn=share(ram))["permissions"] == []
    with refused("InvalidParameterException"):
        ram.create_resource_share(name="taps", permissionArns=[f"arn:aws:ram::{OWNER}:permission/mine"])


def test_the_exceptions_that_boto3_models(lab, ram):
    with pytest.raises(ram.exceptions.UnknownResourceException):
        ram.delete_resource_share(resourceShareArn=NO_SHARE)
    with pytest.raises(ram.exceptions.ResourceShareInvitationArnNotFoundException):
        ram.accept_resource_share_invitation(
            resourceShareInvitationArn=NO_SHARE.replace("resource-share", "resource-share-invitation")
        )
