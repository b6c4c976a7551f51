# SPDX-License-Identifier: Apache-2.0
"""What bench/run measures with: takt, nginx, wrk, a connection, the disk, a process's memory."""
import contextlib
import json
import os
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "test"))
from takt_server import TAKT, Takt, wait_until  # noqa: E402

BENCH = os.path.join(TOP, "bench")
PROGRAMS = os.path.join(TOP, "build", "bench")
LINE = os.path.join(BENCH, "line.yaml")
LINE_ENV = {"TRIVIAL": os.path.join(PROGRAMS, "trivial")}

# As long as takt's answer to SendMessage, and with its content type.
NGINX_ANSWER = json.dumps({"MD5OfMessageBody": "0123456789abcdef" * 2,
                           "MessageId": "01234567-89ab-4def-8123-456789abcdef"},
                          separators=(",", ":"))
NGINX_CONFIG = """\
worker_processes 1;
daemon off;
pid nginx.pid;
error_log error.log;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen 127.0.0.1:%d;
        default_type application/x-amz-json-1.0;
        location / { return 200 '%s'; }
    }
}
"""


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def can_connect(port):
    with contextlib.suppress(OSError), contextlib.closing(socket.socket()) as probe:
        probe.connect(("127.0.0.1", port))
        return True
    return False


class Nginx:
    """One worker, one fixed answer, its own folder."""

    def __init__(self, folder):
        os.makedirs(folder)
        self.port = free_port()
        with open(os.path.join(folder, "nginx.conf"), "w", encoding="utf-8") as file:
            file.write(NGINX_CONFIG % (self.port, NGINX_ANSWER))
        self.process = subprocess.Popen(
            ["nginx", "-p", folder, "-c", "nginx.conf", "-e", "error.log"],
            stdin=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        wait_until(lambda: can_connect(self.port), 10, "nginx answers")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def worker(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as file:
            return int(file.read().split()[0])


class Disk:
    """Times one write and fdatasync after the other, with bench/sync_bench.c."""

    def __init__(self, folder):
        self.process = subprocess.Popen([os.path.join(PROGRAMS, "sync_bench"), folder],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def sync_ms(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline()) / 1000

    def __enter__(self):
        self.sync_ms()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)


class Connection:
    """HTTP/1.1 on one socket, with as little of the client's own time as Python allows."""

    def __init__(self, address):
        host, port = address.rsplit("/", 1)[-1].split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def close(self):
        self.socket.close()

    def send(self, path, body, *headers):
        head = "".join(f"{header}\r\n" for header in headers)
        self.socket.sendall(f"POST {path} HTTP/1.1\r\nHost: bench\r\n{head}"
                            f"Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def more(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError("takt closed the connection")
        self.rest += piece

    def receive(self):
        """(status, body) of the oldest request that has no answer yet."""
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:])
        count = int(fields.get("content-length", 0))
        while len(self.rest) < count:
            self.more()
        body, self.rest = self.rest[:count], self.rest[count:]
        return int(lines[0].split()[1]), body

    def ask(self, path, body, *headers):
        self.send(path, body, *headers)
        return self.receive()


class Wrk:
    """One run of wrk with one of our scripts; ended with the block."""

    def __init__(self, script, url, connections, seconds, queue_url):
        words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s",
                 os.path.join("bench", script), url, "--", queue_url]
        self.command = shlex.join(words)
        self.seconds = seconds
        self.process = subprocess.Popen(words, cwd=TOP, stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def result(self):
        """The numbers of the script's line `result …`, when its time is over."""
        text, _ = self.process.communicate(timeout=self.seconds + 30)
        for line in text.splitlines():
            if line.startswith("result "):
                return [int(number) for number in line.split()[1:]]
        raise RuntimeError(f"{self.command}: {text}")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.result()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


def cpu_seconds(process_id):
    with open(f"/proc/{process_id}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main_thread_ms(process_id):
    """CPU time: on a busy machine a better witness than the clock."""
    with open(f"/proc/{process_id}/task/{process_id}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e6


def private_mib(process_id):
    kib = 0
    with open(f"/proc/{process_id}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith(("Private_Clean:", "Private_Dirty:")):
                kib += int(line.split()[1])
    return kib / 1024


def spread(values, form="{:,.0f}"):
    """The median, with the smallest and the largest behind it."""
    values = list(values)
    return (f"{form.format(statistics.median(values))}  "
            f"[{form.format(min(values))} .. {form.format(max(values))}]")


def line_takt(folder):
    return Takt(folder, LINE, env=LINE_ENV)


def order(number):
    return json.dumps({
        "number": number, "total": 1250, "card": "4000 0000 0000 0002",
        "address": {"name": "A. Baker", "street": "Mill Lane 3", "city": "Bath"},
        "items": [{"kind": kind, "count": 1 + number % 5}
                  for kind in ("bread", "sweet bread", "pizza")]})


def now_ms():
    return time.monotonic_ns() / 1e6


__all__ = ["TAKT", "LINE", "Connection", "Disk", "Nginx", "Takt", "Wrk", "cpu_seconds",
           "free_port", "line_takt", "main_thread_ms", "now_ms", "order", "private_mib",
           "spread", "wait_until"]
