"""AlphaHub over HTTP: the session, its renewal, the history, and that no secret is shown."""

import json
from datetime import date

import pytest

from feeds.alphahub.protocol import FRESH, Session, Tokens, history_exchange, socket_url
from framework.config import Credentials
from framework.errors import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    ProtocolError,
    RateLimited,
    SwitchbackError,
)  # fmt: skip
from framework.wire import HttpResponse

EMAIL, PASSWORD = "me@example.com", "p4ssw0rd &"
SECRETS = (PASSWORD, "token-", "renewal-")


def session(**parts):
    return Session(Credentials(EMAIL, PASSWORD), **parts)


def granted(number=1):
    return answer(200, {"data": {"renew_token": f"renewal-{number}", "token": f"token-{number}"}})


def answer(status, body=None, headers=None):
    return HttpResponse(status, headers or {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def drive(exchange, *answers):
    """Play an exchange; return its requests and its result. An answer that is an error is thrown."""
    asked, waiting = [], list(answers)
    try:
        request = next(exchange)
        while True:
            asked.append(request)
            said = waiting.pop(0)
            request = exchange.throw(said) if isinstance(said, Exception) else exchange.send(said)
    except StopIteration as end:
        assert not waiting
        return asked, end.value


def logged_in():
    ours = session()
    drive(ours.open(0.0), granted())
    return ours


def test_login_is_a_form():
    """As the service asks for it; the password is in the body only, and in no repr."""
    [request], token = drive(session().open(0.0), granted())
    assert (request.method, request.url) == ("POST", "https://alphahub.us/api/v1/session")
    assert request.form == {"user[email]": EMAIL, "user[password]": PASSWORD}
    assert token == "token-1"
    assert PASSWORD not in repr(request)


def test_token_is_used_while_it_is_fresh():
    """Without asking again."""
    ours = logged_in()
    assert drive(ours.open(FRESH - 1)) == ([], "token-1")


def test_old_token_is_renewed():
    """By the renewal's own token, as it is; the new pair is used from then on."""
    ours = logged_in()
    [request], token = drive(ours.open(FRESH), granted(2))
    assert (request.method, request.url) == ("POST", "https://alphahub.us/api/v1/session/renew")
    assert request.headers == {"Authorization": "renewal-1"}
    assert token == "token-2"
    assert "renewal" not in repr(request)
    assert drive(ours.open(2 * FRESH), granted(3))[0][0].headers == {"Authorization": "renewal-2"}


@pytest.mark.parametrize(
    "said", [answer(401), answer(404), answer(429), answer(500, b"<html>"), answer(200, b"<html>"), answer(200, {}),
             answer(201, {}), ConnectionLost("AlphaHub", "gone")],
)  # fmt: skip
def test_renewal_that_fails_falls_back_to_the_login(said):
    """Whatever it was answered: that there is such an endpoint is a guess."""
    asked, token = drive(logged_in().open(FRESH), said, granted(2))
    assert [each.url.rsplit("/", 1)[1] for each in asked] == ["renew", "session"]
    assert token == "token-2"


def test_session_without_a_renewal_logs_in_again():
    """The field may be missing."""
    ours = session()
    drive(ours.open(0.0), answer(200, {"data": {"token": "token-1"}}))
    [request], _ = drive(ours.open(FRESH), granted(2))
    assert request.form is not None


def test_refused_token_is_replaced_by_the_password():
    """Also where it was fresh by our clock."""
    [request], token = drive(logged_in().open(1.0, is_refused=True), granted(2))
    assert request.form is not None
    assert token == "token-2"


def test_newer_names_of_the_tokens_are_read():
    """Those of Pow's later guide."""
    ours = session()
    said = answer(200, {"data": {"access_token": "token-1", "renewal_token": "renewal-1"}})
    assert drive(ours.open(0.0), said)[1] == "token-1"
    assert drive(ours.open(FRESH), granted())[0][0].headers == {"Authorization": "renewal-1"}


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_wrong_password_is_asked_for_and_never_sent_again(status):
    """There is no login loop."""
    ours = session()
    with pytest.raises(AuthenticationError, match="check ALPHAHUB_EMAIL and ALPHAHUB_PASSWORD"):
        drive(ours.open(0.0), answer(status, {"error": {"message": f"Invalid {PASSWORD}"}}))
    for _ in range(3):
        with pytest.raises(AuthenticationError, match="refused before"):
            drive(ours.open(1.0))


def test_who_was_let_in_today_is_not_locked_out_by_a_gateway():
    """A 403 in the middle of the day is tried again; a 401 is not."""
    ours = logged_in()
    with pytest.raises(ProtocolError):
        drive(ours.open(1.0, is_refused=True), answer(403, b"<html>"))
    assert drive(ours.open(2.0), granted(2))[1] == "token-2"
    with pytest.raises(AuthenticationError):
        drive(ours.open(3.0, is_refused=True), answer(401))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (answer(404), ConfigError), (answer(429, headers={"retry-after": "7"}), RateLimited),
        (answer(500, b"<html>"), ConnectionLost), (answer(302), ProtocolError), (answer(200, b"<html>"), ProtocolError),
        (answer(200, {"token": "token-1"}), ProtocolError), (answer(200, {"data": {"token": 5}}), ProtocolError),
        (answer(200, {"data": {"token": "token-1\r\nX: y"}}), ProtocolError),
    ],
)  # fmt: skip
def test_login_that_fails_otherwise_says_what_happened(said, error):
    """In one line, without a secret, also where the answer has one."""
    with pytest.raises(error) as raised:
        drive(session().open(0.0), said)
    shown = f"{raised.value} {getattr(raised.value, 'received', None)}"
    assert "\n" not in shown
    assert not any(secret in shown for secret in SECRETS)


def test_wait_is_what_the_answer_says():
    """A minute where it does not."""
    for headers, seconds in (({"retry-after": "7"}, 7.0), ({}, 60.0)):
        with pytest.raises(RateLimited) as raised:
            drive(session().open(0.0), answer(429, headers=headers))
        assert raised.value.retry_after == seconds


def test_no_repr_shows_a_secret():
    """Of the session, and of its tokens."""
    shown = repr(logged_in()) + repr(Tokens("token-1", "renewal-1", 0.0))
    assert not any(secret in shown for secret in SECRETS)


def test_socket_address_quotes_its_token():
    """Whatever characters it has."""
    assert socket_url("https://alphahub.us", "a+b/c=") == (
        "wss://alphahub.us/socket/websocket?vsn=2.0.0&api_token=a%2Bb%2Fc%3D"
    )


def test_history_is_asked_for_by_algorithm_and_day():
    """With the bare token; the answer is handed on to the letter, for a journal."""
    [request], text = drive(history_exchange(logged_in(), "16", date(2026, 3, 1), 1.0), answer(200, b'{"data": {} }'))
    assert (request.method, request.url) == ("GET", "https://alphahub.us/api/v1/algorithms/16/signals")
    assert request.params == {"after": "2026-03-01"}
    assert request.headers == {"Authorization": "token-1"}
    assert text == '{"data": {} }'


def test_history_logs_in_where_it_has_to():
    """A session that was not opened yet."""
    asked, _ = drive(history_exchange(session(), "16", date(2026, 3, 1), 0.0), granted(), answer(200, {}))
    assert [each.method for each in asked] == ["POST", "GET"]


def test_history_replaces_a_token_that_is_turned_away_once():
    """And then says what is refused."""
    day = date(2026, 3, 1)
    asked, _ = drive(history_exchange(logged_in(), "16", day, 1.0), answer(401), granted(2), answer(200, {}))
    assert asked[-1].headers == {"Authorization": "token-2"}
    with pytest.raises(AuthenticationError, match="algorithm 16: its history is refused"):
        drive(history_exchange(logged_in(), "16", day, 1.0), answer(401), granted(2), answer(403))


@pytest.mark.parametrize(
    ("status", "error"), [(404, ConfigError), (429, RateLimited), (502, ConnectionLost), (418, ProtocolError)]
)
def test_history_that_fails_says_what_happened(status, error):
    """And quotes no secret, though the answer does."""
    body = f"no token-1 renewal-1 {PASSWORD} {EMAIL}".encode()
    with pytest.raises(error, match="history of algorithm 16") as raised:
        drive(history_exchange(logged_in(), "16", date(2026, 3, 1), 1.0), answer(status, body))
    assert isinstance(raised.value, SwitchbackError)
    assert not any(each in f"{raised.value} {getattr(raised.value, 'received', '')}" for each in (*SECRETS, EMAIL))


def test_history_that_is_no_text_is_handed_on():
    """What it is, `read_history` finds out."""
    assert drive(history_exchange(logged_in(), "16", date(2026, 3, 1), 1.0), answer(200, b"\xff{"))[1] == "\\xff{"
