# SPDX-License-Identifier: Apache-2.0
"""Nothing that a worker has started outlives it, however that hides; nobody else's process is hit.

As root each test runs a second time as a user without rights, who may not be told from root here.
"""
import os
import shutil
import signal
import tempfile
import uuid

import pytest

from takt_server import TAKT, Takt, children_of, wait_until

NOBODY = 65534
USERS = [None, NOBODY] if os.geteuid() == 0 else [None]

# Leaves two daemons that have left its group and session, cleaned their environment, and lost their
# parents; they are known by their arguments alone.
HIDE = """\
def hide(tag):
    os.environ["TAG"] = tag
    os.system("env -i /usr/bin/setsid /bin/sh -c 'exec 0<&- >/dev/null 2>&1; sleep $0 &' $TAG")
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 3)
            os.chdir("/")
            os.execve("/bin/sleep", ["sleep", tag], {})
        os._exit(0)
    os.waitpid(child, 0)
    while len(found(tag)) < 2:
        time.sleep(0.005)
"""
FIND = '''\
def found(tag):
    """Process ids of daemons with this tag that are not dead."""
    pids = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if file.read() == b"sleep\\0" + tag.encode() + b"\\0":
                    pids.append(int(name))
        except (OSError, ValueError):
            pass
    return pids
'''
HANDLER = f"""\
#!/usr/bin/python3
import json, os, sys, time
{FIND}
{HIDE}
tag, end = sys.argv[1:]
sys.stdin.read()
if os.path.exists("begun"):
    print(json.dumps(found(tag)))
    sys.exit(0)
hide(tag)
open("begun", "w").close()
if end == "die":
    os.kill(os.getpid(), 9)
if end == "fail":
    sys.exit(3)
if end == "well":
    print("[]")
    sys.exit(0)
time.sleep(600)
"""
BYSTANDER = f"""\
#!/usr/bin/python3
import os, sys, time
{FIND}
{HIDE}
hide(sys.argv[1])
sys.stdin.read()
"""
LINE = """\
line: hide
result: work
gateway: {{ POST /orders: work, POST /others: bystander }}
defaults: {{ retry: {{ attempts: 3, backoff: 1ms..2ms }} }}
stations:
  work: {{ exec: [./handler, "{tag}", {end}], timeout: {timeout} }}
  bystander: {{ stream: [./bystander, "{other}"], workers: 1 }}
"""

found = {}
exec(FIND, {"os": os}, found)  # pylint: disable=exec-used  # the handlers' own
found = found["found"]


class Hiding:
    """A takt whose one order leaves daemons in its first attempt, and tells in its second who is
    still there."""

    def __init__(self, user, end, timeout="1m"):
        self.folder = tempfile.mkdtemp(prefix="takt-keepers-")
        number = uuid.uuid4().int % 10**12
        self.tag, self.other = f"600.{number}1", f"600.{number}2"
        line = os.path.join(self.folder, "line.yaml")
        with open(line, "w", encoding="utf-8") as file:
            file.write(LINE.format(tag=self.tag, other=self.other, end=end, timeout=timeout))
        for name, text in (("handler", HANDLER), ("bystander", BYSTANDER)):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(os.path.join(self.folder, name), 0o755)
        self.takt = Takt(self.folder, line, "--grace", "100ms")
        if user is not None:
            self.takt.identity = {"user": user, "group": user, "extra_groups": []}
            self.takt.program = os.path.join(self.folder, "takt")
            shutil.copy(TAKT, self.takt.program)
            for path in [self.folder, *(entry.path for entry in os.scandir(self.folder))]:
                os.chown(path, user, user)
        self.job = None

    def __enter__(self):
        try:
            self.takt.start()
            wait_until(lambda: len(found(self.other)) == 2, 20, "the bystander's daemons")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.takt.__exit__()
        leftover = found(self.tag) + found(self.other)
        for pid in leftover:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder)

    def order(self):
        self.job = self.takt.order("/orders", "{}")

    def wait_until_hidden(self):
        wait_until(lambda: os.path.exists(os.path.join(self.folder, "begun")), 20, "daemons")
        assert len(found(self.tag)) == 2

    def check_second_attempt(self):
        told = self.takt.ended(self.job, "done")
        assert told["result"] == [], "daemons were alive when the message was given out again"

    def stop(self):
        self.takt.stop()
        assert found(self.tag) + found(self.other) == []


@pytest.mark.sanitized
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("end,timeout", [("die", "1m"), ("fail", "1m"), ("hang", "500ms")])
def test_what_a_worker_has_hidden_is_gone_before_its_message_comes_back(user, end, timeout):
    with Hiding(user, end, timeout) as hiding:
        others = found(hiding.other)
        hiding.order()
        hiding.check_second_attempt()
        assert found(hiding.other) == others, "what a living worker has started is spared"
        hiding.stop()


@pytest.mark.parametrize("user", USERS)
def test_what_a_handler_has_hidden_is_gone_when_it_ends_well(user):
    with Hiding(user, "well") as hiding:
        hiding.order()
        hiding.takt.ended(hiding.job, "done")
        assert found(hiding.tag) == []
        assert len(found(hiding.other)) == 2
        hiding.stop()


@pytest.mark.sanitized
@pytest.mark.parametrize("user", USERS)
def test_what_workers_have_hidden_is_gone_after_a_kill_of_takt(user):
    with Hiding(user, "hang") as hiding:
        hiding.order()
        hiding.wait_until_hidden()
        earlier = found(hiding.tag) + found(hiding.other)
        hiding.takt.kill()
        hiding.takt.start()
        assert not set(earlier) & set(found(hiding.tag) + found(hiding.other))
        hiding.check_second_attempt()
        hiding.stop()


@pytest.mark.parametrize("user", USERS)
def test_what_workers_have_hidden_goes_with_a_killed_takt_without_another_start(user):
    with Hiding(user, "hang") as hiding:
        hiding.order()
        hiding.wait_until_hidden()
        hiding.takt.kill()
        wait_until(lambda: found(hiding.tag) + found(hiding.other) == [], 5, "all are gone")


@pytest.mark.parametrize("user", USERS)
def test_a_stop_leaves_nothing_that_is_hidden(user):
    with Hiding(user, "hang") as hiding:
        hiding.order()
        hiding.wait_until_hidden()
        hiding.stop()


def zombies_of(parent):
    zombies = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] == "Z" and int(fields[1]) == parent:
            zombies.append(name)
    return zombies


@pytest.mark.sanitized
@pytest.mark.parametrize("user", USERS)
def test_a_killed_keeper_is_a_dead_worker_and_leaves_nothing(user):
    with Hiding(user, "hang") as hiding:
        hiding.order()
        hiding.wait_until_hidden()
        others = found(hiding.other)
        keepers = children_of([hiding.takt.process.pid])
        assert len(keepers) == 2
        handler = next(pid for pid in keepers if is_of(pid, "handler"))
        os.kill(handler, signal.SIGKILL)
        hiding.check_second_attempt()
        assert found(hiding.other) == others
        wait_until(lambda: zombies_of(hiding.takt.process.pid) == [], 5, "none is a zombie")
        hiding.stop()


def is_of(keeper, name):
    """Is this the keeper of that program?"""
    for pid in children_of([keeper]):
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            if f"/{name}\0" in file.read():
                return True
    return False
