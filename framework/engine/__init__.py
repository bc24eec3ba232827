"""Backtrader's side of the seam: its data feeds, calendar, broker and loop."""
