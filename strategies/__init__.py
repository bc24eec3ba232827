"""Strategies that ship with Switchback. Each imports `backtrader` only, so each runs in stock Backtrader too."""
