"""Client order ids: deterministic, unique, readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError
from framework.live.identity import LONGEST, ClientOrderId

sessions = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,30}[A-Za-z0-9])?", fullmatch=True)
identities = st.builds(
    ClientOrderId, sessions, st.integers(1, 10**9), st.integers(1, 10**9), st.integers(0, 99)
)  # fmt: skip


@given(identities)
def test_an_id_is_read_back_as_it_was_written(identity: ClientOrderId) -> None:
    """Whatever the session is called, dashes and digits included."""
    assert ClientOrderId.parse(str(identity)) == identity


@given(identities, identities)
def test_two_orders_never_share_an_id(one: ClientOrderId, other: ClientOrderId) -> None:
    """Sessions, runs, refs and changes that differ anywhere are written differently."""
    assert (str(one) == str(other)) == (one == other)


def test_a_session_that_looks_like_an_id_stays_apart() -> None:
    """The session "a-1", run 2, is not the session "a", run 1."""
    assert str(ClientOrderId("a-1", 2, 3)) == "a-1-2-3"
    assert ClientOrderId.parse("a-1-2-3") == ClientOrderId("a-1", 2, 3)


@pytest.mark.parametrize("text", ["", "a", "a-1", "a-0-1", "a-1-01", "a b-1-2", "904837e3-3b76-47ec-b432-046db621571b"])
def test_what_is_not_ours_is_none(text: str) -> None:
    """Another program's ids, the venue's own, and near misses."""
    assert ClientOrderId.parse(text) is None


@pytest.mark.parametrize("session", ["", "-a", "a b", "é", "x" * LONGEST])
def test_a_session_name_that_makes_no_id_is_refused_early(session: str) -> None:
    """Before anything is sent, in one line."""
    with pytest.raises(ConfigError, match="session name"):
        ClientOrderId(session, 1, 1)


def test_runs_and_refs_count_from_one() -> None:
    """What was never given out is not made up."""
    with pytest.raises(ConfigError, match="count from 1"):
        ClientOrderId("a", 0, 1)
