"""ALGOGENE's session: tokens renewed early, counted on our own clock, and no secret anywhere."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from algogene_talk import API_KEY, GRANTED, LOGIN, NOTHING, OVER, SECRETS, TOKEN, USER, Hours, driven, paths, session

from feeds.algogene.protocol import EARLY, LIFE, rest_url, socket_url
from framework.errors import AuthenticationError, ConnectionLost, ProtocolError, RateLimited, VenueError

SECOND = (200, {"res": {"token": "another", "expired_utc": "2026-01-05 16:30:00"}}, {"date": LOGIN[2]["date"]})


def test_a_login_is_a_query_and_nothing_of_it_is_shown() -> None:
    """User and API key are its parameters, as the seed has them; the repr has neither."""
    token, [request] = driven(session().open(), [LOGIN])
    assert (token, request.method, request.url) == (TOKEN, "GET", "http://here/rest/v1/session")
    assert request.params == {"user": USER, "api_key": API_KEY}
    assert not any(each in repr(request) for each in SECRETS)


def test_a_token_is_used_until_it_is_nearly_over() -> None:
    """An hour less five minutes of I/O time; then the next request asks for another."""
    clock = Hours()
    ours = session(clock)
    driven(ours.open(), [LOGIN])
    clock.now += LIFE - EARLY - 1
    assert driven(ours.open(), []) == (TOKEN, [])
    clock.now += 1
    assert driven(ours.open(), [SECOND])[0] == "another"


def test_the_end_of_a_token_is_counted_from_the_venues_date() -> None:
    """Ours may be hours off: what counts is how long the venue says that it lives, an hour at the most."""
    for date, lives in (("15:20:00", 600.0), ("14:00:00", LIFE), ("15:24:59", 301.0)):
        clock = Hours()
        ours = session(clock)
        driven(ours.open(), [(200, GRANTED, {"date": f"Mon, 05 Jan 2026 {date} GMT"})])
        clock.now += lives - EARLY - 0.5
        assert driven(ours.open(), []) == (TOKEN, [])
        clock.now += 1
        assert driven(ours.open(), [SECOND])[0] == "another"


@pytest.mark.parametrize("written", ["2026-01-05 15:30:00", "2026-01-05 15:30:00.000001", "2026-01-05T15:30:00Z"])
def test_an_expiry_is_a_time_however_it_is_written(written: str) -> None:
    """With microseconds, without them, with a zone: as texts they do not compare."""
    clock = Hours()
    ours = session(clock)
    driven(ours.open(), [(200, {"res": {"token": TOKEN, "expired_utc": written}}, LOGIN[2])])
    clock.now += LIFE - EARLY - 2
    assert driven(ours.open(), []) == (TOKEN, [])


def test_a_refused_token_is_replaced_and_the_question_asked_again() -> None:
    """A GET does no harm twice."""
    ours = session()
    response, asked = driven(ours.get("/accounts", {}), [LOGIN, OVER, SECOND, NOTHING])
    assert (response.status, paths(asked)) == (200, ["session", "accounts", "session", "accounts"])
    assert asked[3].params["token"] == "another"


def test_a_post_is_sent_once_even_if_its_token_was_refused() -> None:
    """Whoever sends it decides; the token is not used again."""
    ours = session()
    response, asked = driven(ours.post("/open_order", {}), [LOGIN, OVER])
    assert (response.status, paths(asked)) == (401, ["session", "open_order"])
    assert driven(ours.open(), [SECOND])[0] == "another"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, {"res": f"no {USER} {API_KEY}"}), AuthenticationError),
        ((200, {"res": f"wrong {API_KEY}"}), ProtocolError),
        ((200, {"res": {"token": 5, "expired_utc": "2026-01-05 15:30:00"}}), ProtocolError),
        ((200, {"res": {"token": TOKEN}}), ProtocolError),
        ((200, {"res": {"token": TOKEN, "expired_utc": "soon"}}), ProtocolError),
        ((200, {"res": {"token": f"{TOKEN}\n", "expired_utc": "2026-01-05 15:30:00"}}), ProtocolError),
        ((200, {"status": "FAILED", "error": API_KEY}), ProtocolError),
        ((200, b"<html>"), ConnectionLost),
        ((502, b"<html>"), ConnectionLost),
        ((404, b"<html>"), ProtocolError),
        ((429, b"", {"retry-after": "7"}), RateLimited),
    ],
)
def test_a_login_that_fails_says_how_and_shows_no_secret(answer: Any, error: type[VenueError]) -> None:
    """Whatever the venue quotes: no part of it is in the message, the traceback or what was received."""
    with pytest.raises(error) as raised:
        driven(session().open(), [answer])
    told = "".join(traceback.format_exception(raised.value)) + str(getattr(raised.value, "received", ""))
    assert not any(each in told.split("Error: ", 1)[-1] for each in SECRETS)


def test_a_session_that_was_over_when_it_was_given_is_odd() -> None:
    """By the venue's own date; to use it would be to ask for ever."""
    with pytest.raises(ProtocolError, match="a session that was over"):
        driven(session().open(), [(200, GRANTED, {"date": "Mon, 05 Jan 2026 15:30:00 GMT"})])


def test_what_the_venue_quotes_is_hidden_however_it_is_spelled() -> None:
    """Raw, in a URL, in a form, in JSON; the token that went before too."""
    ours = session()
    driven(ours.get("/accounts", {}), [LOGIN, OVER, SECOND, NOTHING])
    quoted = f"{USER} {API_KEY} {TOKEN} another us%2Ber%40x.com k%2Fey%201%262 k%2Fey+1%262 {json.dumps(API_KEY)}"
    hidden = ours.hidden(quoted)
    assert not any(each in hidden for each in (*SECRETS, "another"))
    assert hidden.count("***") == 8
    assert not any(each in repr(ours) for each in SECRETS)


def test_addresses_are_made_of_the_host_or_of_the_seeds_base_url() -> None:
    """Both are common."""
    for base in ("https://algogene.com", "https://algogene.com/rest/v1", "https://algogene.com/rest/v1/"):
        assert rest_url(base, "/session") == "https://algogene.com/rest/v1/session"
        assert socket_url(base) == "wss://algogene.com/ws"


def test_who_comes_second_uses_the_token_that_the_first_one_got() -> None:
    """Two requests whose token was refused, side by side: one login."""
    ours = session()
    driven(ours.open(), [LOGIN])
    driven(ours.open(refused=TOKEN), [SECOND])
    assert driven(ours.open(refused=TOKEN), []) == ("another", [])
