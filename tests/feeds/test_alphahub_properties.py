"""Over any sequence of what a server says, and when: the conversation never hangs, and keeps its promises."""

from itertools import pairwise

import pytest
from alphahub_talk import Talk, broadcast, topic
from hypothesis import given
from hypothesis import strategies as st

from feeds.alphahub.channels import ANSWER, BEAT, WAITS
from feeds.alphahub.stream_events import Published

ALGORITHMS = (14, 16)
events = st.sampled_from(["phx_reply", "phx_error", "phx_close", "new_signals", "presence"])
which = st.sampled_from(["none", "current", "old", "foreign"])
payloads = st.sampled_from([{"status": "ok"}, {"status": "error", "response": {"reason": "no"}}, {"status": 5}, {}, []])
said = st.tuples(st.just("say"), st.sampled_from([14, 16, 17]), events, which, which, payloads)
steps = st.lists(
    said
    | st.tuples(st.just("wait"), st.floats(0, 40))
    | st.sampled_from([("answer",), ("beat",), ("reconnect",), ("garbage",)]),
    max_size=40,
)


class Server:
    """Says what it is told to, and checks after each step what always holds."""

    def __init__(self):
        self.talk = Talk(*ALGORITHMS)
        self.begun = 0  # where this connection's messages begin
        self.published, self.heard = 0, 0

    def ours(self, algorithm):
        """What the client has said of a topic on this connection."""
        sent = self.talk.sent[self.begun :]
        return [(at, each) for at, each in sent if each.topic == topic(algorithm)]

    def ref(self, algorithm, kind):
        joins = [each.ref for _, each in self.ours(algorithm) if each.event == "phx_join"] or ["1"]
        return {"none": None, "current": joins[-1], "old": joins[0], "foreign": "nobody's"}[kind]

    def play(self, step):
        match step:
            case ("say", algorithm, event, ref, join_ref, payload):
                known = event == "new_signals" and algorithm in ALGORITHMS
                self.published += known
                self.note(
                    self.talk.say(algorithm, event, payload, self.ref(algorithm, ref), self.ref(algorithm, join_ref))
                )
            case ("wait", seconds):
                self.wait(seconds)
            case ("answer",):
                for algorithm in ALGORITHMS:
                    self.note(self.talk.answer(self.ours(algorithm)[-1][1]))
            case ("beat",):
                self.talk.wait(self.talk.now + BEAT)
            case ("reconnect",):
                self.begun = len(self.talk.sent)
                self.talk.reconnect()
            case ("garbage",):
                self.note(self.talk.told("garbage"))

    def wait(self, seconds):
        """Let time pass without an answer to anything."""
        self.talk.wait(self.talk.now + seconds, is_answering=False)

    def grant(self):
        """Answer each join that waits for it."""
        for algorithm in ALGORITHMS:
            last = self.ours(algorithm)[-1][1]
            if last.event == "phx_join" and str(algorithm) not in self.talk.stream.joined:
                self.talk.answer(last)

    def note(self, told):
        self.heard += sum(isinstance(each, Published) for each in told)

    def check(self):
        self.check_deadline()
        for algorithm in ALGORITHMS:
            self.check_joins(algorithm)

    def check_deadline(self):
        """There is always something to wait for, and it is not far off; or the line is given up."""
        at = self.talk.stream.deadline()
        if self.talk.silence:
            return
        assert at is not None
        assert self.talk.now < at <= self.talk.now + BEAT

    def check_joins(self, algorithm):
        """Never two at once; and the next within the longest wait of a loss."""
        said = [(at, each.event) for at, each in self.ours(algorithm)]
        for (before, first), (after, second) in pairwise(said):
            if second == "phx_leave":
                assert first == "phx_join"
                assert after - before == pytest.approx(ANSWER)
            elif first == "phx_leave":
                assert any(after - before == pytest.approx(wait) for wait in WAITS)
            else:
                assert after - before >= WAITS[0] - 1e-6


@given(steps)
def test_conversation_never_hangs_and_never_joins_twice_at_once(played):
    """Whatever is said, in whatever order, with whatever refs; and every publication is handed on, once."""
    server = Server()
    for step in played:
        server.play(step)
        server.check()
    assert server.heard == server.published


@given(steps)
def test_server_that_behaves_again_is_heard_again(played):
    """From any state: within the time of a join, the longest wait and a heartbeat, both are joined and heard."""
    server = Server()
    for step in played:
        server.play(step)
    talk = server.talk
    if talk.silence:
        server.play(("reconnect",))
    for beat in [each for _, each in talk.sent if each.event == "heartbeat"][-1:]:
        talk.answer(beat)
    end = talk.now + ANSWER + WAITS[-1] + BEAT
    while talk.now < end:
        server.grant()
        talk.wait(talk.now + 0.5)
    assert set(talk.stream.joined) == {"14", "16"}
    assert not talk.silence
    assert [type(each) for each in talk.told(broadcast(14))] == [Published]
