"""Pages of lists outside EC2, where each service has its own words for size, token and error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import decode_token, encode_token
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.state.record import Record

__all__ = ["Paging"]


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
