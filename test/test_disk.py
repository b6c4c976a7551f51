# SPDX-License-Identifier: Apache-2.0
"""A disk that takes no more while takt runs: said in words, nothing promised, nothing lost."""
import resource

import pytest

from takt_server import Takt, marked_processes, wait_until

LINE = """
line: slow
gateway: { POST /orders: { to: work } }
stations:
  work: { exec: /bin/sleep 30, workers: 1 }
queues: { mail: {} }
"""


@pytest.mark.sanitized
def test_a_failed_write_is_final_and_what_was_promised_is_there(tmp_path):
    (tmp_path / "line.yaml").write_text(LINE, encoding="utf-8")
    with Takt(tmp_path / "takt", tmp_path / "line.yaml", "--grace", "100ms") as takt:
        job = takt.order("/orders", "{}")
        assert takt.sqs("SendMessage", QueueUrl="mail", MessageBody="one")[0] == 200
        wait_until(lambda: takt.station("work")["in_flight"] == 1, 10, "in work")
        appended = takt.admin("GET", "/api/v1/status")[1]["journal"]["appended"]
        resource.prlimit(takt.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        status, answer = takt.sqs("SendMessage", QueueUrl="mail", MessageBody="two")
        assert status == 503, answer
        assert takt.process.wait(20) == 1
        assert f"File too large; nothing after record {appended} is promised" in takt.log()
        assert marked_processes(takt.data) == []
        takt.start()
        assert takt.job(job)["state"] == "running"
        queue = takt.admin("GET", "/api/v1/queues/mail")[1]
        assert (queue["visible"], queue["sent"]) == (1, 1), "the refused one is not there"
        takt.stop()
