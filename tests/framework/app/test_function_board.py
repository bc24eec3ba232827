"""What a trading function's session shows: positions and their totals."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from framework.app.functions.board import Board, Held, TradeUpdate


def board(*held: Held) -> Board:
    return Board("dip", "paper", 98_000.0, 12.5, "Running...", 42.0, held, ())


def test_a_long_position() -> None:
    """What it cost, what it is worth, and the difference."""
    held = Held("AAPL", 10, 150.0, 153.0)
    assert (held.cost_basis, held.market_value, held.unrealised, held.percent) == (1500.0, 1530.0, 30.0, 2.0)


def test_a_short_position_that_fell_is_a_gain() -> None:
    """Its cost and worth are below nought; what it made is not."""
    held = Held("MSFT", -5, 300.0, 297.0)
    assert (held.cost_basis, held.market_value, held.unrealised, held.percent) == (-1500.0, -1485.0, 15.0, 1.0)


def test_without_a_price_nothing_is_claimed() -> None:
    """The cost is known, no more."""
    held = Held("AAPL", 10, 150.0, None)
    assert (held.cost_basis, held.market_value, held.unrealised, held.percent) == (1500.0, None, None, None)


def test_a_position_that_cost_nothing_has_no_percentage() -> None:
    """A spin-off, say."""
    assert Held("NEWCO", 3, 0.0, 10.0).percent is None


def test_total_quantity_counts_the_last_row_too() -> None:
    """The original left it out: rows of 1 and 3 made a total of 1."""
    assert board(Held("AAPL", 1, 10.0, 11.0), Held("TSLA", 3, 10.0, 11.0)).quantity == 4


def test_totals_add_up_all_rows() -> None:
    """The percentage is of all costs: where long and short cancel out, it still says something."""
    both = board(Held("AAPL", 10, 150.0, 153.0), Held("MSFT", -5, 300.0, 297.0))
    assert (both.cost_basis, both.market_value, both.unrealised, both.percent) == (0.0, 45.0, 45.0, 1.5)


def test_a_total_with_an_unknown_part_is_unknown() -> None:
    """A part left out would look like a loss."""
    some = board(Held("AAPL", 10, 150.0, 153.0), Held("TSLA", 1, 200.0, None))
    assert (some.cost_basis, some.market_value, some.unrealised, some.percent) == (1700.0, None, None, None)


def test_nothing_held_is_worth_nothing() -> None:
    """Which is known."""
    assert (board().quantity, board().market_value, board().unrealised, board().percent) == (0, 0, 0, None)


def test_a_board_is_a_value() -> None:
    """It is handed from thread to thread."""
    update = TradeUpdate("buy-1", "SPY", 0.0, 0.0, "new", "buy", "buy", 1.0, "OrderStatus.NEW")
    assert (board(), update) == (board(), update)
    assert len({board(), board()}) == 1
    with pytest.raises(FrozenInstanceError):
        update.status = "filled"  # type: ignore[misc]
