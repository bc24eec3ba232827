"""What the proxy counts, and how that is told: the text that Prometheus reads, and a few lines for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

PREFIX = "switchback_proxy_"

STREAM = '{stream="'
"""What follows the name of a figure that is one stream's."""


@dataclass(slots=True)
class Counts:
    """What has happened on one stream. Owned by the proxy's loop."""

    received: int = 0
    sent: int = 0
    relayed: int = 0
    relay_seconds: float = 0.0
    conflated: int = 0
    slow: int = 0
    refused: int = 0
    reconnects: int = 0
    gaps: int = 0
    gaps_open: int = 0
    missed: int = 0
    missed_trades: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How one stream stands: `lag` is how many seconds what waits longest has waited, `queued` are bytes."""

    stream: str
    is_up: bool
    clients: int
    subscriptions: int
    queued: int
    lag: float
    counts: Counts


METRICS = {
    "up": ("gauge", "1 while the connection upstream is up"),
    "clients": ("gauge", "clients that are logged in"),
    "subscriptions": ("gauge", "symbols of channels that anybody has"),
    "queue_bytes": ("gauge", "bytes that wait for clients to read"),
    "lag_seconds": ("gauge", "how long the message that waits longest has waited"),
    "messages_received_total": ("counter", "messages of channels that came from upstream"),
    "messages_sent_total": ("counter", "messages given to clients, each client's counted"),
    "relays_total": ("counter", "writes to clients"),
    "relay_seconds_total": ("counter", "seconds between the coming of a frame and its writing, over all writes"),
    "conflations_total": ("counter", "quotes that gave way to later ones"),
    "slow_clients_total": ("counter", "clients sent away because they did not read (407)"),
    "refusals_total": ("counter", "subscriptions that upstream refused"),
    "reconnects_total": ("counter", "how often the connection upstream was made anew"),
    "gaps_total": ("counter", "times after which history was asked for missed bars and trades"),
    "gaps_open_total": ("counter", "times at which bars, or trades, were not to be had from it"),
    "missed_bars_total": ("counter", "missed bars that history had"),
    "missed_trades_total": ("counter", "missed trades that history had"),
}
"""The kind and the meaning of each figure."""


def values(standing: Standing) -> Mapping[str, float]:
    """Return a stream's figures by name."""
    counts = asdict(standing.counts)
    names = ("received", "sent", "relayed", "relay_seconds", "conflated", "slow", "refused", "reconnects")
    now = (standing.is_up, standing.clients, standing.subscriptions, standing.queued, round(standing.lag, 6))
    then = (*(counts[name] for name in names), counts["gaps"], counts["gaps_open"])
    made_good = (counts["missed"], counts["missed_trades"])
    return dict(zip(METRICS, map(float, (*now, *then, *made_good)), strict=True))


def exposition(standings: Iterable[Standing]) -> str:
    """Return all figures in Prometheus's text format, version 0.0.4."""
    found = {each.stream: values(each) for each in standings}
    lines = []
    for name, (kind, what) in METRICS.items():
        lines += [f"# HELP {PREFIX}{name} {what}", f"# TYPE {PREFIX}{name} {kind}"]
        lines += [f'{PREFIX}{name}{{stream="{stream}"}} {each[name]:.10g}' for stream, each in found.items()]
    return "\n".join(lines) + "\n"


def read(text: str) -> Mapping[str, Mapping[str, float]]:
    """Read what `exposition` wrote: each stream's figures by name; raise `ValueError` for something else."""
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        if line.startswith(PREFIX) and STREAM in line:
            name, _, rest = line.removeprefix(PREFIX).partition(STREAM)
            stream, _, value = rest.partition('"} ')
            found.setdefault(stream, {})[name] = float(value)
    if not found and not text.startswith(f"# HELP {PREFIX}"):
        raise ValueError("these are no figures of a proxy")
    return found


def described(figures: Mapping[str, Mapping[str, float]]) -> str:
    """Return figures as a few lines for people."""
    return "\n".join(line for stream, each in figures.items() for line in _described(stream, each)) or "no stream yet"


def _described(stream: str, each: Mapping[str, float]) -> Iterable[str]:
    count = {name: f"{value:,.0f}" for name, value in each.items()}
    now, mean = 1000 * each["lag_seconds"], 1000 * each["relay_seconds_total"] / (each["relays_total"] or 1)
    yield f"{stream} is {'up' if each['up'] else 'down'}, {count['reconnects_total']} reconnects"
    yield f"  clients        {count['clients']}, {count['slow_clients_total']} sent away as too slow"
    yield f"  subscriptions  {count['subscriptions']}, {count['refusals_total']} refused"
    yield f"  messages       {count['messages_received_total']} received, {count['messages_sent_total']} sent"
    yield f"  waiting        {count['queue_bytes']} bytes, {now:.1f} ms; on average {mean:.2f} ms"
    yield f"  conflated      {count['conflations_total']} quotes"
    made_good = f"{count['missed_bars_total']} bars and {count['missed_trades_total']} trades made good"
    yield f"  gaps           {count['gaps_total']}, {count['gaps_open_total']} still open, {made_good}"
