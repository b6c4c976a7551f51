# SPDX-License-Identifier: Apache-2.0
"""What the documentation says is tried: its commands are run, its links and paths are looked for.

In a page, a fenced block of

    ```console        is run: lines that begin with "$ " are commands, the others what they print
    ```console seen   was seen once, and is not run: it builds, installs or takes too long
    ```LANGUAGE FILE  is the file of that name

All blocks of a page are run in one folder and one shell, in their order. A command that ends with
`&` starts takt in the background; the next waits until that is ready. Outputs are compared after
what differs each time (ids, times, durations) is masked on both sides; `…` in a page stands for
anything, on a line of its own for any number of lines. A job's id in a page means the job that has
that place when it is run. takt's own log lines are looked at only behind the command that starts it.
"""
import contextlib
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from takt_server import TAKT, TOP

COMMAND_SECONDS_MAX = 20
END = "takt-docs-end-of-command"
PORTS = {"GATEWAY": 8080, "SQS": 9324, "ADMIN": 9325}

ID = re.compile(r"\b[0-9a-f]{32}\b")
LOG = re.compile(r"^\d\d:\d\d:\d\d\.\d{3} ")
MASKS = [(re.compile(pattern), mask) for pattern, mask in [
    (ID.pattern, "ID"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "TIME"),
    (r"\d\d:\d\d:\d\d\.\d{3}Z?", "TIME"),
    (r"\b\d+(\.\d+)? (ms|us|s)\b", "DURATION"),
    (r"\s+", " "),
]]


def pages():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard",
                             "*.md"], cwd=TOP, capture_output=True, text=True, check=False).stdout
    names = [name for name in listed.split() if os.path.exists(os.path.join(TOP, name))]
    return sorted(names) or ["README.md"]


def read(page):
    with open(os.path.join(TOP, page), encoding="utf-8") as file:
        return file.read()


def blocks(page):
    """(the words behind the fence, the lines) of each fenced block."""
    for match in re.finditer(r"^```(.*)\n((?:.*\n)*?)```$", read(page), re.MULTILINE):
        yield match[1].split(), match[2].splitlines()


def commands(lines):
    """(command, [expected line]) of a console block."""
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\"):
            found[-1] = (found[-1][0][:-1] + line.strip(), [])
        else:
            assert found, f"a console block begins with a command, not with {line!r}"
            found[-1][1].append(line)
    return found


def masked(line):
    for pattern, mask in MASKS:
        line = pattern.sub(mask, line)
    return line.strip()


def pattern_of(expected):
    """A regular expression for what these lines allow."""
    whole = ""
    for line in expected:
        if line.strip() == "…":
            whole += r"(?:.*\n)*?"
        else:
            whole += ".*".join(re.escape(masked(part)) if not part.strip() else
                               re.escape(masked(part)).replace(r"\ ", r" ?")
                               for part in line.split("…")) + r"\n"
    return re.compile(whole)


def fits(expected, output):
    expected = [line for line in expected if line.strip()]
    lines = [masked(line) for line in output.splitlines() if line.strip()]
    return pattern_of(expected).fullmatch("".join(line + "\n" for line in lines)) is not None


def free_addresses(ports):
    with contextlib.ExitStack() as stack:
        found = {}
        for port in ports.values():
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            found[f"127.0.0.1:{port}"] = f"127.0.0.1:{listener.getsockname()[1]}"
        return found


class Shell:
    """A shell in a folder that looks like a clone, whose takt listens on ports of its own."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.ready = os.path.join(self.folder, "ready.json")
        self.ids = {}
        self.addresses = free_addresses(PORTS)  # the page's, and those of this takt
        self.lines = queue.Queue()
        for name, target in [("build", os.path.dirname(TAKT)),
                             ("examples", os.path.join(TOP, "examples")),
                             ("node_modules", os.path.join(TOP, "test", "node_modules"))]:
            os.symlink(target, os.path.join(self.folder, name))
        env = {**os.environ, "PATH": f"{os.path.dirname(TAKT)}:{os.environ['PATH']}",
               "TAKT_READY_FILE": self.ready, "LC_ALL": "C.UTF-8",
               "NODE_NO_WARNINGS": "1",  # the SDK would like a newer node than Debian 12's
               "BAKERY": os.path.join(TOP, "build", "examples", "bakery"),
               "BAKERY_LEDGER": os.path.join(self.folder, "ledger.db")}
        for name, port in PORTS.items():
            env[f"TAKT_LISTEN_{name}"] = self.addresses[f"127.0.0.1:{port}"]
        env["TAKT_SERVER"] = "http://" + env["TAKT_LISTEN_ADMIN"]
        self.process = subprocess.Popen(["bash"], cwd=self.folder, env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)

    def to_here(self, text):
        """What a page says, as it is here: addresses and ids."""
        for theirs, ours in self.addresses.items():
            text = text.replace(theirs, ours)
        return ID.sub(lambda match: self.ids.get(match[0], match[0]), text)

    def _to_page(self, text):
        for theirs, ours in self.addresses.items():
            text = text.replace(ours, theirs)
        return text.replace(os.path.realpath(self.folder), "…").replace(self.folder, "…")

    def _wait_ready(self):
        deadline = time.monotonic() + COMMAND_SECONDS_MAX
        while not os.path.exists(self.ready):
            assert time.monotonic() < deadline, "takt did not become ready"
            time.sleep(0.01)

    def _until(self, is_end):
        output = ""
        deadline = time.monotonic() + COMMAND_SECONDS_MAX
        while True:
            try:
                line = self.lines.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                raise AssertionError(f"no end after {COMMAND_SECONDS_MAX} s: {output}") from None
            if END in line:
                output += line.split(END)[0]
                return output
            output += line
            if is_end(output):
                return output

    def run(self, command, expected):
        is_start = command.rstrip().endswith("&")
        if is_start and os.path.exists(self.ready):
            os.unlink(self.ready)
        self.process.stdin.write(self.to_here(command).replace("curl ", "curl -sS ") + "\n")
        if is_start:
            self.process.stdin.flush()
            self._wait_ready()
            output = self._until(lambda text: fits(expected, self._to_page(text)))
        else:
            if re.match(r"kill\b", command):
                self.process.stdin.write("wait $! 2>/dev/null\n")
            self.process.stdin.write(f"takt_code=$?; echo {END}; (exit $takt_code)\n")
            self.process.stdin.flush()
            output = self._until(lambda _: False)
        output = self._to_page(output)
        if not is_start:
            output = "".join(line for line in output.splitlines(True)
                             if not LOG.match(line) and not re.match(r"bash: line \d+: ", line))
            expected = [line for line in expected if not LOG.match(line)]
        assert fits(expected, output), \
            f"$ {command}\nthe page says:\n" + "\n".join(expected) + f"\nit prints:\n{output}"
        self.ids.update(zip(ID.findall("\n".join(expected)), ID.findall(output)))

    def close(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self.process.stdin.close()


def is_run(words):
    return words == ["console"]


@pytest.mark.parametrize("page", [page for page in pages()
                                  if any(is_run(words) for words, _ in blocks(page))])
def test_commands_of_a_page_do_what_it_says(page, tmp_path):
    shell = Shell(tmp_path)
    try:
        for words, lines in blocks(page):
            if is_run(words):
                for command, expected in commands(lines):
                    shell.run(command, expected)
            elif len(words) == 2 and words[0] != "console":
                (tmp_path / words[1]).write_text(shell.to_here("\n".join(lines) + "\n"),
                                                 encoding="utf-8")
    finally:
        shell.close()


def anchors(page):
    """What GitHub makes of the page's headings."""
    text = re.sub(r"^```.*?^```$", "", read(page), flags=re.MULTILINE | re.DOTALL)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page):
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        if not os.path.exists(os.path.join(TOP, place)):
            lost.append(target)
        elif anchor and anchor not in anchors(place):
            lost.append(target)
    assert not lost, f"{page} links to what is not there: {', '.join(lost)}"


PLACES = r"(?:src|test|docs|examples|bench|tools)"


@pytest.mark.parametrize("page", [page for page in pages() if page != "docs/style.md"])
def test_paths_that_are_named_exist(page):
    """`src/x/y.c`, `test/z.py`: also with `*`; a name with `::` names a test in that file."""
    lost = []
    for path, test in re.findall(rf"`({PLACES}/[\w./*{{}},-]+?)(?:::(\w+))?`", read(page)):
        if "x." in path or "x_test" in path or "**" in path:
            continue  # a pattern in words: src/**/x.c
        found = subprocess.run(["bash", "-c", f"ls -d {path}"], cwd=TOP, capture_output=True,
                               text=True, check=False)
        if found.returncode != 0:
            lost.append(path)
        elif test and not re.search(rf"\b{test}\b", read(path)):
            lost.append(f"{path}::{test}")
    assert not lost, f"{page} names what is not there: {', '.join(lost)}"


def test_a_wrong_output_is_found():
    assert fits(["ready after 90 ms: …", "…", "end"], "ready after 7 ms: x y\na\nb\nend\n")
    assert not fits(["ready after 90 ms: …", "…", "end"], "ready after 7 ms: x y\na\nb\nfine\n")
    assert not fits(["200 orders"], "199 orders\n")
    assert not fits([], "a word too much\n")
    assert fits([f"job {'a' * 32}: done"], f"job {'0' * 32}: done\n")
