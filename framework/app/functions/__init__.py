"""`run_trading`: a trading function, called on a clock, as a session of its own."""
