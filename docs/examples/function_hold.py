"""A trading function called every ten seconds; what it holds at the end stays.

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
    # An order that is open is no position yet: without this it would be sent again at the next call.
    had = {each["ticker"] for each in [*positions, *context["get_open_orders"]()]}
    order_list = []
    for ticker, quote in quotes.items():
        if ticker not in had and quote["ask"] - quote["bid"] <= 0.001 * quote["ask"]:
            order_list.append({"ticker": ticker, "quantity": 1, "side": "buy", "order_type": "market"})
    return order_list


if __name__ == "__main__":
    run_trading(
        strategy_callable=custom_strategy,
        trade_log_name="custom_strat_name",
        trade_log_path=log_dir,
        api_key=API_KEY,
        secret_key=SECRET_KEY,
        tickers=TICKERS,
        frequency=10,
        run_seconds="5m",
        eos_behavior="hold",
        warm_up_period=10,
        live_display=True,
        display_refresh_rate=0.05,
        max_trade_updates=20,
        **(PAST if "--backtest" in sys.argv else {}),
    )
