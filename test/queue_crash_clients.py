# SPDX-License-Identifier: Apache-2.0
"""SQS clients that keep their own record of every answer, whatever happens to the server."""
import collections
import hashlib
import http.client
import json
import random
import threading
import time

from queue_crash_check import Event

VISIBILITY = 2.0
LIVING_MAX = 400  # messages of the queues that are worked off; more are not sent
ANSWER_SECONDS_MAX = 60
MISSING = "QueueDoesNotExist"


class Client(threading.Thread):
    """One connection, opened again when it breaks. `events` is its record."""

    def __init__(self, load, name):
        super().__init__(name=name, daemon=True)
        self.load = load
        self.random = random.Random(f"{load.seed}-{name}")
        self.events = []
        self.refusals = {}
        self.connection = None
        self.numbers = 0

    # ---- one call ----

    def post(self, action, fields):
        """The status and the answer; (None, None) if none came."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(
                    "127.0.0.1", self.load.port, timeout=ANSWER_SECONDS_MAX)
            self.connection.request(
                "POST", "/", json.dumps(fields),
                {"X-Amz-Target": f"AmazonSQS.{action}",
                 "Content-Type": "application/x-amz-json-1.0"})
            answer = self.connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else {}
        except (OSError, http.client.HTTPException, ValueError):
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            return None, None

    def call(self, kind, queue, action, fields, **more):
        """Makes the call and its event: (event, answer)."""
        fields = {("QueueName" if kind == "create" else "QueueUrl"): queue, **fields}
        begin = time.monotonic()
        status, answer = self.post(action, fields)
        event = Event(kind, queue, begin, time.monotonic(), **more)
        event.ok = None if status is None else status == 200
        if event.ok is None:
            time.sleep(0.01)
        if event.ok is False:
            word = answer.get("__type", str(status)).rsplit("#", 1)[-1]
            self.refusals[word] = self.refusals.get(word, 0) + 1
            if word == MISSING:
                self.events.append(Event("missing", queue, event.begin, event.end))
        self.events.append(event)
        return event, answer

    # ---- messages ----

    def make_body(self, size=None):
        """A name nobody else has, and as many bytes that follow from it."""
        self.numbers += 1
        name = f"{self.name}.{self.numbers}"
        if size is None:
            size = self.random.choice([0, 0, 10, 300, 2000, 20000, 60000])
        return name, name + "\n" + hashlib.md5(name.encode()).hexdigest() * (size // 32)

    def read_body(self, text):
        name, _, rest = text.partition("\n")
        if rest != hashlib.md5(name.encode()).hexdigest() * (len(rest) // 32):
            self.load.wrong.append(f"another body than was sent: {name}")
        return name

    def send(self, queue, size=None, delay=0):
        name, text = self.make_body(size)
        self.call("send", queue, "SendMessage", {"MessageBody": text, "DelaySeconds": delay},
                  body=name, delay=delay)

    def send_batch(self, queue, count):
        made = [self.make_body() for _ in range(count)]
        entries = [{"Id": str(place), "MessageBody": text}
                   for place, (_, text) in enumerate(made)]
        event, answer = self.call("batch", queue, "SendMessageBatch", {"Entries": entries})
        good = {entry["Id"] for entry in answer["Successful"]} if event.ok else set()
        for place, (name, _) in enumerate(made):
            ok = str(place) in good if event.ok else event.ok
            self.events.append(Event("send", queue, event.begin, event.end, ok, name))

    def receive(self, queue, most=10, wait=0, visibility=VISIBILITY):
        """[(name, receipt handle)]"""
        event, answer = self.call(
            "receive", queue, "ReceiveMessage",
            {"MaxNumberOfMessages": most, "WaitTimeSeconds": wait,
             "VisibilityTimeout": int(visibility), "AttributeNames": ["ApproximateReceiveCount"]},
            visibility=visibility)
        messages = answer.get("Messages", []) if event.ok else []
        found = [(self.read_body(message["Body"]), message) for message in messages]
        event.messages = [(name, int(message["Attributes"]["ApproximateReceiveCount"]))
                          for name, message in found]
        return [(name, message["ReceiptHandle"]) for name, message in found]

    def delete(self, queue, found):
        if len(found) == 1:
            name, handle = found[0]
            self.call("delete", queue, "DeleteMessage", {"ReceiptHandle": handle}, body=name)
            return
        entries = [{"Id": str(place), "ReceiptHandle": handle}
                   for place, (_, handle) in enumerate(found)]
        event, answer = self.call("batch", queue, "DeleteMessageBatch", {"Entries": entries})
        good = {entry["Id"] for entry in answer["Successful"]} if event.ok else set()
        for place, (name, _) in enumerate(found):
            ok = str(place) in good if event.ok else event.ok
            self.events.append(Event("delete", queue, event.begin, event.end, ok, name))

    def change(self, queue, name, handle, seconds):
        self.call("visibility", queue, "ChangeMessageVisibility",
                  {"ReceiptHandle": handle, "VisibilityTimeout": seconds}, body=name)

    def until_answered(self, kind, queue, action, fields):
        while not self.load.is_over:
            event, _ = self.call(kind, queue, action, fields)
            if event.ok is not None:
                return event.ok
        return None


class Sender(Client):
    def run(self):
        while not self.load.is_over:
            if self.load.living() > LIVING_MAX:
                time.sleep(0.02)
                continue
            queue = self.random.choice(self.load.queues)
            if self.random.random() < 0.3:
                self.send_batch(queue, self.random.randint(2, 10))
            else:
                self.send(queue, delay=self.random.choice([0, 0, 0, 1]))


class Keeper(Client):
    """Sends what is to stay: what is carried on and on."""

    def run(self):
        for _ in range(150):
            if self.load.is_over:
                return
            self.send("kept", 60000)
            time.sleep(0.05)


class Consumer(Client):
    def run(self):
        while not self.load.is_over:
            queue = self.random.choice(self.load.queues)
            found = self.receive(queue, self.random.randint(1, 10), self.random.choice([0, 0, 1]),
                                 self.random.choice([1.0, VISIBILITY]))
            self.random.shuffle(found)
            kept = [pair for pair in found if self.random.random() < 0.15]
            gone = [pair for pair in found if pair not in kept]
            for name, handle in kept:
                if self.random.random() < 0.5:
                    self.change(queue, name, handle, self.random.choice([0, 1, 2]))
            if gone:
                self.delete(queue, gone)


class Churner(Client):
    """A queue of its own is made, filled, purged and deleted, and made again."""

    def run(self):
        queue = self.name
        while not self.load.is_over:
            time.sleep(0.02)
            if not self.until_answered("create", queue, "CreateQueue", {}):
                continue
            for _ in range(self.random.randint(1, 6)):
                self.send(queue, 300)
            self.receive(queue, 3)
            if self.random.random() < 0.6:
                self.until_answered("purge", queue, "PurgeQueue", {})
                self.receive(queue)
                self.send(queue, 0)
                self.receive(queue)
            if self.random.random() < 0.7:
                self.until_answered("drop", queue, "DeleteQueue", {})
                self.send(queue, 0)
                self.receive(queue)


class Load:
    """All clients together."""

    def __init__(self, port, seed):
        self.port = port
        self.seed = seed
        self.is_over = False
        self.wrong = []
        self.queues = ["work-0", "work-1", "work-2"]
        self.clients = [Sender(self, f"sender-{i}") for i in range(5)]
        self.clients += [Consumer(self, f"consumer-{i}") for i in range(5)]
        self.clients += [Churner(self, f"churn-{i}") for i in range(3)]
        self.clients += [Keeper(self, "keeper")]
        self.checked = (0, 0.0)

    def living(self):
        """About how many messages there are; counted anew now and then. What may be gone is."""
        count, when = self.checked
        if time.monotonic() - when > 0.2:
            kinds = collections.Counter(
                (event.kind, event.ok) for client in self.clients
                if isinstance(client, (Sender, Consumer)) for event in list(client.events))
            count = kinds["send", True] - kinds["delete", True] - kinds["delete", None]
            self.checked = (count, time.monotonic())
        return count

    def create(self):
        """Before anything is killed."""
        maker = Client(self, "maker")
        for queue in self.queues + ["kept"]:
            event, answer = maker.call("create", queue, "CreateQueue", {})
            assert event.ok, answer
        self.clients.append(maker)

    def start(self):
        for client in self.clients:
            if type(client) is not Client:  # the maker has done its work
                client.start()

    def stop(self):
        self.is_over = True
        for client in self.clients:
            if client.is_alive():
                client.join(ANSWER_SECONDS_MAX)
                assert not client.is_alive(), f"{client.name} still waits for an answer"

    def events(self):
        return [event for client in self.clients for event in client.events]

    def refusals(self):
        counts = {}
        for client in self.clients:
            for word, count in client.refusals.items():
                counts[word] = counts.get(word, 0) + count
        return counts
