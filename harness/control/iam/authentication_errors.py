"""What a client is told when its signature is not taken: codes and statuses differ from service to service.

Sources: IAM User Guide, "Troubleshoot signed requests for AWS APIs"; Amazon EC2 API Reference, "Error codes"; for
RAM and the services of AWS JSON the words of AWS's REST services, the latter with 400 for all. EC2 says ``AuthFailure``
(401) for an unknown key as for a wrong signature; a session token that nobody has issued, or that is another key's, is
everywhere refused as an unknown key is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["AuthenticationErrors", "errors_of"]

NO_MATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)
NOT_VALIDATED = "AWS was not able to validate the provided access credentials"
UNKNOWN_TOKEN = "The security token included in the request is invalid."
EXPIRED_TOKEN = "The security token included in the request is expired"


@dataclass(frozen=True, slots=True)
class AuthenticationErrors:
    """The codes of one family of services, each with its HTTP status."""

    missing_code: tuple[str, int]
    incomplete_code: tuple[str, int]
    expired_code: tuple[str, int]
    unknown_code: tuple[str, int]
    mismatch_code: tuple[str, int]
    expired_token_code: tuple[str, int]
    unknown_message: str = UNKNOWN_TOKEN
    mismatch_message: str = NO_MATCH
    expired_message: str = ""
    """Instead of the times, where the service does not tell them."""

    def missing(self) -> ApiError:
        """The request is not signed at all."""
        return _error(self.missing_code, "Request is missing Authentication Token")

    def incomplete(self, message: str) -> ApiError:
        """The signature cannot be read, or lacks a part."""
        return _error(self.incomplete_code, message)

    def expired(self, message: str) -> ApiError:
        """Signed too long ago, or by a clock that is fast."""
        return _error(self.expired_code, self.expired_message or message)

    def unknown_key(self) -> ApiError:
        """No user has this access key id (or the key is not active)."""
        return _error(self.unknown_code, self.unknown_message)

    def mismatch(self, message: str = "") -> ApiError:
        """Not signed with the user's secret, not for this service, or not all that must be."""
        return _error(self.mismatch_code, message or self.mismatch_message)

    def unknown_token(self) -> ApiError:
        """A session token that this server has not made, not for this key, or for a role that is gone."""
        return _error(self.unknown_code, self.unknown_message)

    def expired_token(self) -> ApiError:
        """Temporary credentials whose time is over."""
        return _error(self.expired_token_code, self.expired_message or EXPIRED_TOKEN)


def errors_of(service: str) -> AuthenticationErrors:
    """For botocore's name of a service."""
    return _FAMILIES.get(service, _QUERY)


def _error(code: tuple[str, int], message: str) -> ApiError:
    return ApiError(code[0], message, code[1])


_EC2 = AuthenticationErrors(
    missing_code=("MissingAuthenticationToken", 403),
    incomplete_code=("IncompleteSignature", 400),
    expired_code=("RequestExpired", 400),
    unknown_code=("AuthFailure", 401),
    mismatch_code=("AuthFailure", 401),
    expired_token_code=("RequestExpired", 400),
    unknown_message=NOT_VALIDATED,
    mismatch_message=NOT_VALIDATED,
    expired_message="Request has expired.",
)
_QUERY = AuthenticationErrors(
    missing_code=("MissingAuthenticationToken", 403),
    incomplete_code=("IncompleteSignature", 400),
    expired_code=("SignatureDoesNotMatch", 403),
    unknown_code=("InvalidClientTokenId", 403),
    mismatch_code=("SignatureDoesNotMatch", 403),
    expired_token_code=("ExpiredToken", 403),
)
_REST_JSON = AuthenticationErrors(
    missing_code=("MissingAuthenticationTokenException", 403),
    incomplete_code=("IncompleteSignatureException", 403),
    expired_code=("InvalidSignatureException", 403),
    unknown_code=("UnrecognizedClientException", 403),
    mismatch_code=("InvalidSignatureException", 403),
    expired_token_code=("ExpiredTokenException", 403),
)
_JSON = replace(
    _REST_JSON,
    missing_code=("MissingAuthenticationTokenException", 400),
    incomplete_code=("IncompleteSignatureException", 400),
    expired_code=("InvalidSignatureException", 400),
    unknown_code=("UnrecognizedClientException", 400),
    mismatch_code=("InvalidSignatureException", 400),
    expired_token_code=("ExpiredTokenException", 400),
)
"""AWS JSON has the same codes, all with one status."""
_FAMILIES = {
    "ec2": _EC2,
    "ram": _REST_JSON,
    **dict.fromkeys(("cloudtrail", "resourcegroupstaggingapi", "service-quotas"), _JSON),
}
