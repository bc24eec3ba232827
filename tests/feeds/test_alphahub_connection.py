"""The example client's own interface, over real sockets."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from feeds import AlphaHubConnection
from feeds.alphahub.batches import batch_of
from feeds.alphahub.connection import published
from feeds.alphahub.person import find_person
from feeds.alphahub.settings import Waits
from framework.app.sandbox import Sandbox
from framework.errors import AuthenticationError, ConfigError
from framework.live.stream import Pace
from framework.model import Link, Side, Signal, SignalAction

BUY = {"symbol": "SPY", "side": "buy", "price": 1.5}
SELL = {"symbol": "SPY", "side": "sell", "price": 2.5}
QUICK = Waits(pace=Pace(close=0.05, first_wait=0.01, longest_wait=0.05), stagger=0.01)


class Stage:
    def __init__(self, sandbox):
        self.sandbox, self.told, self.late, self.news = sandbox, [], [], []

    def connection(self, on_signal=None, **more):
        return AlphaHubConnection(
            algo_ids=[14, 16], on_signal=on_signal or (lambda *told: self.told.append(told)), **self.sandbox.alphahub,
            on_late=lambda *told: self.late.append(told), on_news=self.news.append, waits=QUICK, **more,
        )  # fmt: skip

    @asynccontextmanager
    async def running(self, on_signal=None, **more):
        before = self.ups()
        job = asyncio.create_task(self.connection(on_signal, **more).run())
        await self.until(lambda: self.ups() > before or job.done())
        try:
            yield job
        finally:
            job.cancel()
            await asyncio.wait([job])

    def ups(self):
        return sum(isinstance(each, Link) and each.is_up for each in self.news)

    async def publish(self, algorithm=16, **lists):
        await asyncio.to_thread(lambda: self.sandbox.publish(algorithm, **lists))

    async def until(self, condition):
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.005)


def play(scene):
    with Sandbox(speed=1.0) as sandbox:
        stage = Stage(sandbox)
        asyncio.run(scene(stage))
        return stage


def test_callback_is_given_what_was_published():
    """The id as a number, and the message: both lists, items with their four fields, names cleaned of space."""

    async def scene(stage):
        async with stage.running():
            await stage.publish(open=[BUY], quirks=["spaced_key"])
            await stage.publish(14, close=[SELL], open=[])
            await stage.until(lambda: len(stage.told) == 2)

    told = dict(play(scene).told)
    opened, closed = told[16], told[14]
    assert {**opened["open"][0], "timestamp": ""} == {**BUY, "timestamp": ""}
    assert (opened["close"], closed["open"]) == ([], [])
    assert closed["close"][0].keys() == {"price", "side", "symbol", "timestamp"}


def test_what_was_missed_has_the_same_shape():
    """Made of what history tells."""

    async def scene(stage):
        async with stage.running():
            stage.sandbox.fault("drop", stream="alphahub", count=2)
            await stage.publish(open=[BUY])
            await stage.until(lambda: stage.told)

    [(_, info)] = play(scene).told
    assert info["close"] == []
    assert info["open"][0].keys() == {"price", "side", "symbol", "timestamp"}
    assert info["open"][0]["timestamp"].startswith("2026-10-05T13:30")


def test_coroutine_is_awaited_and_one_call_follows_another():
    """The first takes longest, and is done first all the same."""
    done = []

    async def scene(stage):
        async def on_signal(algorithm, info):
            await asyncio.sleep(0.05 if not done else 0)
            done.append(info["open"][0]["price"])

        async with stage.running(on_signal):
            for price in (1.0, 2.0, 3.0):
                await stage.publish(open=[{**BUY, "price": price}])
            await stage.until(lambda: len(done) == 3)

    play(scene)
    assert done == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("is_async", [False, True])
def test_error_in_the_callback_is_told_with_the_signal_and_stops_nothing(is_async, caplog):
    """It is in the log, with its traceback."""
    told = []

    async def scene(stage):
        def on_signal(algorithm, info):
            told.append(algorithm)
            raise ZeroDivisionError("mine")

        async def awaited(algorithm, info):
            on_signal(algorithm, info)

        async with stage.running(awaited if is_async else on_signal):
            await stage.publish(open=[BUY])
            await stage.publish(14, open=[BUY])
            await stage.until(lambda: len(told) == 2)

    with caplog.at_level(logging.ERROR):
        play(scene)
    assert sorted(told) == [14, 16]
    assert ["SPY" in each.getMessage() for each in caplog.records if each.name == "switchback.signals"] == [True, True]


def test_values_instead_of_dictionaries():
    """With what is not in the dictionary: the weight, the time of receipt."""

    async def scene(stage):
        async with stage.running(values=True):
            await stage.publish(open=[BUY])
            await stage.until(lambda: stage.told)

    [(_, (signal,))] = play(scene).told
    assert isinstance(signal, Signal)
    assert signal.weight == 1.0


def test_time_of_receipt_where_it_is_asked_for():
    """In UTC, beside the lists."""

    async def scene(stage):
        async with stage.running(received=True):
            await stage.publish(open=[BUY])
            await stage.until(lambda: stage.told)

    [(_, info)] = play(scene).told
    assert datetime.fromisoformat(info["received"]).utcoffset() == timedelta()
    assert info["open"][0]["symbol"] == "SPY"


@pytest.mark.parametrize(("tz", "hour"), [("UTC", "13"), ("America/New_York", "09")])
def test_what_was_missed_is_told_as_it_would_have_been_pushed(tz, hour):
    """Its time in the zone that times are in, and its weight where it is not that of an item without any."""
    at = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
    signals = [
        Signal("16", symbol, at, SignalAction.OPEN, Side.BUY, weight, published=at)
        for symbol, weight in (("SPY", 0.5), ("IBM", 0.25))
    ]
    items = published(batch_of(signals), ZoneInfo(tz))["open"]
    assert [each.get("weight") for each in items] == [None, 0.25]
    assert items[0]["timestamp"] == f"2026-10-05T{hour}:30:00"


def test_journal_in_a_file_makes_a_restart_whole(tmp_path):
    """Nothing is called for twice, and what was published meanwhile is called for."""

    async def run(stage, price):
        before = len(stage.told)
        async with stage.running(journal=tmp_path / "signals.sqlite", tz="UTC"):
            await stage.until(lambda: len(stage.told) == before + (before > 0))
            await stage.publish(open=[{**BUY, "price": price}])
            await stage.until(lambda: len(stage.told) == before + 1 + (before > 0))
        await stage.publish(14, open=[{**BUY, "price": 10 * price}])

    async def scene(stage):
        for price in (1.0, 2.0, 3.0):
            await run(stage, price)

    stage = play(scene)
    assert [info["open"][0]["price"] for _, info in stage.told] == [1.0, 10.0, 2.0, 20.0, 3.0]


def test_without_a_journal_it_says_what_is_not_promised(caplog):
    """And what was published before it ran is not called for."""

    async def scene(stage):
        await stage.publish(open=[BUY])
        async with stage.running():
            await stage.publish(close=[SELL])
            await stage.until(lambda: stage.told)

    with caplog.at_level(logging.WARNING):
        assert len(play(scene).told) == 1
    assert "without a journal" in caplog.text


def test_wrong_password_ends_it_with_one_login():
    """And with the library's own error, not with a group of them."""

    async def scene(stage):
        stage.sandbox.fault("wrong_password", count=0)
        with pytest.raises(AuthenticationError, match="ALPHAHUB_PASSWORD"):
            await stage.connection().run()
        assert stage.sandbox.market.requests["alphahub_logins"] == 1

    play(scene)


def test_callback_has_to_be_one():
    """Told when it is made, not when the first signal comes."""
    with pytest.raises(ConfigError, match="on_signal"):
        AlphaHubConnection("me@example.com", "x", [16], None)


@pytest.mark.parametrize(
    ("base_url", "why"), [("alphahub", "is not an address"), ("http://alphahub.us", "in the clear")]
)
def test_address_that_cannot_be_used_is_refused_at_once(base_url, why):
    """A password goes nowhere in the clear, and what is no address is not tried for ever."""
    with pytest.raises(ConfigError, match=why):
        AlphaHubConnection("me@example.com", "x", [16], print, base_url)


# Whose account it is


def person(**environ):
    found = find_person(environ=environ)
    return found.key, found.secret


def test_what_is_given_comes_first(nobody):
    """Each of the two by itself; a password may hold spaces."""
    environ = {"ALPHAHUB_EMAIL": "env@example.com", "ALPHAHUB_PASSWORD": "of the environment"}
    found = find_person("me@example.com", None, environ)
    assert (found.key, found.secret) == ("me@example.com", "of the environment")


@pytest.mark.parametrize("module", ["creds.py", "alphahub/creds.py"])
def test_module_of_the_examples_users_is_found(nobody, module):
    """Where the environment lacks one of the two, or both."""
    (nobody / module).parent.mkdir(exist_ok=True)
    (nobody / module).write_text('email = "mod@example.com"\npassword = "of the module"\n')
    assert person() == ("mod@example.com", "of the module")
    assert person(ALPHAHUB_EMAIL="env@example.com") == ("env@example.com", "of the module")


def test_error_in_the_users_module_is_theirs(nobody):
    """It is not taken for a module that is not there."""
    (nobody / "creds.py").write_text("import something_that_is_not_there\n")
    with pytest.raises(ModuleNotFoundError, match="something_that_is_not_there"):
        person()


def test_nobody_is_told_kindly(nobody):
    """What to set; and nothing that is shown holds a password."""
    with pytest.raises(ConfigError, match="ALPHAHUB_PASSWORD"):
        person(ALPHAHUB_EMAIL="env@example.com")
    assert "secret" not in repr(find_person("me@example.com", "secret"))
