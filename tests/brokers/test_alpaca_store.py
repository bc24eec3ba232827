"""What `AlpacaStore`, its data and its broker take, and what they refuse, each in one line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import backtrader as bt
import pytest
from store_script import DAY, Scripted, half_an_hour, live, stop, store_of

import brokers
from brokers import AlpacaStore, AlpacaVenue
from brokers.alpaca.store import AlpacaBroker, AlpacaData
from framework import Live
from framework.app.sandbox import Sandbox
from framework.errors import AuthenticationError, ConfigError

MINUTES = bt.TimeFrame.Minutes


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Half an hour of SPY and IBM."""
    with Sandbox(half_an_hour()) as served:
        yield served


def test_the_import_of_their_scripts_is_the_only_line_that_changes() -> None:
    """`from brokers.alpaca import AlpacaStore`, and its data and broker by their names."""
    import brokers.alpaca as package

    assert package.AlpacaStore is AlpacaStore
    assert (package.AlpacaData, package.AlpacaBroker) == (AlpacaData, AlpacaBroker)
    assert set(package.__all__) == {"AlpacaStore", "AlpacaData", "AlpacaBroker"}
    assert {"AlpacaStore", "AlgogeneStore"} <= set(brokers.__all__)
    with pytest.raises(AttributeError, match="no attribute 'AlpacaShop'"):
        _ = package.AlpacaShop


def test_venues_do_not_bring_backtrader_along() -> None:
    """Who asks for a venue only does not wait for Backtrader to load."""
    code = "import sys; from brokers import AlpacaVenue; print('backtrader' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda store: AlpacaStore(keyid="k"), r"AlpacaStore has no parameter 'keyid' \(did you mean key_id\?\)"),
        (
            lambda store: store.getdata("SPY", histrical=True),
            r"AlpacaData .* 'histrical' \(did you mean historical\?\)",
        ),
        (lambda store: store.getdata(dataname="SPY", unit=1), "AlpacaData has no parameter 'unit'"),
        (lambda store: store.getbroker(use_position=1), r"AlpacaBroker .* \(did you mean use_positions\?\)"),
        (lambda store: store.getdata("SPY", timeframe=bt.TimeFrame.Ticks), "timeframe='Ticks' is not among"),
        (lambda store: store.getdata("SPY", timeframe="Minutes"), "timeframe='Minutes' is not among"),
        (lambda store: store.getdata("SPY", timeframe=MINUTES, compression=0), "compression=0 is no number of bars"),
        (
            lambda store: store.getdata("SPY", timeframe=MINUTES, fromdate="yesterday"),
            "fromdate 'yesterday' is not a date",
        ),
        (lambda store: store.getdata("SPY", timeframe=MINUTES, data_feed="iexx"), r"'iexx' .*did you mean iex"),
        (lambda store: store.getdata(timeframe=MINUTES), "AlpacaData is of a symbol"),
        (lambda store: AlpacaData(dataname="SPY", timeframe=MINUTES), "AlpacaData belongs to a store"),
        (lambda store: AlpacaBroker(), "AlpacaBroker belongs to a store"),
    ],
)
def test_what_is_not_known_is_named_at_once(make: Any, said: str) -> None:
    """A misspelt parameter or bars that there are none of: one line, when it is given and not when it runs."""
    with pytest.raises(ConfigError, match=said) as caught:
        make(AlpacaStore(key_id="k", secret_key="s"))
    assert "\n" not in str(caught.value)


def test_data_and_broker_of_a_store_are_made_by_their_classes_too() -> None:
    """`AlpacaData(store=store)` is `store.getdata()`."""
    store = AlpacaStore()
    data, broker = AlpacaData(store=store, dataname="SPY", timeframe=MINUTES), AlpacaBroker(store=store)
    assert (data.p.dataname, data._name, data._store, broker.store) == ("SPY", "SPY", store, store)


def test_parameters_that_change_nothing_are_taken() -> None:
    """Those of the original that have no meaning here; of Polygon's data it is said why."""
    with pytest.warns(UserWarning, match='data_feed="sip" has all exchanges'):
        store = AlpacaStore(key_id="k", secret_key="s", usePolygon=True, account_tmout=1.0, api_version="v2")
    store.getdata(
        "SPY", timeframe=MINUTES, bidask=False, useask=True, includeFirst=False, reconntimeout=1.0, qcheck=2.0
    )


def test_stores_are_several() -> None:
    """No singleton: each has its own account."""
    one, other = AlpacaStore(key_id="a", secret_key="b"), AlpacaStore(key_id="c", secret_key="d")
    assert one is not other
    assert one.venue.secrets != other.venue.secrets
    assert one.getdata("SPY").store is one


def test_paper_is_the_default_and_secrets_are_in_no_repr() -> None:
    """The original traded real money unless told otherwise."""
    store = AlpacaStore(key_id="KEY-SHOWN-NOWHERE", secret_key="secret-shown-nowhere")
    assert store.venue.paper
    for each in (store, store.venue, store.getdata("SPY"), store.getbroker()):
        assert "shown-nowhere" not in f"{each!r} {each}".lower()


def test_real_money_is_asked_for_twice(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the account's number nothing is sent."""
    monkeypatch.setattr(AlpacaVenue, "is_real", property(lambda self: True))
    for how in (Live(), Live(real_money="PA999")):
        with pytest.raises(ConfigError, match="this is real money"):
            live(sandbox, how=how)
    assert sandbox.state()["requests"].get("orders", 0) == 0


def test_before_a_run_the_broker_has_what_the_account_has(sandbox: Sandbox) -> None:
    """`Starting Portfolio Value` of a script, and what `setcash` makes of it."""
    broker = store_of(sandbox).getbroker()
    assert (broker.getvalue(), broker.getcash()) == (100_000.0, 100_000.0)
    broker.setcash(5_000.0)
    assert (broker.getvalue(), broker.getcash()) == (5_000.0, 5_000.0)


def test_a_wrong_secret_is_one_line_that_does_not_show_it(sandbox: Sandbox) -> None:
    """Whether the account is only asked for or is to be traded."""
    store = AlpacaStore(key_id=sandbox.key, secret_key="not-the-secret", base_url=sandbox.url)
    cerebro = bt.Cerebro()
    cerebro.adddata(store.getdata("SPY", timeframe=MINUTES))
    cerebro.setbroker(store.getbroker())
    for act in (store.account, cerebro.run):
        with pytest.raises(AuthenticationError) as caught:
            act()
        assert "\n" not in str(caught.value)
        assert "not-the-secret" not in str(caught.value)


def test_a_broker_without_live_data_is_refused(sandbox: Sandbox) -> None:
    """Orders on the prices of last year would be sent today."""
    store, cerebro = store_of(sandbox), bt.Cerebro()
    sandbox.step(5)
    cerebro.adddata(store.getdata("SPY", timeframe=MINUTES, historical=True, fromdate=DAY))
    cerebro.setbroker(store.getbroker())
    with pytest.raises(ConfigError, match="AlpacaBroker trades live, and no data of its store is live"):
        cerebro.run()


def test_live_data_without_the_stores_broker_are_refused(sandbox: Sandbox) -> None:
    """Backtrader's own broker would fill them by itself, and the account would have nothing."""
    cerebro = bt.Cerebro()
    cerebro.adddata(store_of(sandbox).getdata("SPY", timeframe=MINUTES))
    with pytest.raises(ConfigError, match="orders would go to BackBroker"):
        cerebro.run()


def test_a_live_strategy_is_not_optimised(sandbox: Sandbox) -> None:
    """A live feed happens once."""
    store, cerebro = store_of(sandbox), bt.Cerebro(maxcpus=1)
    cerebro.adddata(store.getdata("SPY", timeframe=MINUTES))
    cerebro.setbroker(store.getbroker())
    cerebro.optstrategy(Scripted, script=[None, None])
    with pytest.raises(ConfigError, match="optstrategy"):
        cerebro.run()


def test_feeds_of_one_line_have_one_feed_and_one_kind_of_hours(sandbox: Sandbox) -> None:
    """What comes over one socket cannot be asked for in two ways."""
    store, cerebro = store_of(sandbox), bt.Cerebro()
    cerebro.adddata(store.getdata("SPY", timeframe=MINUTES))
    cerebro.adddata(store.getdata("IBM", timeframe=MINUTES, data_feed="sip"))
    cerebro.setbroker(store.getbroker())
    with pytest.raises(ConfigError, match="SPY has data_feed='iex' and IBM data_feed='sip'"):
        cerebro.run()


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [
        (date(2026, 10, 5), date(2026, 10, 5), 20),
        ("2026-10-05", None, 20),
        (datetime(2026, 10, 5, 9, 40), datetime(2026, 10, 5, 9, 45), 5),  # noqa: DTZ001  (New York's wall clock)
        ("2026-10-05T09:40", "2026-10-05T09:45", 5),
        ("2026-10-05T13:40+00:00", "2026-10-05T13:45+00:00", 5),
        (None, None, 390),
    ],
)
def test_dates_are_the_exchanges(sandbox: Sandbox, since: Any, until: Any, count: int) -> None:
    """A day is a day in New York, a time without a zone its wall clock, and left out the last three days."""
    sandbox.step(20)
    cerebro = bt.Cerebro()
    cerebro.addstrategy(Scripted)
    data = store_of(sandbox).getdata("SPY", timeframe=MINUTES, historical=True, fromdate=since, todate=until)
    cerebro.adddata(data)
    (strategy,) = cerebro.run()
    assert len(strategy.times) == count


def test_times_are_utc_unless_a_zone_is_asked_for(sandbox: Sandbox) -> None:
    """As in Backtrader; a zone goes by its name on stock Cerebro too."""
    sandbox.step(1)
    told = []
    for zone in (None, "America/New_York"):
        cerebro = bt.Cerebro()
        data = store_of(sandbox).getdata("SPY", timeframe=MINUTES, historical=True, fromdate=DAY, tz=zone)
        cerebro.adddata(data)
        cerebro.run()
        told.append(f"{data.datetime.datetime(0):%H:%M}")
    assert told == ["13:31", "09:31"]


def test_orders_on_what_is_no_live_feed_are_rejected(sandbox: Sandbox) -> None:
    """A file of somebody else's beside the live symbol: it has no prices of now."""
    sandbox.step(3)
    store, cerebro = store_of(sandbox), bt.Cerebro()
    cerebro.addstrategy(Scripted, script={2: lambda s: s.buy(data=s.data1, size=1), 5: stop})
    cerebro.adddata(store.getdata("SPY", timeframe=MINUTES, backfill_start=False))
    cerebro.adddata(store.getdata("IBM", timeframe=MINUTES, historical=True, fromdate=DAY))
    cerebro.setbroker(store.getbroker())
    (strategy,) = cerebro.run(quicknotify=True)
    assert strategy.reasons == ["IBM is no live feed of a store: nothing is traded on its prices"]
    assert sandbox.state()["requests"].get("orders", 0) == 0
