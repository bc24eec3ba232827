"""The pieces of a difference between two ledgers: each has its cause, and they always add up to the whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import fsum

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework.research.attributing import CAUSES, Difference, of_bars, of_orders
from framework.research.booked import Booked, Ledger, Part
from framework.research.matching import matched

AT = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
MARKS = {"A": 105.0, "B": 50.0}


def order(
    minute: int = 1, sign: int = 1, size: float = 10, price: float = 100.0, *, filled: float | None = None,
    symbol: str = "A", kind: str = "Market", after: float = 1, fee: float = 0.0, status: str = "", reason: str = "",
) -> Booked:  # fmt: skip
    """Return an order that was decided so many minutes after the open, and filled a minute `after` that."""
    filled = size if filled is None else filled
    decided = AT + timedelta(minutes=minute)
    parts = (Part(decided + timedelta(minutes=after), filled, price, fee),) if filled else ()
    return Booked(f"#{minute}", symbol, sign, kind, size, decided, parts, status, reason)


def causes(tested: list[Booked], lived: list[Booked], opens: dict[int, float] | None = None) -> dict[str, float]:
    """Return the money of each cause between two sides; `opens` are first prices of bars by their minute."""

    def opened(symbol: str, at: datetime) -> float | None:
        return (opens or {}).get(round((at - AT).total_seconds() / 60))

    one, other = Ledger(tuple(tested), MARKS), Ledger(tuple(lived), MARKS)
    found = of_orders(one, other, opened, AT)
    assert fsum(each.money for each in found) == pytest.approx(other.pnl - one.pnl)
    return {each.cause: round(fsum(e.money for e in found if e.cause == each.cause), 6) for each in found}


def test_alike_is_no_difference() -> None:
    """The same orders under other names have no piece at all."""
    side = [order(1), order(2, -1, price=103.0, fee=0.3)]
    assert causes(side, [replace(each, name="other") for each in side]) == {}


def test_a_dearer_fill_is_its_price() -> None:
    """Ten at 100.5 instead of 100."""
    assert causes([order()], [order(price=100.5)]) == {"fill price": -5.0}


def test_a_market_order_that_is_filled_later_is_latency_up_to_the_later_bars_first_price() -> None:
    """From 100 to 101 the market moved, 0.25 more is the fill's own."""
    assert causes([order()], [order(price=101.25, after=2)], {2: 100.0, 3: 101.0}) == {
        "latency": -10.0, "fill price": -2.5,
    }  # fmt: skip


def test_a_limit_order_that_is_filled_later_has_no_latency() -> None:
    """Its price is its own, whenever it is reached."""
    tested, lived = order(kind="Limit"), order(kind="Limit", price=100.5, after=2)
    assert causes([tested], [lived], {2: 100.0, 3: 101.0}) == {"fill price": -5.0}


def test_a_bar_that_is_not_known_leaves_all_to_the_price() -> None:
    """What the market did in between cannot be said."""
    assert causes([order()], [order(price=101.0, after=2)], {2: 100.0}) == {"fill price": -10.0}


def test_a_part_that_was_not_filled_is_partial() -> None:
    """Six of ten: what the four would have brought by the end, less their fees."""
    assert causes([order(fee=1.0)], [order(filled=6, fee=0.6)]) == {"partial": -19.6}


def test_an_order_of_which_nothing_was_filled_is_partial_too() -> None:
    """It was taken, and not rejected."""
    assert causes([order()], [order(filled=0, status="expired")]) == {"partial": -50.0}


@pytest.mark.parametrize("status", ["rejected", "Rejected", "Margin"])
def test_an_order_that_was_not_taken_is_rejected(status: str) -> None:
    """Whether the venue or the session itself did not take it."""
    assert causes([order()], [order(filled=0, status=status)]) == {"rejected": -50.0}


def test_an_order_that_only_the_backtest_refuses_is_rejected_too() -> None:
    """What the session made with it is what it has more."""
    assert causes([order(filled=0, status="Margin")], [order()]) == {"rejected": 50.0}


def test_an_entry_that_is_refused_on_bars_that_came_late_is_theirs() -> None:
    """It is not the order that was wrong."""
    refused = order(filled=0, status="Rejected", reason="limit stale: the prices are 60 s old, ...")
    assert causes([order()], [refused]) == {"late bar": -50.0}


def test_another_fee_is_fees() -> None:
    """The same fill at another commission."""
    assert causes([order(fee=1.0)], [order(fee=1.5)]) == {"fees": -0.5}


def test_what_a_difference_leads_to_is_its_own_until_both_hold_the_same() -> None:
    """The exit of an entry that was rejected; the next order on one side only has nothing to do with it."""
    tested = [order(1), order(2, -1, price=103.0), order(4, price=104.0)]
    lived = [order(1, filled=0, status="rejected")]
    assert causes(tested, lived) == {"rejected": -30.0, "knock-on": -10.0}


def test_an_exit_of_another_size_goes_with_the_partial_entry() -> None:
    """Ten and ten in the backtest, six and six live."""
    tested, lived = [order(1), order(2, -1, price=103.0)], [order(1, filled=6), order(2, -1, 6, 103.0)]
    assert causes(tested, lived) == {"partial": -12.0}


def test_an_order_that_only_one_side_has_before_any_difference_is_unexplained() -> None:
    """Nothing has led to it that a journal tells."""
    assert causes([], [order()]) == {"unexplained": 50.0}


def test_what_only_one_side_does_after_an_odd_bar_is_a_knock_on() -> None:
    """The bar's own money is elsewhere; that both sides went on otherwise is not without a reason."""
    sides = Ledger((), MARKS), Ledger((order(1),), MARKS)
    for odd, cause in ((AT, "knock-on"), (AT + timedelta(minutes=2), "unexplained")):
        (found,) = of_orders(*sides, lambda symbol, at: None, AT, odd)
        assert (found.cause, found.money) == (cause, 50.0)


def test_one_symbols_difference_does_not_lead_another_symbol() -> None:
    """What the other symbol does otherwise is a knock-on: of what cannot be said."""
    lived = [order(1, filled=0, status="rejected"), order(2, symbol="B", price=49.0)]
    assert causes([order(1)], lived) == {"rejected": -50.0, "knock-on": 10.0}


def test_last_prices_that_differ_are_said() -> None:
    """What is held at the end is worth what each side's last price makes of it."""
    one, other = Ledger((order(),), MARKS), Ledger((order(),), {**MARKS, "A": 106.0})
    (found,) = of_bars(one, other, "revised bar", AT)
    assert found == Difference(AT, "A", "", "revised bar", "10 held at 106", "10 held at 105", 10.0)


def test_orders_of_one_decision_are_matched_in_their_order() -> None:
    """The first with the first, though another symbol's are between."""
    one = [order(1, price=1.0), order(1, symbol="B"), order(1, price=2.0)]
    pairs = matched(one, one[1:] + one[:1])
    assert [(pair.one.average, pair.other.average) for pair in pairs if pair.any.symbol == "A"] == [
        (1.0, 2.0), (2.0, 1.0),
    ]  # fmt: skip


def test_an_order_a_bar_later_is_the_same_where_nothing_nearer_is() -> None:
    """An answer to a fill; two minutes are another decision."""
    assert [(pair.one, pair.other) for pair in matched([order(1)], [order(2)])] == [(order(1), order(2))]
    assert len(matched([order(1)], [order(3)])) == 2


# -- ledgers that are made up

FEW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PRICES = st.floats(1, 1_000)
SIZES = st.floats(0.01, 1_000)
PARTS = st.lists(
    st.builds(
        Part,
        at=st.integers(0, 20).map(lambda each: AT + timedelta(minutes=each)),
        quantity=SIZES, price=PRICES, fee=st.floats(0, 5),
    ),
    max_size=3,
).map(tuple)  # fmt: skip
ORDERS = st.lists(
    st.builds(
        Booked,
        name=st.just("x"), symbol=st.sampled_from("AB"), sign=st.sampled_from([1, -1]),
        kind=st.sampled_from(["Market", "Limit"]), size=SIZES,
        decided=st.integers(0, 12).map(lambda each: AT + timedelta(minutes=each)),
        parts=PARTS, status=st.sampled_from(["Completed", "rejected", "Margin", "canceled"]),
        reason=st.sampled_from(["", "limit stale: the prices are old"]),
    ),
    max_size=6,
).map(tuple)  # fmt: skip
LEDGERS = st.builds(Ledger, ORDERS, st.fixed_dictionaries({"A": PRICES, "B": PRICES}))


@FEW
@given(LEDGERS, LEDGERS, st.dictionaries(st.integers(0, 20), PRICES))
def test_the_causes_add_up_to_the_whole(tested: Ledger, lived: Ledger, firsts: dict[int, float]) -> None:
    """Whatever two ledgers hold, nothing is counted twice and nothing is left out."""
    found = of_orders(tested, lived, lambda symbol, at: firsts.get((at - AT).seconds // 60), AT)
    whole = lived.pnl - tested.pnl
    scale = sum(each.quantity * 1_000 + each.fee for each in (*tested.orders, *lived.orders))
    assert fsum(each.money for each in found) == pytest.approx(whole, abs=1e-12 * scale + 1e-5)
    assert {each.cause for each in found} <= set(CAUSES)


@FEW
@given(LEDGERS, LEDGERS)
def test_what_other_bars_change_adds_up_too(without: Ledger, having: Ledger) -> None:
    """Between two backtests there is one cause, and a row for each order that differs."""
    found = list(of_bars(without, having, "late bar", AT))
    scale = sum(each.quantity * 1_000 + each.fee for each in (*without.orders, *having.orders))
    assert fsum(each.money for each in found) == pytest.approx(having.pnl - without.pnl, abs=1e-12 * scale + 1e-5)


@FEW
@given(LEDGERS)
def test_a_ledger_does_not_differ_from_itself(ledger: Ledger) -> None:
    """Not even by a rounding."""
    assert of_orders(ledger, ledger, lambda symbol, at: None, AT) == []
    assert list(of_bars(ledger, ledger, "late bar", AT)) == []
