"""Lists, page by page."""

from __future__ import annotations

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from xttsproject.strict import quoted


class Pages(PageNumberPagination):
    page_size_query_param = "page_size"
    max_page_size = 500
    invalid_page_message = "There is no page {page_number} of this list: {message}."

    def get_page_size(self, request: Request) -> int | None:
        """What is over the most is the most; what is no number at all is refused."""
        given = request.query_params.get(self.page_size_query_param, "")
        if given and not (given.isascii() and given.isdecimal() and int(given[:10]) > 0):
            complaint = f"{quoted(given)} is no size of a page; give a whole number from 1 to {self.max_page_size}."
            raise ValidationError({self.page_size_query_param: [complaint]})
        return super().get_page_size(request)
