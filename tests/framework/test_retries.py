"""What both transports agree on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.retries import Patience, retry_after, server_time, with_seconds
from framework.wire import HttpRequest, HttpResponse, Priority


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_back_off_stays_within_its_bounds(attempt, chance):
    """However often it failed, a wait is at least half of the first and never longer than the longest."""
    patience = Patience(first_wait=0.5, longest_wait=30)
    assert 0.25 <= patience.back_off(attempt, chance) <= 30


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_only_a_get_is_tried_again(method):
    """All else may have been done."""
    assert Patience().tries(HttpRequest(method, "http://a/")) == 1
    assert Patience().tries(HttpRequest("GET", "http://a/")) == 6


def test_other_side_is_measured_by_its_own_clock():
    """Its Date header tells when it answered; one that is no date tells nothing."""
    answer = HttpResponse(429, {"date": "Tue, 14 Nov 2023 22:13:20 GMT", "x-ratelimit-reset": "1700000007"}, b"")
    assert server_time(answer) == 1_700_000_000
    assert retry_after(answer, server_time(answer)) == 7
    assert server_time(HttpResponse(200, {"date": "noon"}, b"")) is None


def test_endless_wait_is_left_as_it_was_told():
    """A wait that is no number of seconds is not put into one."""
    answer = HttpResponse(429, {"retry-after": "Infinity"}, b"")
    assert with_seconds(answer, 0.0) is answer


def test_method_suggests_the_priority_unless_one_is_given():
    """A cancel goes before an entry, an entry before data; an exit says that it is one."""
    urgencies = [HttpRequest(method, "/").urgency for method in ("DELETE", "POST", "PATCH", "GET")]
    assert urgencies == [Priority.EXIT, Priority.ENTRY, Priority.ENTRY, Priority.DATA]
    assert HttpRequest("POST", "/", priority=Priority.EXIT).urgency is Priority.EXIT
