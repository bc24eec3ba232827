"""What is counted of a recording that is being written, as text for Prometheus and as a line for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from feeds.alpaca.proxy.figures import PREFIX


@dataclass(slots=True)
class Counts:
    """What has become of what came: `messages` and `bytes` are in the file, `skipped` are messages that never will be.

    `failures` is how often writing failed. Owned by the proxy's loop.
    """

    messages: int = 0
    bytes: int = 0
    failures: int = 0
    skipped: int = 0


METRICS = {
    "recorded_messages_total": "messages of channels that are in the recording",
    "recorded_bytes_total": "bytes added to the recording",
    "recording_failures_total": "times at which the recording could not be written",
    "unrecorded_messages_total": "messages of channels that are not in the recording for it",
}
"""The meaning of each figure; all are counters."""


def exposition(counts: Counts) -> str:
    """Return the figures in Prometheus's text format, version 0.0.4."""
    lines = []
    told = (counts.messages, counts.bytes, counts.failures, counts.skipped)
    for (name, what), value in zip(METRICS.items(), told, strict=True):
        lines += [f"# HELP {PREFIX}{name} {what}", f"# TYPE {PREFIX}{name} counter", f"{PREFIX}{name} {value}"]
    return "\n".join(lines) + "\n"


def read(text: str) -> Mapping[str, float]:
    """Read what `exposition` wrote, among other figures; empty where nothing is recorded."""
    pairs = (line.removeprefix(PREFIX).split(" ") for line in text.splitlines() if line.startswith(PREFIX))
    return {each[0]: float(each[1]) for each in pairs if each[0] in METRICS}


def described(figures: Mapping[str, float]) -> str:
    """Return the figures as lines for people, nothing where there are none."""
    if not figures:
        return ""
    count = {name: f"{value:,.0f}" for name, value in figures.items()}
    written = f"{count['recorded_messages_total']} messages, {count['recorded_bytes_total']} bytes"
    lacking = f"{count['unrecorded_messages_total']} messages, {count['recording_failures_total']} failed writes"
    return f"\nrecording\n  written        {written}\n  lacking        {lacking}"
