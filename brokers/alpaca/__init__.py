"""Alpaca: US equities and crypto over REST and a stream of order news."""
