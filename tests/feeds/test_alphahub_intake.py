"""What of an algorithm's signals is new, found again or too late: no lines, no clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from feeds.alphahub.intake import OVERTAKEN, PAST, Batch, Intake, Push
from feeds.alphahub.parsing import Reading
from feeds.alphahub.settings import Settings
from feeds.alphahub.watch import Watch
from framework.config import Credentials
from framework.errors import ConfigError
from framework.live.codec import dumps, loads

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def item(symbol, side, at, price=10.0, **more):
    return {"symbol": symbol, "side": side, "price": price, "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}", **more}


def push(at, doubt="", **lists):
    return Push(json.dumps(lists), at, doubt)


def intake(checked_at=AT, **more):
    """An algorithm that history was asked about at `checked_at`."""
    made = Intake("16", Reading.of("UTC"), 5 * MINUTE, **more)
    made.checked_at = checked_at
    return made


def answered(made, at, *rows, waiting=()):
    """What history tells at a time, rows the oldest first."""
    answer = json.dumps({"data": {"signals": rows[::-1]}})
    return made.answered(made.question(at), answer, at, waiting)[0]


def shown(batches):
    return [(each.action.value, each.symbol, batch.why_late) for batch in batches for each in batch.signals]


def test_second_copy_is_nothing_new():
    """From the other line."""
    made = intake()
    assert shown(made.pushed(push(AT, open=[item("A", "buy", AT)]))[0]) == [("open", "A", "")]
    assert made.pushed(push(AT + SECOND, open=[item("A", "buy", AT)])) == ([], [])


def test_push_of_what_was_found_is_nothing_new_whatever_history_made_of_it():
    """History cannot say that it covers a short position that nobody has heard of; each line brings it once more."""
    made = intake()
    assert shown(answered(made, AT + MINUTE, item("A", "buy", AT))) == [("open", "A", "")]
    for _ in range(2):
        assert made.pushed(push(AT + MINUTE, close=[item("A", "buy", AT)])) == ([], [])


def test_same_order_of_another_time_is_new():
    """Bought, sold and bought again on one day."""
    made = intake()
    answered(made, AT + MINUTE, item("A", "buy", AT))
    told, _ = made.pushed(push(AT + MINUTE, open=[item("A", "buy", AT + MINUTE)]))
    assert shown(told) == [("open", "A", "")]


def test_what_is_missing_comes_before_what_was_pushed_meanwhile():
    """And what was published after that comes after it."""
    made = intake()
    rows = [item(name, "buy", AT + number * SECOND) for number, name in enumerate("ABC")]
    told = answered(made, AT + MINUTE, *rows, waiting=[push(AT + MINUTE, open=[rows[1]])])
    assert shown(told) == [("open", name, "") for name in "ABC"]


def test_push_that_came_after_the_answer_comes_last():
    """The answer does not have it yet."""
    made = intake()
    told = answered(made, AT + MINUTE, item("A", "buy", AT), waiting=[push(AT, open=[item("B", "buy", AT + SECOND)])])
    assert shown(told) == [("open", "A", ""), ("open", "B", "")]


def test_what_is_found_behind_what_was_told_is_late():
    """To open now what may be closed since would be worse than to leave it."""
    made = intake()
    made.pushed(push(AT, open=[item("B", "buy", AT)]))
    told = answered(made, AT + MINUTE, item("A", "buy", AT - MINUTE), item("B", "buy", AT))
    assert shown(told) == [("open", "A", OVERTAKEN)]


def test_push_that_is_overtaken_is_late():
    """One line was slow, the other deaf for the first of two."""
    made = intake()
    made.pushed(push(AT, open=[item("B", "buy", AT)]))
    assert shown(made.pushed(push(AT, open=[item("A", "buy", AT - SECOND)]))[0]) == [("open", "A", OVERTAKEN)]


def test_nothing_is_known_at_first_and_all_of_it_is_past():
    """But what is pushed while history is asked for the first time is new."""
    made = intake(checked_at=None)
    rows = [item("A", "buy", AT - MINUTE), item("B", "buy", AT)]
    told = answered(made, AT, *rows, waiting=[push(AT, open=[rows[1]])])
    assert [(each.came, each.signals[0].symbol) for each in told] == [(PAST, "A"), ("pushed", "B")]
    assert told[1].why_late == ""


@pytest.mark.parametrize(
    ("heard", "published", "trusts_times", "is_late"),
    [(-1, -1, True, False), (-1, -6, True, True), (-6, -1, True, True), (-1, -1, False, True), (-1, 6, True, True)],
)
def test_long_after_the_last_answer_two_signs_show_a_signal_to_be_new(heard, published, trusts_times, is_late):
    """The line was heard a moment ago, and the time that is written says so too: one of them may be wrong."""
    made, now = intake(trusts_times=trusts_times), AT + 20 * MINUTE
    made.heard_at = now + heard * MINUTE
    [told] = answered(made, now, item("A", "buy", now + published * MINUTE))
    assert bool(told.why_late) is is_late


def test_answer_that_lacks_what_was_pushed_proves_nothing():
    """Until the third in a row: then it is its way."""
    made = intake()
    made.pushed(push(AT, open=[item("A", "buy", AT)]))
    proofs = []
    for number in range(1, 4):
        answered(made, AT + number * MINUTE)
        proofs.append(made.checked_at)
    assert proofs == [AT, AT, AT + 3 * MINUTE]


def test_what_it_holds_follows_from_all_that_is_known():
    """A sale of what was bought a week ago closes it."""
    made = intake(checked_at=None)
    answered(made, AT - timedelta(days=7), item("A", "buy", AT - timedelta(days=7)))
    made.checked_at = AT
    assert shown(answered(made, AT + MINUTE, item("A", "sell", AT))) == [("close", "A", "")]


def test_doubt_makes_late():
    """It waited while the machine was asleep."""
    assert shown(intake().pushed(push(AT, "asleep", open=[item("A", "buy", AT)]))[0]) == [("open", "A", "asleep")]


def test_batch_is_what_its_record_says():
    """Written as the journal writes it, and read again; what it told is known then."""
    made = intake()
    [told], _ = made.pushed(push(AT, open=[item("A", "buy", AT, note="x")], close=[]))
    again = Batch.read("16", loads(dumps(told.body())))
    assert again == told
    other = intake()
    other.restore(again)
    assert other.pushed(push(AT, open=[item("A", "buy", AT)])) == ([], [])


def test_message_is_kept_where_all_of_it_is_new():
    """So that it can be handed on as it came."""
    made, both = intake(), [item("A", "buy", AT), item("B", "buy", AT)]
    assert made.pushed(push(AT, open=both[:1]))[0][0].payload
    assert made.pushed(push(AT, open=both))[0][0].payload == ""


# When to look

NEW_YORK = ZoneInfo("America/New_York")


def test_history_is_asked_each_half_minute_around_the_usual_time():
    """Else each four minutes; the beginning of that span is not slept over."""
    watch = Watch(NEW_YORK, usual=time(10))
    assert watch.next_look(AT) == AT + 30 * SECOND  # 10:00 in New York
    assert watch.next_look(AT - 16 * MINUTE) == AT - 15 * MINUTE
    assert watch.next_look(AT + 15 * MINUTE) == AT + 19 * MINUTE


def test_alarm_is_on_trading_days_and_by_its_own_clock():
    """A Friday's next is Monday's; after the clocks have changed it is another time in UTC."""
    watch = Watch(NEW_YORK, by=time(10))
    friday = datetime(2026, 3, 6, 15, tzinfo=UTC)
    assert watch.next_alarm(friday - SECOND) == friday
    assert watch.next_alarm(friday) == datetime(2026, 3, 9, 14, tzinfo=UTC)
    assert Watch().next_alarm(friday) is None


def test_alarm_knows_the_exchanges_holidays():
    """Good Friday of 2026."""
    account = Credentials("me@example.com", "x")
    found = Settings.of([16], tz="UTC", credentials=account, alarm="10:00", zone="America/New_York").watch
    assert found.next_alarm(datetime(2026, 4, 2, 14, 0, tzinfo=UTC)) == datetime(2026, 4, 6, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"tz": None}, "tz="), ({"connections": 0}, "connections=0"), ({"connections": True}, "connections=True"),
        ({"late": 0}, "late=0"), ({"usual": "10:00"}, "usual"), ({"alarm": "10:00"}, "alarm"),
        ({"usual": "ten", "zone": "UTC"}, "10:30"), ({"usual": "10:00", "zone": "Mars"}, "zone 'Mars'"),
        ({"lookback": -1}, "lookback"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_told_kindly(wrong, named):
    """In one line, with the name of what is wrong."""
    with pytest.raises(ConfigError, match=named):
        Settings.of([16], **{"tz": "UTC", "credentials": Credentials("me@example.com", "x"), **wrong})
