"""What is asked of AlphaHub before a start: does the password let us in?"""

from __future__ import annotations

import time

from feeds.alphahub.protocol import NAME, Session
from feeds.alphahub.source import AlphaHubSignals
from framework.errors import AuthenticationError
from framework.http import Http
from framework.live.checkup import PATIENCE, Answer, Check, refused, yes
from framework.retries import Patience


def account(source: AlphaHubSignals, patience: Patience = PATIENCE) -> Check:
    """Return the check of the account: one login."""
    return Check("signals", lambda: account_told(source, patience), needs=("sandbox",))


def account_told(source: AlphaHubSignals, patience: Patience) -> Answer:
    """Say whether the account lets us in; what it may hear shows when the algorithms are joined."""
    session = Session(source.credentials, source.base_url)
    try:
        with Http(NAME, patience) as http:
            http.send(session.open(time.monotonic()))
    except AuthenticationError as error:
        return refused(error)
    return yes(f"{NAME} let us in, to follow {', '.join(source.algorithms)}")
