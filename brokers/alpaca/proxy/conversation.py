"""What one program of this machine says on the proxy's `/stream`, in Alpaca's dialect. Pure.

Source: Alpaca's page on websocket streaming for trading, and what the official clients send. The last list of
streams counts; there is no replay. Both forms of a login are known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from brokers.alpaca.stream import STREAM
from feeds.alpaca.proxy.keys import is_known
from framework.config import Credentials

Said = Mapping[str, Any]


@dataclass(slots=True)
class Conversation:
    """One program's login and list. `is_listening` is what it asked for; the answer to it may have to wait."""

    local: Credentials
    is_known: bool = False
    is_listening: bool = False

    def receive(self, frame: str | bytes) -> Said | None:
        """Take a frame; return the answer, None where it asks to listen: that is answered when there is a line."""
        try:
            message = json.loads(frame)
            action, data = str(message["action"]), message.get("data") or {}
            match action:
                case "authenticate" | "auth":
                    given = (data.get("key_id", message.get("key")), data.get("secret_key", message.get("secret")))
                    self.is_known = is_known(self.local, *given)
                    return authorization(is_in=self.is_known)
                case "listen":
                    return self._listen(data.get("streams") or [])
        except (ValueError, TypeError, KeyError, AttributeError):
            return said("error", {"error": "invalid message"})
        return said("error", {"error": "unknown action"})

    def _listen(self, streams: list[Any]) -> Said | None:
        if not self.is_known:
            return authorization(is_in=False, action="listen")
        self.is_listening = STREAM in streams
        return None if self.is_listening else listening([])


def said(stream: str, data: Mapping[str, Any]) -> Said:
    return {"stream": stream, "data": data}


def authorization(*, is_in: bool, action: str = "authenticate") -> Said:
    """Return the answer to a login, or to who asks without one."""
    return said("authorization", {"status": "authorized" if is_in else "unauthorized", "action": action})


def listening(streams: list[str]) -> Said:
    """Return the list that a program has now."""
    return said("listening", {"streams": streams})
