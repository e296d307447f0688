"""The API by a real HTTP server: tokens, conflicts, refusals."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from gluster_sidecar.errors import ApiError, Conflict
from gluster_sidecar.kubernetes import Api


class Server(HTTPServer):
    status = 200
    token = "first"


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == f"Bearer {self.server.token}"
        body = json.dumps({"message": "said by the server"}).encode()
        self.send_response(self.server.status if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Answer) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def api(server: Server, tmp_path: Path) -> Api:
    (tmp_path / "token").write_text("first\n")
    return Api(f"http://127.0.0.1:{server.server_port}", token_file=tmp_path / "token", context=None)


def test_a_token_that_was_replaced_is_read_anew(server: Server, api: Api, tmp_path: Path) -> None:
    """Mistake 5: read once at start, it was refused with 401 for ever."""
    assert api.get("/x")["message"]
    server.token = "second"
    with pytest.raises(ApiError) as caught:
        api.get("/x")
    assert caught.value.status == 401
    (tmp_path / "token").write_text("second\n")
    assert api.get("/x")["message"]


def test_a_conflict_is_told_from_other_refusals(server: Server, api: Api) -> None:
    for status, kind in ((409, Conflict), (403, ApiError)):
        server.status = status
        with pytest.raises(ApiError, match="said by the server") as caught:
            api.create("/x", {})
        assert type(caught.value) is kind
        assert caught.value.status == status


def test_a_server_that_is_away_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="does not answer"):
        Api("http://127.0.0.1:9", token_file=None, context=None).get("/x")
