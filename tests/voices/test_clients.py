from __future__ import annotations

import os
import resource
import socket

from django.test import RequestFactory

from voices.clients import hung_up


def test_a_client_that_closes_its_connection_is_noticed():
    server, client = socket.socketpair()
    with server, client:
        request = RequestFactory().post("/")
        request.META["gunicorn.socket"] = server
        gone = hung_up(request)
        assert gone is not None
        assert not gone()
        client.send(b"the next request")
        assert not gone()
        server.recv(100)
        client.close()
        assert gone()
    # Closed on our own side too: nobody is there, and nothing breaks.
    assert gone()


def test_a_client_on_a_high_descriptor_is_there():
    server, client = socket.socketpair()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    with server, client:
        os.dup2(server.fileno(), 2000)
        with socket.socket(fileno=2000) as high:
            request = RequestFactory().post("/")
            request.META["gunicorn.socket"] = high
            gone = hung_up(request)
            assert gone is not None
            assert not gone()
            client.close()
            assert gone()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_server_that_hides_its_socket_tells_nothing():
    assert hung_up(RequestFactory().post("/")) is None
