"""The sandbox's middle: one `Market` (tape, clock, faults, state file) that knows no venue's dialect."""
