"""The sandbox's AlphaHub over HTTP: logging in, renewing, logging out, and the history of signals."""

from __future__ import annotations

from pathlib import Path

import pytest
from signals_sandbox import BUY, alphahub, item

INVALID = {"error": {"message": "Invalid token", "status": 401}}
HISTORY = "/api/v1/algorithms/16/signals"


def test_any_email_and_password_log_in() -> None:
    """Two tokens, each another one, under the names that AlphaHub gives them."""
    with alphahub() as venue:
        answer = venue.login()
        assert (answer.status_code, set(answer.json()["data"])) == (200, {"token", "renew_token"})
        assert len({*venue.tokens(), *answer.json()["data"].values()}) == 4


@pytest.mark.parametrize(("email", "password"), [("", "secret"), ("a@b.c", "")])
def test_empty_credentials_do_not(email: str, password: str) -> None:
    """401, in the words of the library that AlphaHub seems to use."""
    with alphahub() as venue:
        answer = venue.login(email, password)
        body = {"error": {"message": "Invalid email or password", "status": 401}}
        assert (answer.status_code, answer.json()) == (401, body)


def test_login_is_a_form() -> None:
    """The same in JSON is not understood."""
    with alphahub() as venue:
        body = {"user": {"email": "a", "password": "b"}}
        assert venue.ask("POST", "/api/v1/session", json=body).status_code == 401


def test_renewal_makes_new_tokens_once() -> None:
    """The one that it was asked with is used up, and the access token before it is void."""
    with alphahub() as venue:
        token, renewal = venue.tokens()
        renewed = venue.ask("POST", "/api/v1/session/renew", renewal).json()["data"]
        again = venue.ask("POST", "/api/v1/session/renew", renewal)
        assert (again.status_code, again.json()) == (401, INVALID)
        assert venue.ask("GET", HISTORY, token).status_code == 401
        assert venue.ask("GET", HISTORY, renewed["token"]).status_code == 200


def test_access_token_renews_nothing() -> None:
    """Each token is for its own purpose."""
    with alphahub() as venue:
        token, renewal = venue.tokens()
        assert venue.ask("POST", "/api/v1/session/renew", token).json() == INVALID
        assert venue.ask("GET", HISTORY, renewal).json() == INVALID


def test_logging_out_voids_both_tokens() -> None:
    """Logging out twice is no error."""
    with alphahub() as venue:
        token, renewal = venue.tokens()
        assert [venue.ask("DELETE", "/api/v1/session", token).json() for _ in range(2)] == [{"data": {}}] * 2
        assert venue.ask("GET", HISTORY, token).json() == INVALID
        assert venue.ask("POST", "/api/v1/session/renew", renewal).json() == INVALID


def test_token_comes_raw() -> None:
    """With "Bearer" before it, or not at all, it is no token."""
    with alphahub() as venue:
        token, _ = venue.tokens()
        assert venue.ask("GET", HISTORY, f"Bearer {token}").json() == INVALID
        assert venue.ask("GET", HISTORY).json() == INVALID


def test_history_is_flat_and_the_newest_comes_first() -> None:
    """Open and close are mixed, within a publication the opens first; a hold is told as one."""
    with alphahub() as venue:
        venue.sandbox.publish(16, open=[{**BUY, "price": 1}, {**BUY, "price": 2}], close=[{**BUY, "price": 3}])
        venue.sandbox.publish(14, open=[BUY])
        venue.sandbox.publish(16, open=[{**BUY, "price": 4, "side": "hold"}])
        found = venue.history()
        assert [each["price"] for each in found] == [4, 2, 1, 3]
        assert found[0] == item(4, side="hold")


def test_history_after_a_day_includes_it() -> None:
    """By the day in the timestamp, however that is written, else by that of its publication."""
    with alphahub() as venue:
        for text in ("2025-12-31 T14:30:00", "2026-01-02T23:59:59", "noon"):
            venue.sandbox.publish(16, open=[{**BUY, "timestamp": text}])
        counts = {day: len(venue.history(day)) for day in ("2025-12-31", "2026-01-01", "2026-01-03", "2026-01-06")}
        assert counts == {"2025-12-31": 3, "2026-01-01": 2, "2026-01-03": 1, "2026-01-06": 0}


@pytest.mark.parametrize(("path", "status"), [(f"{HISTORY}?after=yesterday", 400), (HISTORY.replace("16", "x"), 404)])
def test_what_history_does_not_understand(path: str, status: int) -> None:
    """A day that is none and an algorithm that is no number."""
    with alphahub() as venue:
        answer = venue.ask("GET", path, venue.tokens()[0])
        assert (answer.status_code, answer.json()["error"]["status"]) == (status, status)


def test_sessions_survive_a_restart(tmp_path: Path) -> None:
    """A token goes on, a used renewal stays used, and none is given twice; no token is in the state file."""
    with alphahub(state=tmp_path / "book") as venue:
        token, renewal = venue.tokens()
        renewed = venue.ask("POST", "/api/v1/session/renew", renewal).json()["data"]
    with alphahub(state=tmp_path / "book") as venue:
        assert venue.ask("GET", HISTORY, token).status_code == 401
        assert venue.ask("POST", "/api/v1/session/renew", renewal).status_code == 401
        assert venue.ask("GET", HISTORY, renewed["token"]).status_code == 200
        assert not {*venue.tokens()} & {token, renewal, *renewed.values()}
    assert renewed["token"] not in (tmp_path / "book").read_text()
