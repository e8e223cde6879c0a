import pytest
from django.http import Http404, HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.test import RequestFactory

from xttsproject.http import bytes_response, file_response
from xttsproject.middleware import HeadMiddleware


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "sound.wav"
    path.write_bytes(bytes(range(200)))
    return path


def ask(path, stretch=None, **more):
    headers = {"Range": stretch} if stretch else {}
    return file_response(RequestFactory().get("/", headers=headers), path, content_type="audio/wav", **more)


def body(response):
    return b"".join(response.streaming_content)


def test_a_file_comes_whole_and_says_that_stretches_can_be_asked_for(sound):
    response = ask(sound)
    assert (response.status_code, response["Accept-Ranges"], response["Content-Length"]) == (200, "bytes", "200")
    assert body(response) == bytes(range(200))
    assert "private" in response["Cache-Control"]


def test_a_file_is_read_in_large_blocks(tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(bytes(200_000))
    for stretch in (None, "bytes=0-"):
        blocks = [len(block) for block in ask(path, stretch).streaming_content]
        assert (sum(blocks), len(blocks)) == (200_000, 4)


@pytest.mark.parametrize(
    ("asked", "stretch", "first", "last"),
    [("bytes=10-19", "bytes 10-19/200", 10, 19), ("bytes=190-", "bytes 190-199/200", 190, 199),
     ("bytes=-5", "bytes 195-199/200", 195, 199), ("bytes=150-900", "bytes 150-199/200", 150, 199)],
)  # fmt: skip
def test_a_stretch_is_answered_with_its_place(sound, asked, stretch, first, last):
    response = ask(sound, asked)
    assert (response.status_code, response["Content-Range"]) == (206, stretch)
    assert response["Content-Length"] == str(last - first + 1)
    assert body(response) == bytes(range(first, last + 1))


@pytest.mark.parametrize("asked", ["bytes=200-", "bytes=50-10"])
def test_a_stretch_outside_the_file_is_refused_with_its_size(sound, asked):
    response = ask(sound, asked)
    assert (response.status_code, response["Content-Range"]) == (416, "bytes */200")


def test_a_range_that_cannot_be_read_gives_the_whole_file(sound):
    assert ask(sound, "bytes=0-1,5-6").status_code == 200


def test_a_download_has_its_name_letters_included(sound):
    response = ask(sound, download_name="São João.wav")
    assert response["Content-Disposition"] == "attachment; filename*=utf-8''S%C3%A3o%20Jo%C3%A3o.wav"


def test_a_file_that_vanished_is_not_found(tmp_path):
    with pytest.raises(Http404):
        ask(tmp_path / "gone.wav")


def test_stretches_of_two_files_are_not_joined(sound):
    etag = ask(sound)["ETag"]

    def stretch(if_range):
        headers = {"Range": "bytes=10-19", "If-Range": if_range}
        return file_response(RequestFactory().get("/", headers=headers), sound, content_type="audio/wav")

    assert (stretch(etag).status_code, body(stretch(etag))) == (206, bytes(range(10, 20)))
    sound.write_bytes(bytes(300))
    other = stretch(etag)
    assert (other.status_code, other["ETag"] != etag, len(body(other))) == (200, True, 300)
    # No dates are given here, so one is never that of the file.
    assert stretch("Wed, 21 Oct 2015 07:28:00 GMT").status_code == 200


def test_a_browser_that_has_it_already_is_told_so(sound):
    etag = ask(sound)["ETag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        answer = file_response(
            RequestFactory().get("/", headers={"If-None-Match": known}), sound, content_type="audio/wav"
        )
        assert isinstance(answer, HttpResponseNotModified)
        assert answer["ETag"] == etag
    made = bytes_response(RequestFactory().get("/"), b"sound", content_type="audio/wav")
    for known, status in ((made["ETag"], 304), ('"other"', 200)):
        request = RequestFactory().get("/", headers={"If-None-Match": known})
        assert bytes_response(request, b"sound", content_type="audio/wav").status_code == status


def test_stretches_of_what_is_made_on_demand_are_of_one_making():
    def stretch(data, if_range):
        headers = {"Range": "bytes=1-2", "If-Range": if_range}
        return bytes_response(RequestFactory().get("/", headers=headers), data, content_type="audio/wav")

    first = bytes_response(RequestFactory().get("/"), b"sound", content_type="audio/wav")
    again = stretch(b"sound", first["ETag"])
    assert (again.status_code, again.content) == (206, b"ou")
    other = stretch(b"other", first["ETag"])
    assert (other.status_code, other.content) == (200, b"other")


@pytest.mark.django_db  # Closing an answer is the end of a request, which looks after connections.
def test_whoever_asks_for_the_headers_alone_has_nothing_made_for_it():
    made, closed = [], []

    class Speaking:
        def __iter__(self):
            made.append(1)
            yield b"sound"

        def close(self):
            closed.append(1)

    def told(method):
        answer = HeadMiddleware(lambda _request: StreamingHttpResponse(Speaking()))
        return answer(RequestFactory().generic(method, "/"))

    head = told("HEAD")
    assert (list(head.streaming_content), made) == ([], [])
    head.close()
    assert closed == [1]
    assert list(told("GET").streaming_content) == [b"sound"]


@pytest.mark.parametrize("stretch", [None, "bytes=0-9"])
def test_the_headers_alone_are_those_of_the_whole(sound, stretch):
    whole = ask(sound, stretch)
    head = HeadMiddleware(lambda _request: ask(sound, stretch))(RequestFactory().head("/"))
    assert (head.status_code, head.headers) == (whole.status_code, whole.headers)
    assert body(head) == b""
    short = HeadMiddleware(lambda _request: HttpResponse(b"yes"))(RequestFactory().head("/"))
    assert isinstance(short, HttpResponse)
    assert short.content == b""
