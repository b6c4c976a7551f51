# SPDX-License-Identifier: Apache-2.0
"""The conformance suite: contract.txt has the rules, a test has a rule's words as its name.

A rule that is built and has no test fails the run, and so does a test that belongs to no rule. A
run of the whole folder against the real program writes docs/conformance.md. With TAKT_SQS_URL the
suite runs against what listens there (see test_meta.py).
"""
import itertools
import os
import re
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import api as protocols  # noqa: E402
from contract import Contract  # noqa: E402
from takt_server import TOP, Takt  # noqa: E402

names = itertools.count(1)
contract = Contract(os.path.join(HERE, "contract.txt"))


@pytest.fixture(scope="session", name="takt")
def fixture_takt(tmp_path_factory):
    given = os.environ.get("TAKT_SQS_URL")
    if given:
        takt = Takt(tmp_path_factory.mktemp("none"), command="serve")
        takt.urls = {"sqs": given, "admin": given}
        yield takt
        return
    with Takt(tmp_path_factory.mktemp("sqs"), command="serve") as takt:
        yield takt
        takt.stop()


@pytest.fixture(name="other")
def fixture_other(takt, tmp_path):
    """A takt of the test's own, to be killed and started again."""
    if os.environ.get("TAKT_SQS_URL"):
        takt.kill = takt.start = lambda: None
        yield takt
        return
    with Takt(tmp_path, command="serve") as other:
        yield other


@pytest.fixture(name="contract")
def fixture_contract():
    return contract


@pytest.fixture(name="api", params=list(protocols.PROTOCOLS))
def fixture_api(takt, request):
    return protocols.PROTOCOLS[request.param](takt.urls["sqs"])


@pytest.fixture(name="name")
def fixture_name():
    """A queue's name that no other test has."""
    return f"rules-{os.getpid()}-{next(names)}"


@pytest.fixture(name="queue")
def fixture_queue(api, name):
    """A new queue's URL."""
    return api.good("CreateQueue", QueueName=name)["QueueUrl"]


@pytest.fixture(name="json")
def fixture_json(takt):
    """AWS JSON 1.0, where a rule is only about it."""
    return protocols.Json(takt.urls["sqs"])


@pytest.fixture(name="query")
def fixture_query(takt):
    return protocols.Query(takt.urls["sqs"])


def rule_words(item):
    return re.sub(r"^test_|\[.*$", "", item.name).replace("_", " ")


def pytest_collection_modifyitems(items):
    mine = [item for item in items if item.path.parent.samefile(HERE)]
    for item in mine:
        item.add_marker(pytest.mark.sanitized)
        contract.found(item.path.stem.removeprefix("test_"), rule_words(item), item.nodeid)
    files = {item.path.name for item in mine}
    wanted = {name for name in os.listdir(HERE) if re.fullmatch(r"test_\w+\.py", name)}
    contract.is_whole = bool(mine) and files >= wanted


def pytest_deselected(items):
    if any(item.path.parent.samefile(HERE) for item in items):
        contract.is_whole = False


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome == "failed":
        contract.ran(report.nodeid, report.outcome == "passed")


def pytest_sessionfinish(session):
    if not contract.is_whole or session.config.option.collectonly:
        return
    if contract.untested() or contract.strangers:
        session.exitstatus = 1
    if "TAKT_SQS_URL" not in os.environ:
        contract.write(os.path.join(TOP, "docs", "conformance.md"))


def pytest_terminal_summary(terminalreporter):
    if contract.is_whole:
        for rule in contract.untested():
            terminalreporter.write_line(f"rule {rule.ident} has no test: {rule.words}")
        for test in contract.strangers:
            terminalreporter.write_line(f"test {test} is of no rule in test/sqs/contract.txt")
        terminalreporter.write_line(contract.summary())
