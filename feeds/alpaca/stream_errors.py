"""What the errors of Alpaca's data streams mean for a client: stop, ask again, connect again, do without. Pure.

Source: Alpaca's page "WebSocket Stream", and its Go client, for which 402, 409, 410 and 411 cannot be mended.
"""

from __future__ import annotations

import enum

from feeds.alpaca.plans import FREE
from feeds.alpaca.protocol import NAME, VARIABLES
from feeds.alpaca.subscriptions import ERRORS, Endpoint
from feeds.alpaca.wants import TRIES as TIMES
from feeds.alpaca.wants import Channels
from framework.errors import AuthenticationError, ConfigError, ConnectionLost, SwitchbackError, Unsupported


class Verdict(enum.Enum):
    """What follows from an error."""

    STOP = "stop"
    AGAIN = "ask again on the same socket"
    RECONNECT = "connect again"
    REFUSED = "what was asked for is not had; the rest goes on"
    BENIGN = "nothing follows"


VERDICTS = {
    400: Verdict.REFUSED,
    401: Verdict.RECONNECT,
    402: Verdict.STOP,
    403: Verdict.BENIGN,
    404: Verdict.RECONNECT,
    405: Verdict.REFUSED,
    406: Verdict.AGAIN,
    407: Verdict.RECONNECT,
    408: Verdict.STOP,
    409: Verdict.STOP,
    410: Verdict.STOP,
    411: Verdict.STOP,
    500: Verdict.RECONNECT,
}

TRIES = 15
"""How often a login that was turned away (406) is sent again on its socket."""

STEP, LONGEST = 0.5, 5.0
"""Seconds: how much longer each wait is than the one before, and the longest."""


def wait(attempt: int) -> float:
    """Return the seconds before a login is sent again; attempts count from 1."""
    return min(STEP * attempt, LONGEST)


def said(code: int, message: str) -> str:
    """Return an error as messages show it, in the server's words where it has any."""
    return f'error {code} "{message or ERRORS.get(code, "without a message")}"'


def fatal(code: int, message: str, endpoint: Endpoint) -> SwitchbackError:
    """Return the exception for an error after which there is no point in going on."""
    text = said(code, message)
    if code == 402:
        return AuthenticationError(NAME, f"{text}; check {VARIABLES[0]} and {VARIABLES[1]} (paper has its own keys)")
    if code == 409:
        return AuthenticationError(NAME, f'{text} for the stream {endpoint.path}; try feed="iex"')
    if code == 410:
        return Unsupported(f"{NAME}: {text}: {endpoint.path} has not all channels that were asked for; try bars only")
    return AuthenticationError(NAME, f"{text}: these keys may not use {endpoint.path}; check the account's data plan")


def refusal(code: int, message: str, asked: Channels) -> SwitchbackError:
    """Return the exception for a subscription that is not had."""
    text = said(code, message)
    counted = " and ".join(f"{len(symbols)} of {channel}" for channel, symbols in sorted(asked.items()))
    if code == 405 and "bars" not in asked:
        return Unsupported(
            f"{NAME}: {text}: {counted} were asked for, and the {FREE.name} plan has {FREE.channels} quotes and trades "
            "together; try fewer symbols with quotes or trades (bars are not limited)"
        )
    advice = "try fewer symbols" if code == 405 else "check the spelling of the symbols"
    return ConfigError(f"{NAME}: {text}: {_shown(asked)} were not taken; {advice}")


def lacking(channels: Channels) -> SwitchbackError:
    """Return the exception for what a subscription was answered without."""
    return Unsupported(f"{NAME}: a subscription was answered without {_shown(channels)}; check that they trade there")


def unanswered(channels: Channels) -> SwitchbackError:
    """Return the exception for what was asked for in vain, on one connection after the other."""
    return ConnectionLost(NAME, f"{TIMES} connections ended before they answered for {_shown(channels)}; try it later")


def _shown(channels: Channels) -> str:
    return "; ".join(f"{name} of {', '.join(sorted(symbols)[:5])}" for name, symbols in sorted(channels.items()))
