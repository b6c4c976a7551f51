# SPDX-License-Identifier: Apache-2.0
"""Compares what clients were told, while takt was killed again and again, with what was left.

A journal is a list of events, each with `begin` and `end` by one clock. `ok` is True: answered; False:
refused, so nothing happened; None: no answer, so it may have happened or not, before `end`.

    send       queue body delay          receive   queue visibility messages [(body, count)]
    delete     queue body                visibility   queue body
    purge, drop, create   queue          missing   queue: told that it does not exist

`left` is what each queue that is there at the end holds: {queue: [body, ...]}.
"""
import bisect
import collections
import dataclasses

NEVER = float("inf")
MARGIN_SECONDS = 0.15  # between takt's clock, in milliseconds and slewed, and ours


@dataclasses.dataclass
class Event:
    kind: str
    queue: str
    begin: float
    end: float
    ok: object = True
    body: str = None
    delay: float = 0
    visibility: float = 0
    messages: list = dataclasses.field(default_factory=list)


class Times:
    """What happened to a queue, to be asked quickly: there may be thousands of each."""

    def __init__(self, events):
        self.events = sorted(events, key=lambda event: event.begin)
        self.begins = [event.begin for event in self.events]
        self.end_max = []  # of the events up to each
        for event in self.events:
            self.end_max.append(max(event.end, self.end_max[-1] if self.end_max else event.end))
        self.end_min = [event.end for event in self.events]  # of the events from each on
        for place in range(len(self.end_min) - 2, -1, -1):
            self.end_min[place] = min(self.end_min[place], self.end_min[place + 1])

    def any_inside(self, begin, end):
        """Did one begin and end in that time?"""
        place = bisect.bisect_left(self.begins, begin)
        return place < len(self.begins) and self.end_min[place] <= end

    def any_touching(self, begin, end):
        """Did one end after `begin`, and begin before `end`?"""
        place = bisect.bisect_left(self.begins, end)
        return place > 0 and self.end_max[place - 1] > begin

    def last_before(self, when):
        """The newest that had ended by then, or None."""
        place = bisect.bisect_right(self.begins, when)
        while place > 0:
            place -= 1
            if self.events[place].end <= when:
                return self.events[place]
        return None


class Check:
    def __init__(self, events, left):
        self.wrong = []
        self.left = left
        self.sends = {}
        self.deletes = collections.defaultdict(list)
        self.changes = collections.defaultdict(list)  # of visibility
        self.receives = collections.defaultdict(list)  # of a body: (event, count)
        self.unanswered = collections.defaultdict(list)  # receives of a queue: when they began
        self.of_queues = collections.defaultdict(list)  # by (kind, queue, answered)
        self.times = {}
        self.missing = []
        for event in events:
            self.sort_in(event)
        for begins in self.unanswered.values():
            begins.sort()

    def sort_in(self, event):
        if event.kind == "send":
            if event.body in self.sends:
                self.fail("sent twice by the test itself", event.body)
            self.sends[event.body] = event
        elif event.kind == "receive" and event.ok:
            for body, count in event.messages:
                self.receives[body].append((event, count))
        elif event.kind == "receive" and event.ok is None:
            self.unanswered[event.queue].append(event.begin)
        elif event.kind == "delete":
            self.deletes[event.body].append(event)
        elif event.kind == "visibility" and event.ok is not False:
            self.changes[event.body].append(event)
        elif event.kind in ("purge", "drop", "create") and event.ok is not False:
            self.of_queues[event.kind, event.queue].append(event)
        elif event.kind == "missing":
            self.missing.append(event)

    def times_of(self, kind, queue, answered=False):
        """Of all that may have happened, or of those that were answered."""
        key = (kind, queue, answered)
        if key not in self.times:
            self.times[key] = Times([event for event in self.of_queues.get((kind, queue), [])
                                     if event.ok or not answered])
        return self.times[key]

    def fail(self, rule, *what):
        self.wrong.append(f"{rule}: {' '.join(map(str, what))}")

    # ---- what is left ----

    def check_left(self):
        there = collections.Counter()
        for queue, bodies in self.left.items():
            for body in bodies:
                there[body] += 1
                send = self.sends.get(body)
                if send is None or send.ok is False:
                    self.fail("never sent, or refused, and there", body)
                elif send.queue != queue:
                    self.fail("in another queue", body, queue)
        for body, count in there.items():
            if count > 1:
                self.fail("there twice", body)
        for body, send in self.sends.items():
            if send.ok and there[body] == 0 and not self.may_be_gone(send):
                self.fail("answered, and lost", body, send.queue)
            if there[body] > 0 and self.must_be_gone(send):
                self.fail("gone by an answer, and back", body, send.queue)

    def may_be_gone(self, send):
        if any(delete.ok is not False for delete in self.deletes[send.body]):
            return True
        return any(self.times_of(kind, send.queue).any_touching(send.begin, NEVER)
                   for kind in ("purge", "drop"))

    def must_be_gone(self, send, when=NEVER):
        """By an answered delete, purge or drop before then."""
        return any(delete.ok and delete.end <= when for delete in self.deletes[send.body]) or \
            any(self.times_of(kind, send.queue, True).any_inside(send.end, when)
                for kind in ("purge", "drop"))

    # ---- what was received ----

    def check_receives(self):
        for body, receives in self.receives.items():
            send = self.sends.get(body)
            receives.sort(key=lambda pair: pair[0].begin)
            for event, _ in receives:
                self.check_receive(body, send, event)
            for (first, first_count), (second, second_count) in zip(receives, receives[1:]):
                self.check_pair(body, first, second)
                if second.begin >= first.end and second_count <= first_count:
                    self.fail("the receive count does not grow", body, first_count, second_count)
            for index, (event, count) in enumerate(receives):
                self.check_count(body, receives, index, event, count)

    def check_receive(self, body, send, event):
        if send is None or send.ok is False or send.queue != event.queue:
            self.fail("received, and never sent there", body, event.queue)
            return
        if event.end < send.begin:
            self.fail("received before it was sent", body)
        if event.end < send.begin + send.delay - MARGIN_SECONDS:
            self.fail("received before its delay was over", body)
        if self.must_be_gone(send, event.begin):
            self.fail("received after its delete, or a purge or drop, was answered", body)

    def check_pair(self, body, first, second):
        """One was given out while it was in flight: surely less time between the two than that."""
        visibility = first.visibility
        if second.begin < first.end:  # nobody knows which came first
            visibility = min(first.visibility, second.visibility)
        between = max(first.end, second.end) - min(first.begin, second.begin)
        freed = any(change.end > first.begin and change.begin < max(first.end, second.end)
                    for change in self.changes[body])
        if not freed and between < visibility - MARGIN_SECONDS:
            self.fail("received twice while in flight", body, f"{between:.3f} s of {visibility}")

    def check_count(self, body, receives, index, event, count):
        certain = sum(1 for other, _ in receives[:index] if other.end <= event.begin)
        possible = sum(1 for place, (other, _) in enumerate(receives)
                       if place != index and other.begin < event.end)
        possible += bisect.bisect_left(self.unanswered[event.queue], event.end)
        if not certain + 1 <= count <= possible + 1:
            self.fail("a receive count that cannot be", body, count, certain + 1, possible + 1)

    # ---- queues ----

    def check_queues(self):
        for queue in {queue for _, queue in self.of_queues}:
            self.check_queue(queue)
        for event in self.missing:
            if self.must_be_there(event):
                self.fail("a queue was missing", event.queue)
        for send in self.sends.values():
            if send.ok and self.must_be_missing(send):
                self.fail("taken by a queue that had been deleted", send.body, send.queue)

    def must_be_there(self, event):
        """A create was answered before, and no drop can have come after that create began."""
        create = self.times_of("create", event.queue, True).last_before(event.begin)
        return create is not None and \
            not self.times_of("drop", event.queue).any_touching(create.begin, event.end)

    def must_be_missing(self, event):
        drop = self.times_of("drop", event.queue, True).last_before(event.begin)
        return drop is not None and \
            not self.times_of("create", event.queue).any_touching(drop.begin, event.end)

    def check_queue(self, queue):
        now = Event("end", queue, NEVER, NEVER)
        if self.must_be_there(now) and queue not in self.left:
            self.fail("a queue is lost", queue)
        if self.must_be_missing(now) and queue in self.left:
            self.fail("a queue is back", queue)


def check(events, left):
    """All that is wrong, one line each."""
    run = Check(events, left)
    run.check_left()
    run.check_receives()
    run.check_queues()
    return run.wrong
