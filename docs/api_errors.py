"""What the errors of the API mean, by the services that send them. The statuses come from the code."""

from __future__ import annotations

__all__ = ["ERRORS"]

ERRORS = {
    "every service": {
        "InternalError": "a mistake of the server; its log has the request id and where it happened",
        "InvalidHttpRequest": "`Content-Length` together with `Transfer-Encoding`; EC2 (405): another method than GET "
        "and POST",
        "RequestEntityTooLarge": "the body is too long",
        "RequestHeaderSectionTooLarge": "path, query string and headers are too long together",
        "RequestTimeout": "the body did not arrive in 20 seconds",
        "ServiceUnavailable": "the engine cannot take the change, the database or the access keys cannot be read; "
        "nothing was changed. Or too many requests are under way, or bodies waited for (EC2: `RequestLimitExceeded`). "
        "Or the upstream does not answer",
    },
    "EC2": {
        "AuthFailure": "unknown key, wrong session token, wrong signature, or signed for another service, region or "
        "day; with `--insecure` (403): from a web page, or for another host than localhost",
        "DryRunOperation": "`DryRun` was true, and all else is right",
        "FilterLimitExceeded": "more than 50 filters, or 200 values of one",
        "IdempotentParameterMismatch": "the `ClientToken` came with other parameters in the last 24 hours",
        "IncompleteSignature": "the signature cannot be read or lacks a part",
        "InvalidAction": "no such operation, or none that is served; another path than `/` (404)",
        "InvalidAttachmentID.NotFound": "with an upstream: the attachment has ended, or its instance has",
        "InvalidCharacter": "a character that XML 1.0 cannot carry",
        "InvalidID": "CreateTags, DeleteTags: what is no id of a kind that can have tags",
        "InvalidInstanceID.Malformed": "what is no id that begins with `i-`",
        "InvalidInstanceID.NotFound": "no such instance",
        "InvalidNetworkInterfaceID.NotFound": "no such interface, or neither it nor its subnet is the caller's",
        "InvalidNetworkInterfaceId.Malformed": "what is no id that begins with `eni-`",
        "InvalidNetworkLoadBalancerArn.Malformed": "the target's load balancer is named by what is no ARN of one",
        "InvalidNextToken": "the token is not from the same request of the same account",
        "InvalidParameterCombination": "ids with `MaxResults` or `NextToken`; ports with a protocol that has none; a "
        "field set and removed, a service added and removed; two destinations of a "
        "target",
        "InvalidParameterValue": "a value that is of the wrong type or out of its range, or that breaks a rule of the "
        "guide: session number taken, the source is a target, the target is a source",
        "InvalidQueryParameter": "frames: a query string that cannot be read",
        "InvalidSubnetID.Malformed": "what is no id that begins with `subnet-`",
        "InvalidSubnetID.NotFound": "no such subnet",
        "InvalidTagKey.Malformed": "a tag without a key",
        "InvalidTrafficMirrorFilterId.NotFound": "no such filter",
        "InvalidTrafficMirrorFilterRuleId.NotFound": "no such rule",
        "InvalidTrafficMirrorSessionId.NotFound": "no such session",
        "InvalidTrafficMirrorTarget": "the target's interface does not exist, or is another account's",
        "InvalidTrafficMirrorTargetId.NotFound": "no such target, or not shared with the caller",
        "InvalidVpcEndpointId.Malformed": "what is no id that begins with `vpce-`",
        "InvalidVpcEndpointId.NotFound": "no such endpoint",
        "InvalidVpcID.Malformed": "what is no id that begins with `vpc-`",
        "InvalidVpcID.NotFound": "no such VPC",
        "MalformedQueryString": "the form is not UTF-8, has a parameter twice or a list that is none, or is too large",
        "MissingAction": "no `Action`",
        "MissingAuthenticationToken": "the request is not signed",
        "MissingParameter": "a required parameter, or the values of a filter",
        "NetworkInterfaceNotSupported": "an interface that cannot be a source or a target: of another type, not "
        "attached, of an instance type that cannot be mirrored, in an IPv6-only subnet",
        "NetworkLoadBalancerNotFoundException": "the target's load balancer does not exist, or is another account's",
        "NlbInUseByTrafficMirrorTargetException": "the load balancer is a target already",
        "NoSuchVersion": "another `Version` than 2016-11-15",
        "RequestExpired": "signed more than 15 minutes ago or ahead, or the time of a presigned request or of "
        "temporary credentials is over",
        "RequestLimitExceeded": "too many requests are under way, or, with `--throttle`, they come too fast; AWS's "
        "clients try again by themselves",
        "TagLimitExceeded": "too many tags on one object",
        "TrafficMirrorFilterInUse": "the filter that is to be deleted has sessions",
        "TrafficMirrorFilterLimitExceeded": "quota of filters",
        "TrafficMirrorFilterRuleAlreadyExists": "the rule number is taken in that direction",
        "TrafficMirrorFilterRuleLimitExceeded": "quota of rules; or the engine has no room for as many",
        "TrafficMirrorSessionLimitExceeded": "quota of sessions",
        "TrafficMirrorSessionsPerInterfaceLimitExceeded": "quota of sessions on one source; or the engine has no room "
        "for as many",
        "TrafficMirrorSourcesPerTargetLimitExceeded": "quota of sources on one interface target",
        "TrafficMirrorTargetInUse": "the target that is to be deleted has sessions of its owner",
        "TrafficMirrorTargetLimitExceeded": "quota of targets",
        "UnauthorizedOperation": "the user's policies do not allow it; or a shared object that only its owner changes",
        "UnknownParameter": "a parameter that the operation does not have",
    },
    "elbv2 and STS": {
        "AccessDenied": "the user's policies do not allow it; AssumeRole: or the role does not trust the caller, or is "
        "not there",
        "ExpiredToken": "the time of temporary credentials is over",
        "IncompleteSignature": "the signature cannot be read or lacks a part",
        "InvalidAction": "no such operation or version, or a service that is not served",
        "InvalidClientTokenId": "an unknown key, or a wrong session token",
        "InvalidParameterValue": "a parameter of the wrong type or form",
        "ListenerNotFound": "no such listener",
        "LoadBalancerNotFound": "no such load balancer",
        "MalformedPolicyDocument": "AssumeRole: what is no policy",
        "MissingAuthenticationToken": "the request is not signed",
        "PackedPolicyTooLarge": "AssumeRole: session policies longer than 2,048 characters",
        "SignatureDoesNotMatch": "a wrong or an old signature",
        "UnknownParameter": "a parameter that the operation does not have",
        "ValidationError": "a missing parameter or a value that is not allowed, a session longer than its role allows, "
        "an ARN of another account, a wrong marker",
    },
    "CloudWatch": {
        "AccessDenied": "the user's policies do not allow it",
        "ExpiredToken": "the time of temporary credentials is over",
        "IncompleteSignature": "the signature cannot be read or lacks a part",
        "InvalidAction": "query: no such operation or version",
        "InvalidClientTokenId": "an unknown key, or a wrong session token",
        "InvalidFormat": "SetAlarmState: the reason's data is not JSON",
        "InvalidNextToken": "the token is not from the same request of the same account",
        "InvalidParameterCombination": "no statistic, or more than 1,440 data points",
        "InvalidParameterValue": "a parameter of the wrong type; a period that is no multiple of 60, times in the "
        "wrong order, a percentile",
        "LimitExceeded": "an account has 5,000 alarms",
        "MissingAuthenticationToken": "the request is not signed",
        "ResourceNotFound": "no such alarm",
        "SerializationException": "the body is not a JSON object or not CBOR",
        "SignatureDoesNotMatch": "a wrong or an old signature",
        "UnknownOperationException": "JSON and CBOR: no such operation",
        "UnknownParameter": "a parameter that the operation does not have",
        "ValidationError": "a missing parameter or a value that is not allowed, a query or an alarm that cannot be "
        "answered here",
    },
    "CloudTrail": {
        "AccessDeniedException": "the user's policies do not allow it",
        "IncompleteSignatureException": "the signature cannot be read or lacks a part",
        "InvalidLookupAttributesException": "more than one lookup attribute",
        "InvalidNextTokenException": "the token is not from the same request of the same account, or the event "
        "that the page ended with is not kept any more",
        "InvalidSignatureException": "a wrong or an old signature",
        "InvalidTimeRangeException": "the start is after the end",
        "MissingAuthenticationTokenException": "the request is not signed",
        "SerializationException": "the body is not a JSON object, or a value is of the wrong type",
        "UnknownOperationException": "no such operation",
        "UnrecognizedClientException": "an unknown key, or a session token",
        "UnsupportedOperationException": "the server was started without `--audit`",
        "ValidationException": "a missing or unknown parameter, or a value that is not allowed",
    },
    "RAM": {
        "AccessDeniedException": "the user's policies do not allow it",
        "ExpiredTokenException": "the time of temporary credentials is over",
        "IdempotentParameterMismatchException": "the `clientToken` came with other parameters in the last 24 hours",
        "IncompleteSignatureException": "the signature cannot be read or lacks a part",
        "InvalidClientTokenException": "a `clientToken` that is not 1 to 64 ASCII characters",
        "InvalidNextTokenException": "the token is not from the same request of the same account",
        "InvalidParameterException": "a missing or unknown parameter, or a value that is not allowed",
        "InvalidResourceTypeException": "another type than `ec2:TrafficMirrorTarget`",
        "InvalidSignatureException": "a wrong or an old signature",
        "MalformedArnException": "what is no ARN, or is that of something that cannot be shared",
        "MissingAuthenticationTokenException": "the request is not signed",
        "MissingRequiredParameterException": "UpdateResourceShare without anything to change",
        "OperationNotPermittedException": "somebody else's share; a principal outside the organisation where the share "
        "does not allow that; leaving a share of one's own organisation",
        "ResourceShareInvitationAlreadyAcceptedException": "it was accepted before",
        "ResourceShareInvitationAlreadyRejectedException": "it was rejected before",
        "ResourceShareInvitationArnNotFoundException": "no such invitation",
        "ResourceShareInvitationExpiredException": "older than seven days, or withdrawn",
        "SerializationException": "the body is not a JSON object, or a value is of the wrong type",
        "TagLimitExceededException": "too many tags on one share",
        "UnknownOperationException": "no operation at this method and path",
        "UnknownResourceException": "no such share, target or organisation",
        "UnrecognizedClientException": "an unknown key, or a wrong session token",
    },
}
"""Family of services -> code -> when."""
