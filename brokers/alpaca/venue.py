"""Alpaca as a venue."""

from __future__ import annotations

from brokers.alpaca.protocol import AlpacaRules


class AlpacaVenue:
    """Alpaca's paper account (the default) or its live one.

    A backtest needs its `rules` only: prices and sizes are rounded and orders refused as Alpaca
    would, without keys and without a network.
    """

    def __init__(self, *, paper: bool = True) -> None:
        self.paper = paper

    @property
    def rules(self) -> AlpacaRules:
        return AlpacaRules()

    def __repr__(self) -> str:
        return f"AlpacaVenue(paper={self.paper})"
