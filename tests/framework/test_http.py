"""The synchronous transport against a real server that misbehaves."""

import gzip
import logging
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from framework.errors import ConnectionLost
from framework.http import Http, Patience, retry_after
from framework.wire import HttpRequest, HttpResponse

NOW = 1_700_000_000.0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def answer(self):
        self.server.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        play = self.server.plays.pop(0) if self.server.plays else (200, b"{}", {})
        if callable(play):
            return play(self)
        code, body, headers = play
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        return None

    def finish(self):
        super().finish()
        self.server.ended.release()

    do_GET = do_POST = do_DELETE = do_PATCH = answer

    def log_message(self, format, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them: no thread outlives a test

    def handle_error(self, request, client_address):
        pass


def hang_up(handler):
    handler.close_connection = True


def half_a_body(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.close_connection = True


def half_a_chunk(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"50\r\nhalf")
    handler.close_connection = True


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as it:
        it.plays, it.seen, it.ended = [], [], threading.Semaphore(0)
        it.url = f"http://127.0.0.1:{it.server_address[1]}"
        thread = threading.Thread(target=it.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield it
        it.shutdown()
        thread.join()


@pytest.fixture
def waits():
    return []


@pytest.fixture
def http(server, waits):
    with Http("Loop", Patience(attempts=4), wall=lambda: NOW, sleep=waits.append, jitter=lambda: 1.0) as it:
        yield it


def one(method, url, **parts):
    """An exchange of one request, whose result is the answer."""
    return (yield HttpRequest(method, url, **parts))


def test_exchange_is_driven_to_its_result(http, server):
    """Each request that the generator yields is answered; what it returns is returned."""
    server.plays = [(200, b"1", {}), (200, b"2", {})]

    def both():
        first = yield HttpRequest("GET", server.url + "/a", {"x": "1 2"}, {"K": "v"})
        second = yield HttpRequest("GET", server.url + "/b")
        return first.decode() + second.decode()

    assert http.send(both()) == 3
    assert server.seen[0][1] == "/a?x=1+2"
    assert server.seen[0][2]["K"] == "v"


@pytest.mark.parametrize("fault", [hang_up, half_a_body, half_a_chunk, (502, b"<html>", {}), (503, b"", {})])
def test_get_is_tried_again(http, server, waits, fault):
    """A dropped connection, a body cut short and a gateway's error are tried again after a wait."""
    server.plays = [fault, (200, b"[1]", {})]
    assert http.send(one("GET", server.url)).decode() == [1]
    assert waits == [0.5]


def test_waits_double(http, server, waits):
    """The wait doubles with each attempt, up to the last."""
    server.plays = [(500, b"", {})] * 4
    assert http.send(one("GET", server.url)).status == 500
    assert waits == [0.5, 1.0, 2.0]
    assert len(server.seen) == 4


def test_half_of_a_wait_is_chance(server, waits):
    """Many clients that failed together do not come back together."""
    server.plays = [(500, b"", {})]
    with Http("Loop", sleep=waits.append, jitter=lambda: 0.0) as http:
        http.send(one("GET", server.url))
    assert waits == [0.25]


def test_answers_that_never_come_are_a_lost_connection(http, server):
    """After the last attempt the error names the side, the path and the attempts, and no credentials."""
    server.plays = [hang_up] * 4
    with pytest.raises(ConnectionLost, match=r"^Loop: GET /p: no whole answer .* after 4 attempts") as raised:
        http.send(one("GET", server.url + "/p", headers={"K": "s3cr3t"}))
    assert "s3cr3t" not in str(raised.value)


def test_lost_request_that_never_left_says_so(server):
    """A refused connection is certain: nothing was sent. A dropped one is not."""
    with Http("Loop") as http:
        server.plays = [hang_up]
        with pytest.raises(ConnectionLost) as dropped:
            http.send(one("POST", server.url))
        with pytest.raises(ConnectionLost) as refused:
            http.send(one("POST", "http://127.0.0.1:1/"))
    assert (dropped.value.is_sent_unknown, refused.value.is_sent_unknown) == (True, False)


def test_exchange_hears_of_a_lost_connection(http, server):
    """The generator can clean up, or answer with something else."""
    server.plays = [hang_up] * 4

    def stubborn():
        try:
            yield HttpRequest("GET", server.url)
        except ConnectionLost:
            return "gone"

    assert http.send(stubborn()) == "gone"


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
@pytest.mark.parametrize("fault", [hang_up, half_a_body])
def test_only_get_is_sent_twice(http, server, method, fault):
    """An order is never sent again: whether it arrived is not known."""
    server.plays = [fault]
    with pytest.raises(ConnectionLost, match="not sent again"):
        http.send(one(method, server.url, json={"a": 1} if method != "DELETE" else None))
    assert len(server.seen) == 1


@pytest.mark.parametrize("code", [429, 502])
def test_post_is_not_repeated_for_a_status(http, server, waits, code):
    """What a POST is answered is handed on as it is."""
    server.plays = [(code, b"", {})]
    assert http.send(one("POST", server.url, json={})).status == code
    assert not waits
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"X-RateLimit-Reset": "1700000007"}, 8.0),  # and the jitter, for the reset is in whole seconds
        ({"Retry-After": "3"}, 4.0),
        ({"Retry-After": "Tue, 14 Nov 2023 22:13:30 GMT"}, 11.0),
        ({"X-RateLimit-Reset": "1600000000", "Retry-After": "2"}, 3.0),
        ({"X-RateLimit-Reset": "soon"}, 0.5),
        ({}, 0.5),
    ],
)
def test_throttled_get_waits_as_long_as_it_is_told(http, server, waits, headers, wait):
    """A 429 is tried again when the window opens, or after a back-off where it does not say when."""
    server.plays = [(429, b"{}", headers), (200, b"{}", {})]
    assert http.send(one("GET", server.url)).status == 200
    assert waits == [wait]


def test_wait_that_is_too_long_is_told_instead(http, server, waits):
    """Nobody sits through an hour: the 429 is handed on at once, with its seconds."""
    server.plays = [(429, b"{}", {"X-RateLimit-Reset": str(NOW + 3600)})]
    answer = http.send(one("GET", server.url))
    assert (answer.status, answer.headers["retry-after"], waits) == (429, "3600", [])


def test_redirect_is_not_followed(http, server):
    """Credentials never go to where an answer points."""
    server.plays = [(302, b"", {"Location": server.url + "/elsewhere"})]
    assert http.send(one("GET", server.url, headers={"K": "s3cr3t"})).status == 302
    assert len(server.seen) == 1


def test_silent_server_times_out(server, waits):
    """A server that takes the request and says nothing does not hold us for ever."""
    release = threading.Event()
    server.plays = [lambda handler: (release.wait(5), hang_up(handler))]
    with Http("Loop", Patience(attempts=1, read=0.05), sleep=waits.append) as http, pytest.raises(ConnectionLost):
        http.send(one("GET", server.url))
    release.set()


def test_trickle_ends(server, waits):
    """An answer that arrives, but for ever, ends too."""
    ticks = iter(range(0, 1000, 200))
    server.plays = [(200, b"x" * 200_000, {})]
    with (
        Http("Loop", Patience(attempts=1), monotonic=lambda: next(ticks), sleep=waits.append) as http,
        pytest.raises(ConnectionLost, match="Timeout"),
    ):
        http.send(one("GET", server.url))


def test_compressed_answer_is_whole(http, server):
    """The promised length is that of the compressed bytes, not of what they hold."""
    server.plays = [(200, gzip.compress(b"[7]" + b" " * 5000), {"Content-Encoding": "gzip"})]
    assert http.send(one("GET", server.url)).decode() == [7]


def test_closing_hangs_up(server):
    """The server sees the end of the connection at once, also after an attempt that failed."""
    server.plays = [hang_up]
    with Http("Loop", sleep=lambda seconds: None) as http:
        http.send(one("GET", server.url))
        assert server.ended.acquire(timeout=2)
    assert server.ended.acquire(timeout=2)


def test_netrc_adds_nothing(http, server, monkeypatch, tmp_path):
    """A .netrc file does not put its own credentials into our requests."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    http.send(one("GET", server.url))
    assert "Authorization" not in server.seen[0][2]


def test_log_shows_the_traffic_and_no_secret(http, server, caplog):
    """At debug level each request and answer is a line; headers are in none."""
    caplog.set_level(logging.DEBUG)
    server.plays = [(429, b"{}", {}), hang_up]
    http.send(one("GET", server.url + "/p", headers={"K": "s3cr3t"}))
    lines = [record.getMessage() for record in caplog.records if record.name == "switchback.http"]
    assert lines[0] == f"> GET {server.url}/p"
    assert lines[1] == "< 429, 2 bytes"
    assert "s3cr3t" not in caplog.text


def test_form_is_sent_as_a_form_and_shown_nowhere(http, server, caplog):
    """Encoded as browsers do; a password in it is in no log, no repr and no error."""
    caplog.set_level(logging.DEBUG)
    form = {"user[email]": "me@x.com", "user[password]": "s3cr3t &=ü"}
    http.send(one("POST", server.url + "/session", form=form))
    assert server.body == b"user%5Bemail%5D=me%40x.com&user%5Bpassword%5D=s3cr3t+%26%3D%C3%BC"
    assert server.seen[0][2]["Content-Type"].startswith("application/x-www-form-urlencoded")
    server.plays = [hang_up]
    with pytest.raises(ConnectionLost) as raised:
        http.send(one("POST", server.url + "/session", form=form))
    assert "s3cr3t" not in caplog.text + repr(HttpRequest("POST", "http://x", form=form)) + str(raised.value)


def test_retry_after_is_never_negative():
    """A date that has passed means now."""
    answer = HttpResponse(429, {"retry-after": "Tue, 14 Nov 2023 22:00:00 GMT"}, b"")
    assert retry_after(answer, NOW) == 0.0


def test_a_query_is_in_no_log_and_no_error(http, server, caplog):
    """Some venues have the credentials in it; urllib3 would write it, and quote it in the cause of a lost answer."""
    caplog.set_level(logging.DEBUG)
    asked = HttpRequest("GET", server.url + "/p", {"api_key": "s3cr3t"})
    http.send(one("GET", asked.url, params=asked.params))
    with pytest.raises(ConnectionLost) as raised:
        http.send(one("POST", "http://127.0.0.1:1/p", params=asked.params))
    told = "".join(traceback.format_exception(raised.value))
    assert "s3cr3t" not in caplog.text + repr(asked) + told
    assert "urllib3" in caplog.text
