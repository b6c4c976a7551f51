# SPDX-License-Identifier: Apache-2.0
"""Tests of the suite itself: it has all rules, and none of them holds of a server that does nothing."""
import http.server
import os
import subprocess
import sys
import threading
import xml.etree.ElementTree

import pytest

from api import TOP

HERE = os.path.dirname(os.path.abspath(__file__))
BODY_BYTES_MAX = 10 * 1024 * 1024
IDENT = "00000000-0000-0000-0000-000000000000"


class Nothing(http.server.BaseHTTPRequestHandler):
    """200, and an empty answer in the request's own protocol, whatever is asked."""
    protocol_version = "HTTP/1.1"

    def answer(self):
        count = int(self.headers.get("Content-Length") or 0)
        if count < BODY_BYTES_MAX:  # else it never comes
            self.rfile.read(count)
        is_json = "x-amz-target" in self.headers or self.command == "PUT"
        body = b"{}" if is_json else (
            f"<R><Result/><ResponseMetadata><RequestId>{IDENT}</RequestId></ResponseMetadata>"
            "</R>").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0" if is_json else "text/xml")
        self.send_header("x-amzn-requestid", IDENT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


@pytest.fixture(name="nothing")
def fixture_nothing():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing)
    server.handle_error = lambda *_: None  # clients go away, as the tests have it
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.timeout(400)
@pytest.mark.skipif("TAKT_SQS_URL" in os.environ, reason="it is the test that starts this run")
def test_no_rule_holds_of_a_server_that_answers_nothing_to_everything(nothing, tmp_path):
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", HERE, "--tb=no", "-c", f"{TOP}/test/pytest.ini",
         f"--junitxml={report}", "--ignore", f"{HERE}/test_meta.py", "--ignore",
         f"{HERE}/test_model.py"],
        capture_output=True, text=True, check=False, timeout=380,
        env={**os.environ, "TAKT_SQS_URL": nothing, "PYTHONDONTWRITEBYTECODE": "1"})
    cases = list(xml.etree.ElementTree.parse(report).getroot().iter("testcase"))
    passed = [case.get("name") for case in cases
              if case.find("failure") is None and case.find("error") is None]
    assert len(cases) > 150, done.stdout[-3000:]
    assert passed == []


def test_every_rule_has_a_test_and_every_test_a_rule(contract):
    if not contract.is_whole:
        pytest.skip("only a part of the suite was asked for")
    assert [rule.ident for rule in contract.untested()] == []
    assert contract.strangers == []
