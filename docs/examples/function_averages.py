"""A trading function that remembers: quotes are collected outside of it, from call to call; all is closed at the end.

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

quote_collection = []


def trading_strat(context):
    quotes, positions = context["get_current_data"]()
    quote_collection.append(quotes)
    held = {each["ticker"]: each["quantity"] for each in positions}
    waiting = {each["ticker"] for each in context["get_open_orders"]()}

    orders = []
    for ticker, quote in quotes.items():
        if ticker in waiting:
            continue
        middles = [(each[ticker]["bid"] + each[ticker]["ask"]) / 2 for each in quote_collection[-12:] if ticker in each]
        average = sum(middles) / len(middles)
        if quote["bid"] > average and ticker not in held:
            orders.append({"ticker": ticker, "quantity": 2, "side": "buy", "order_type": "market"})
        elif quote["ask"] < average and held.get(ticker, 0) > 0:
            orders.append(
                {
                    "ticker": ticker,
                    "quantity": held[ticker],
                    "side": "sell",
                    "order_type": "limit",
                    "action": "sell_long",
                    "limit_price": quote["bid"],
                }
            )

    context["submit_order"](orders)
    return


if __name__ == "__main__":
    run_trading(
        strategy_callable=trading_strat,
        trade_log_name="averages",
        trade_log_path=log_dir,
        api_key=API_KEY,
        secret_key=SECRET_KEY,
        tickers=TICKERS,
        frequency=10,
        run_seconds="10m",
        eos_behavior="liquidate",
        warm_up_period=10,
        **(PAST if "--backtest" in sys.argv else {}),
    )
