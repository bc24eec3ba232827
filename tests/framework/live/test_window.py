"""The sliding window, pure."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError
from framework.live.window import Allowance, Window, allowance
from framework.wire import HttpResponse, Priority

DATE = {"date": "Tue, 14 Nov 2023 22:13:20 GMT"}  # 1,700,000,000

arrival = st.tuples(
    st.one_of(st.floats(0, 3), st.floats(0, 70)),  # seconds since the arrival before
    st.floats(0, 40),  # until its answer
    st.floats(0, 1),  # where in between the venue counts it
    st.sampled_from(Priority),
)


@given(st.integers(1, 6), st.integers(1, 8), st.lists(arrival, max_size=60))
def test_no_minute_of_the_venue_holds_more_than_the_limit(limit, at_once, arrivals):
    """Whenever requests come, however long their answers take, and wherever in between the venue counts them."""
    window, now, ends, counted = Window(limit, at_once, reserve=0.2), 0.0, [], []

    def pass_time(at):
        for end in sorted(each for each in ends if each <= at):
            ends.remove(end)
            window.end(end)
        return at

    for gap, duration, share, priority in arrivals:
        now = pass_time(now + gap)
        while not window.may(priority, now):
            opens = window.opens_at(priority, now)
            now = pass_time(min(at for at in (opens, *ends) if at is not None))
        window.take()
        ends.append(now + duration)
        counted.append(now + duration * share)
    for at in counted:
        assert sum(at <= other <= at + 60 for other in counted) <= limit


@given(st.integers(1, 300), st.floats(0, 0.24), st.integers(0, 400))
def test_exit_goes_as_long_as_there_is_room(limit, reserve, asked):
    """What is kept from others is never kept from a cancel."""
    window = Window(limit, at_once=1000, reserve=reserve)
    for _ in range(asked):
        if window.may(Priority.DATA, 0):
            window.take()
    assert window.may(Priority.EXIT, 0) == (window.in_flight < limit)


def test_burst_of_entries_leaves_room_for_cancels():
    """Of 200 a minute, 180 may be entries and 170 data; the rest is for what is more urgent."""
    counts = {}
    for priority in Priority:
        window = Window(at_once=1000)
        while window.may(priority, 0):
            window.take()
        counts[priority.name] = window.in_flight
    assert counts == {"EXIT": 200, "LOOK_UP": 190, "ENTRY": 180, "DATA": 170}


def test_place_is_held_until_a_minute_after_the_answer():
    """An answer that took ten seconds holds its place for ten seconds longer."""
    window = Window(1)
    window.take()
    assert window.opens_at(Priority.EXIT, 5) is None
    window.end(10)
    assert not window.may(Priority.EXIT, 70)
    opens = window.opens_at(Priority.EXIT, 70)
    assert 70 < opens < 70.2
    assert window.may(Priority.EXIT, opens)


def test_no_more_than_so_many_are_unanswered_at_once():
    """The pool has so many connections; who goes first is decided before it, not in it."""
    window = Window(100, at_once=2)
    window.take()
    window.take()
    assert not window.may(Priority.EXIT, 0)
    assert window.opens_at(Priority.EXIT, 0) is None


def told(window, at, **parts):
    """One request of ours whose answer tells `parts`."""
    window.take()
    window.hear(Allowance(**parts), at)
    window.end(at)


def test_what_others_used_is_taken_off_until_the_reset():
    """The venue knows of requests that we did not send."""
    window = Window(200)
    told(window, 0.0, limit=200, remaining=2, resets_in=30)
    assert window.room(0) == 2
    window.take()
    window.take()
    assert not window.may(Priority.EXIT, 29)
    assert window.opens_at(Priority.EXIT, 29) == 30
    assert window.room(30) == 197


def test_venue_that_agrees_corrects_nothing():
    """It counts as we do, or its window began later: our own count holds."""
    window = Window(200)
    told(window, 0.0, limit=200, remaining=199, resets_in=30)
    told(window, 1.0, limit=200, remaining=199, resets_in=60)
    assert window.room(1) == 198


def test_correction_is_downward_only():
    """A venue that allows more than the setting does not raise it; one that allows less lowers it."""
    window = Window(200)
    told(window, 0.0, limit=1000, remaining=999)
    assert (window.limit, window.room(0)) == (200, 199)
    told(window, 1.0, limit=100, remaining=99)
    assert (window.limit, window.room(1)) == (100, 98)


def test_late_answer_of_an_older_window_is_not_believed():
    """It was written before the reset that a later one told of."""
    window = Window(200)
    told(window, 0.0, remaining=150, resets_in=60)
    told(window, 1.0, remaining=3, resets_in=0)
    assert window.room(1) == 150 - 1


def test_answers_that_overtake_one_another_do_not_raise_what_is_left():
    """Within one window of the venue's, the least that was told holds."""
    window = Window(200)
    told(window, 0.0, remaining=3, resets_in=30)
    told(window, 0.1, remaining=150, resets_in=30)
    assert window.room(1) == 3 - 1


def test_those_in_flight_may_not_be_counted_yet():
    """Where others use the account, what remains is shared with what is on its way."""
    window = Window(200)
    for _ in range(5):
        window.take()
    window.hear(Allowance(remaining=10, resets_in=30), 0)
    assert window.room(0) == 10 - 4


def test_closed_window_lets_nobody_pass():
    """After a 429 not even a cancel goes before the reset; an hour is asked again after 90 seconds."""
    window = Window(200)
    window.close(7, 0)
    assert not window.may(Priority.EXIT, 6.9)
    assert window.opens_at(Priority.EXIT, 0) == 7
    assert window.may(Priority.EXIT, 7)
    window.close(3600, 7)
    assert window.opens_at(Priority.EXIT, 7) == 97


def test_request_that_did_not_go_gives_its_place_back():
    """Its sender was cancelled."""
    window = Window(1)
    window.take()
    window.give_back()
    assert window.may(Priority.EXIT, 0)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-ratelimit-limit": "200", "x-ratelimit-remaining": "7"}, Allowance(200, 7, None)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000030", **DATE}, Allowance(None, 0, 30)),
        ({"x-ratelimit-reset": "1700000030"}, Allowance(None, None, 20)),
        ({"x-ratelimit-remaining": "many"}, Allowance()),
    ],
)
def test_headers_are_read_by_the_venues_own_clock(headers, expected):
    """The reset is an instant, so it is measured from the answer's Date, and from ours where there is none."""
    assert allowance(HttpResponse(200, headers, b""), now=1_700_000_010) == expected


@given(
    st.lists(
        st.tuples(
            st.floats(0, 100),
            st.floats(allow_nan=True) | st.none(),
            st.floats(allow_nan=True) | st.none(),
            st.floats(0, math.inf) | st.none(),
        ),
        max_size=20,
    )
)
def test_whatever_is_told_it_opens_again(statements):
    """No header, however mad, closes the budget for longer than 90 seconds."""
    window, now = Window(5), 0.0
    for gap, limit, remaining, resets_in in statements:
        now += gap
        told(window, now, limit=limit, remaining=remaining, resets_in=resets_in)
    assert window.may(Priority.EXIT, now + 91)


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"at_once": 0}, {"reserve": 0.5}, {"reserve": -0.1}])
def test_settings_that_let_nothing_pass_are_refused(wrong):
    """Before anything runs."""
    with pytest.raises(ConfigError, match="give a limit"):
        Window(**wrong)


def test_what_is_used_is_told_without_changing_anything():
    """In flight and answered within the minute, or more where the venue says that others use the account too."""
    window = Window(10)
    for _ in range(3):
        window.take()
    window.end(0.0)
    assert window.used(1.0) == (3, 10)
    assert window.used(70.0) == (2, 10)
    assert window.used(1.0) == (3, 10)
    window.hear(Allowance(remaining=4, resets_in=30), 2.0)
    assert window.used(3.0) == (7, 10)
    assert Window(None).used(0.0) is None
