"""A body that is too large is refused by its declared length, before it is taken in."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from xttsproject.middleware import UploadLimitMiddleware


@pytest.fixture
def asked(settings, rf: RequestFactory):
    settings.UPLOAD_MAX_BYTES = 5_000_000

    def ask(path, length):
        request = rf.post(path, data=b"", content_type="multipart/form-data; boundary=x")
        request.META["CONTENT_LENGTH"] = length
        return UploadLimitMiddleware(lambda request: pytest.fail("the view was reached"))(request)

    return ask


def test_the_api_answers_with_a_code_and_both_sizes(asked):
    answer = asked("/api/v1/recordings/", "9000000")
    assert answer.status_code == 413
    assert b'"code": "too_large"' in answer.content
    assert "8.6" in answer.content.decode()
    assert "4.8" in answer.content.decode()


def test_a_page_answers_with_the_same_sentence(asked):
    answer = asked("/recordings/add/", "9000000")
    assert answer.status_code == 413
    assert "shorter recording" in answer.content.decode()


@pytest.mark.parametrize("length", ["", "0", "nonsense", "5500000"])
def test_anything_else_goes_on_to_its_view(settings, rf, length):
    settings.UPLOAD_MAX_BYTES = 5_000_000
    request = rf.post("/recordings/add/")
    request.META["CONTENT_LENGTH"] = length
    view = HttpResponse("the view")
    assert UploadLimitMiddleware(lambda request: view)(request) is view
