# SPDX-License-Identifier: Apache-2.0
"""Starts, kills and asks the real program. For the system tests."""
import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
import urllib.parse

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TAKT = os.environ.get("TAKT_BIN", os.path.join(TOP, "build", "takt"))
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 30


def wait_until(question, seconds, what):
    """Asks until the answer is true, which it returns; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.005)


def request(url, method, path, body=None, headers=None, timeout=60):
    """One HTTP request on a connection of its own: (status, headers, body bytes)."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=timeout)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def write_program(path, text):
    """A handler beside a line file."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


class Takt:
    """One takt on one data folder; it may be killed and started again."""

    def __init__(self, folder, *arguments, command="run", env=None):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.data = os.path.join(self.folder, "data")
        self.ready = os.path.join(self.folder, "ready.json")
        self.log_path = os.path.join(self.folder, "log")
        self.command = command
        self.arguments = [str(argument) for argument in arguments]
        self.env = env or {}
        self.program = TAKT
        self.identity = {}  # of its process, as subprocess takes it; ours
        self.process = None
        self.urls = {}
        self.ports = {}

    def spawn(self):
        """Starts it and does not wait. Ports stay the same over restarts."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.ready)
        listen = []
        for name in ["sqs", "admin"] + (["gateway"] if self.command == "run" else []):
            listen += [f"--listen-{name}", f"127.0.0.1:{self.ports.get(name, 0)}"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, self.command, *self.arguments, "--data", self.data, "--ready-file",
                 self.ready, *listen],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.identity,
                env={**os.environ, **self.env})
        return self

    def is_ready(self):
        return os.path.exists(self.ready)

    def start(self):
        self.spawn()
        return self.wait_ready()

    def wait_ready(self):
        def ready_or_dead():
            assert self.process.poll() is None, \
                f"takt ended with {self.process.returncode}: {self.log()[-3000:]}"
            return self.is_ready()
        wait_until(ready_or_dead, START_SECONDS_MAX, "takt ready")
        with open(self.ready, encoding="utf-8") as file:
            self.urls = json.load(file)
        for name in ("sqs", "admin", "gateway"):
            if name in self.urls:
                self.ports[name] = int(self.urls[name].rsplit(":", 1)[1])
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_SECONDS_MAX)

    def stop(self, code=0):
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(STOP_SECONDS_MAX) == code, self.log()[-3000:]
        finally:
            if self.process.poll() is None:
                self.kill()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def workers(self):
        """Process ids of its workers. Between takt and each of them there is a keeper."""
        keepers = children_of([self.process.pid])
        return children_of(keepers)

    def gateway(self, method, path, body=None, headers=None, timeout=60):
        return request(self.urls["gateway"], method, path, body, headers, timeout)

    def admin(self, method, path, body=None, timeout=60):
        status, _, answer = request(self.urls["admin"], method, path, body, None, timeout)
        return status, json.loads(answer) if answer else None

    def sqs(self, action, timeout=60, **fields):
        """An SQS action over AWS JSON 1.0: (status, answer)."""
        status, _, answer = request(
            self.urls["sqs"], "POST", "/", json.dumps(fields),
            {"X-Amz-Target": f"AmazonSQS.{action}", "Content-Type": "application/x-amz-json-1.0"},
            timeout)
        return status, json.loads(answer) if answer else {}

    def station(self, name, line=None):
        """What the board says of it."""
        status, answer = self.admin("GET", "/api/v1/stations")
        assert status == 200, answer
        found = [station for station in answer["stations"]
                 if station["station"] == name and line in (None, station["line"])]
        assert len(found) == 1, (name, answer)
        return found[0]

    def order(self, path, body, headers=None):
        """The job's path of an order that is accepted."""
        status, answered, text = self.gateway("POST", path, body, headers)
        assert status == 202, (status, text)
        return answered["Location"]

    def job(self, path):
        status, _, text = self.gateway("GET", path)
        assert status == 200, (path, status, text)
        return json.loads(text)

    def ended(self, path, state, seconds=20):
        """The report of a job once it has ended so."""
        def is_over():
            told = self.job(path)
            return told["state"] != "running" and told
        told = wait_until(is_over, seconds, f"the end of {path}")
        assert told["state"] == state, told
        return told

    def cli(self, *words, check=True, stdin=""):
        done = subprocess.run([TAKT, *words], input=stdin, capture_output=True, text=True,
                              timeout=60, check=False,
                              env={**os.environ, "TAKT_SERVER": self.urls.get("admin", "")})
        assert not check or done.returncode == 0, done.stderr
        return done

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.kill()


def children_of(parents):
    """Process ids of those that have one of these as their parent, and are not dead."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            if fields[0] != "Z" and int(fields[1]) in parents:
                found.append(int(name))
    return found


def marked_processes(data):
    """Process ids of all that carry the mark of this data folder, wherever they stand now."""
    with contextlib.suppress(OSError):
        with open(os.path.join(data, "mark"), encoding="utf-8") as file:
            mark = f"TAKT_INSTANCE={file.readline().strip()}".encode()
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append(int(name))
        return found
    return []
