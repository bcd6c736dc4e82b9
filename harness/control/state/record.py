"""One object of the store, and the kinds of objects that there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Kind", "Record"]


class Kind(StrEnum):
    """What a record is, as the database has it. What EC2 calls the kinds is in ``operations.identifiers``."""

    # From the inventory file.
    ACCOUNT = "account"
    ZONE = "zone"
    VPC = "vpc"
    SUBNET = "subnet"
    INTERFACE = "interface"
    INSTANCE = "instance"
    ENDPOINT = "endpoint"
    LOAD_BALANCER = "load-balancer"
    LISTENER = "listener"
    TARGET_GROUP = "target-group"
    SECURITY_GROUP = "security-group"
    NETWORK_ACL = "network-acl"
    ROUTE_TABLE = "route-table"
    # Made by clients.
    FILTER = "filter"
    RULE = "rule"
    TARGET = "target"
    SESSION = "session"
    RESOURCE_SHARE = "resource-share"
    SHARE_ASSOCIATION = "share-association"
    SHARE_INVITATION = "share-invitation"
    ALARM = "alarm"
    ALARM_HISTORY = "alarm-history"
    # Of the server itself.
    TOKEN = "token"
    # Never stored: what Describe operations list as if it were.
    REGION = "region"
    TAG = "tag"
    QUOTA = "quota"
    INSTANCE_TYPE = "instance-type"
    VOLUME = "volume"


@dataclass(slots=True)
class Record:
    """One object of the store.

    id        AWS's id, or ARN where that is the id; unique over all kinds and accounts
    account   the owner
    document  the object as AWS describes it, without its tags (``Tags``, ``TagSet``) and without what other records say
              (a filter's rules)
    tags      in the order in which they were made
    parent    what it belongs to: the filter of a rule, the source interface of a session; else ""
    slot      unique beside ``kind`` and ``parent`` where not "": the number of a session, direction and number of a
              rule. This is what makes exactly one of two simultaneous requests win.
    note      what AWS's API has no place for, e.g. why a session is stopped
    """

    kind: Kind
    id: str
    account: str
    document: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    parent: str = ""
    slot: str = ""
    note: dict[str, Any] = field(default_factory=dict)
    serial: int = 0
    """Order of creation, set by the store; paging goes by it."""

    def copy(self) -> Record:
        """The same for somebody else, whose changes of members this one does not see."""
        return Record(
            self.kind,
            self.id,
            self.account,
            dict(self.document),
            dict(self.tags),
            self.parent,
            self.slot,
            dict(self.note),
            self.serial,
        )
