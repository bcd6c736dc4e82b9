"""May they be that role for a while? The role's trust policy is asked, and the caller's own policies.

Source: IAM User Guide, "Cross-account policy evaluation logic" and "Determining whether a request is allowed or denied
within an account"; STS API reference, "AssumeRole". A role that does not exist is refused as one that does not trust
the caller. Without signatures the caller is the root of an account, and nobody is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta

from halfsilver.harness.control.iam import condition_keys
from halfsilver.harness.control.iam.access_keys import KeyStore, assumed
from halfsilver.harness.control.iam.described import Described
from halfsilver.harness.control.iam.identities import Role
from halfsilver.harness.control.iam.patterns import PolicyError
from halfsilver.harness.control.iam.policies import Policies, load_policy
from halfsilver.harness.control.iam.trust import Admission, TrustPolicy
from halfsilver.harness.control.operations.call import Caller, RoleSession
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Assumed, Context

__all__ = ["RoleKeeper"]

ACTION = "sts:AssumeRole"
CHAINED = timedelta(hours=1)
"""The longest session that somebody may have who is in a role already (IAM User Guide, "Role chaining")."""
USUAL = timedelta(hours=1)
MAX_POLICY = 2048
"""Characters of all session policies together (STS API)."""


class RoleKeeper:
    """Gives out roles, and users' own sessions.

    keys      who there is
    policies  what binds a caller; None where everybody may be anybody
    """

    def __init__(self, keys: KeyStore, policies: Callable[[Caller], Policies] | None) -> None:
        self._keys = keys
        self._policies = policies

    def assume(
        self,
        context: Context,
        arn: str,
        name: str,
        known: Mapping[str, tuple[str, ...]],
        lasting: timedelta | None,
        policies: tuple[str, ...],
    ) -> Assumed:
        """See ``operations.operation.Roles``; policies are documents, as JSON, and ARNs of managed ones."""
        caller = context.caller
        role = self._keys.role(arn)
        if role is None or self._policies is not None:
            account = {} if role is None else condition_keys.of_account(role.account)
            asked = {**condition_keys.of_request(context.call, context.settings), **account, **known}
            self._check_may(caller, arn, role, asked)
        assert role is not None
        _check_duration(caller, role, lasting)
        self._check_policies(role, policies)
        session = RoleSession(role.arn, name, context.call.now.replace(microsecond=0), policies)
        given = self._keys.issue(role, session, lasting or USUAL)
        return Assumed(assumed(role, session), given.key_id, given.secret, given.token, given.expires)

    def session(self, context: Context, lasting: timedelta) -> Assumed:
        """See ``operations.operation.Roles``."""
        caller = context.caller
        if caller.temporary or caller.session is not None:
            raise ApiError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
        given = self._keys.issue_own(caller, context.call.now.replace(microsecond=0), lasting)
        return Assumed(caller, given.key_id, given.secret, given.token, given.expires)

    def described(self, account: str) -> Described:
        """See ``operations.operation.Roles``."""
        return self._keys.described(account)

    def _check_may(self, caller: Caller, arn: str, role: Role | None, known: Mapping[str, tuple[str, ...]]) -> None:
        trust = TrustPolicy(()) if role is None else role.trust
        admission = trust.admits(caller, ACTION.lower(), known)
        decision = (self._policies or self._keys.policies)(caller).decide(ACTION, arn, known)
        trusted = admission in (Admission.ACCOUNT, Admission.SELF)
        inside = role is not None and role.account == caller.account
        named = admission is Admission.SELF and inside and not decision.denied
        if trusted and (decision.allowed or named):
            return
        why = "" if decision.allowed else f" {decision.value.format(ACTION)}"
        raise ApiError(
            "AccessDenied", f"User: {caller.arn} is not authorized to perform: {ACTION} on resource: {arn}{why}", 403
        )

    def _check_policies(self, role: Role, policies: tuple[str, ...]) -> None:
        if sum(len(each) for each in policies) > MAX_POLICY:
            raise ApiError("PackedPolicyTooLarge", f"The session policies are longer than {MAX_POLICY} characters")
        for each in policies:
            if each.startswith("arn:"):
                if each.split(":")[4] not in ("aws", role.account) or not self._keys.is_managed(each):
                    raise ApiError("ValidationError", f"{each} is no managed policy of the role's account")
                continue
            try:
                load_policy(json.loads(each), "Policy")
            except PolicyError as error:
                raise ApiError("MalformedPolicyDocument", str(error)) from None
            except (ValueError, RecursionError):
                raise ApiError("MalformedPolicyDocument", "The policy is not in the valid JSON format.") from None


def _check_duration(caller: Caller, role: Role, lasting: timedelta | None) -> None:
    if lasting is None:
        return
    if caller.session is not None and lasting > CHAINED:
        why = "the 1 hour session limit for roles assumed by role chaining"
    elif lasting > role.longest:
        why = "the MaxSessionDuration set for this role"
    else:
        return
    raise ApiError("ValidationError", f"The requested DurationSeconds exceeds {why}.")
