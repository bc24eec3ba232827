"""ALGOGENE: orders as separate trades, told of by polling."""
