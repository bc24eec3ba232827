"""A trading function whose session ends with a function of its own.

Keys come from APCA_API_KEY_ID and APCA_API_SECRET_KEY. It trades the sandbox that SWITCHBACK_SANDBOX names, on paper
where none is named, and with --backtest the past.
"""

import os
import sys

from feeds import SampleBars
from framework import run_trading

log_dir = os.environ.get("LOG_DIR", "logs")
API_KEY = os.environ.get("APCA_API_KEY_ID")
SECRET_KEY = os.environ.get("APCA_API_SECRET_KEY")
TICKERS = ["AAPL", "TSLA", "NVDA"]

PAST = {"venue": "backtest", "source": SampleBars(TICKERS, "2026-10-05", "2026-10-05")}


def custom_strategy(context):
    quotes, positions = context["get_current_data"]()
    if positions or context["get_open_orders"]():
        return None
    # Long one, short another, once both are quoted.
    order_list = [
        {"ticker": "AAPL", "quantity": 10, "side": "buy", "order_type": "market"},
        {"ticker": "TSLA", "quantity": 5, "side": "sell", "order_type": "market", "action": "short_sell"},
    ]
    return order_list if {"AAPL", "TSLA"} <= quotes.keys() else None


def shutdown_strategy(context):
    # Shorts are covered, longs are kept overnight.
    _, positions = context["get_current_data"]()
    return [
        {
            "ticker": each["ticker"],
            "quantity": -each["quantity"],
            "side": "buy",
            "order_type": "market",
            "action": "buy_to_cover",
        }
        for each in positions
        if each["quantity"] < 0
    ]


if __name__ == "__main__":
    run_trading(
        strategy_callable=custom_strategy,
        trade_log_name="shutdown",
        trade_log_path=log_dir,
        api_key=API_KEY,
        secret_key=SECRET_KEY,
        tickers=TICKERS,
        frequency=10,
        run_seconds="5m",
        eos_behavior="custom",
        custom_shutdown_action=shutdown_strategy,
        warm_up_period=10,
        live_display=True,
        display_refresh_rate=0.05,
        max_trade_updates=20,
        **(PAST if "--backtest" in sys.argv else {}),
    )
