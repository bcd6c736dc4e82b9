"""Pages of lists that are not read from the store one by one, and of those outside EC2, which has its own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import decode_token, encode_token
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.state.record import Record

__all__ = ["Paging", "by_place"]


Item = TypeVar("Item")


def by_place(
    context: Context, parameters: Parameters, found: Sequence[Item], size: int
) -> tuple[list[Item], dict[str, str]]:
    """The page that a request asks for of ``found``, and the result's NextToken, which is a place in it.

    The token is a dictionary with the member ``NextToken``, empty behind the last page.
    """
    behind = decode_token(context, parameters, int)[0] if parameters.get("NextToken") else 0
    end = behind + size
    return list(found[behind:end]), {"NextToken": encode_token(context, parameters, end)} if end < len(found) else {}


@dataclass(frozen=True, slots=True)
class Paging:
    """How a service pages.

    size        parameter with the number of objects on a page
    token       parameter with the token of the page before
    next_token  member of the result with the token for the page behind
    largest     number of objects on a page, at most and when the request does not say
    code        of the error for a token that was not made for this request
    """

    size: str
    token: str
    next_token: str
    largest: int
    code: str

    def cut(
        self, context: Context, parameters: Parameters, records: Sequence[Record]
    ) -> tuple[list[Record], dict[str, str]]:
        """The page that a request asks for of ``records``, which are in order of creation, and the result's token.

        The token is a dictionary with the member ``next_token``, empty behind the last page.
        """
        asked = {name: value for name, value in parameters.items() if name not in (self.size, self.token)}
        behind = 0
        if parameters.get(self.token):
            try:
                behind = decode_token(context, {**asked, "NextToken": parameters[self.token]}, int)[0]
            except ApiError:
                raise ApiError(self.code, f"The specified {self.token} is not valid for this request.") from None
        rest = [record for record in records if record.serial > behind]
        page = rest[: min(parameters.get(self.size, self.largest), self.largest)]
        more = len(page) < len(rest)
        return page, {self.next_token: encode_token(context, asked, page[-1].serial)} if more else {}
