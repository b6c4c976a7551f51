# SPDX-License-Identifier: Apache-2.0
"""The command line and its conventions: exit codes, -o, TAKT_SERVER, data on stdout, words on stderr."""
import json
import os
import pty
import shutil
import subprocess

import pytest

from takt_server import TAKT, TOP, Takt, wait_until, write_program

BAD = os.path.join(TOP, "test", "line", "bad")
GOOD = os.path.join(TOP, "test", "line", "good")
LINE = """
line: shop
gateway: { POST /orders: { to: till, key: .number } }
stations:
  till: { exec: ./till, retry: { attempts: 2, backoff: 10ms..20ms }, next: pack }
  pack: { stream: ./pack, workers: 2 }
queues:
  mail: { visibility: 30s, dead: { to: mail-dead, after: 1 } }
  mail-dead: {}
---
line: other
stations:
  pack: { exec: /bin/cat }
"""
TILL = """#!/bin/sh
order=$(cat)
case "$order" in
*broken*) [ -e "$0.well" ] || { echo "the till is stuck" >&2; exit 3; } ;;
*cake*) echo "we make no cake" >&2; exit 65 ;;
*slow*) sleep 0.7 ;;
esac
printf '%s' "$order"
"""
PACK = """#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps({"id": task["id"], "output": {"packed": task["body"]["number"]}}), flush=True)
"""
OK, FAILED, USAGE, BAD_INPUT, UNREACHABLE = 0, 1, 2, 65, 69


@pytest.fixture(name="takt", scope="module")
def fixture_takt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "line.yaml").write_text(LINE, encoding="utf-8")
    write_program(folder / "till", TILL)
    write_program(folder / "pack", PACK)
    with Takt(folder / "takt", folder / "line.yaml") as takt:
        yield takt


def cli(takt, *words, code=OK, stdin="", says=None):
    """Runs a command and checks its exit code: (stdout, stderr). A refusal prints no data."""
    done = takt.cli(*words, check=False, stdin=stdin)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    if code != OK:
        assert done.stdout == "" and done.stderr != "", (words, done.stdout, done.stderr)
    if says is not None:
        assert says in done.stderr, done.stderr
    return done.stdout, done.stderr


def alone(*words, env=None, stdin=""):
    """A command without a takt to speak to."""
    return subprocess.run([TAKT, *words], capture_output=True, text=True, timeout=60, check=False,
                          input=stdin, env={**os.environ, **(env or {})})


def order(takt, number, state, **more):
    path = takt.order("/orders", json.dumps({"number": number, **more}))
    takt.ended(path, state)
    return path.rsplit("/", 1)[1]


def new_queue(takt, name, *options):
    out, _ = cli(takt, "queue", "create", name, *options)
    assert out.endswith(f"/{name}\n"), out


# ---- conventions -------------------------------------------------------------------------------

@pytest.mark.sanitized
@pytest.mark.parametrize("words", [
    ["nonsense"], ["queue"], ["queue", "nonsense"], ["queue", "list", "--nonsense"],
    ["queue", "create"], ["queue", "create", "a", "b"], ["queue", "peek", "--max"],
    ["job", "show"], ["job", "show", "a", "b"], ["station", "scale"], ["status", "--nonsense"],
    ["check"], ["run"], ["check", "--explain=1", "x"], ["run", "--grace", "5", "x.yaml"],
    ["serve", "--durability", "perhaps"], [],
])
def test_wrong_words_exit_2_and_say_so_on_stderr(words):
    done = alone(*words)
    assert (done.returncode, done.stdout) == (USAGE, ""), done
    assert "takt" in done.stderr


@pytest.mark.parametrize("words", [["help"], ["--help"], ["queue", "--help"], ["job", "show", "-h"],
                                   ["check", "--help"], ["run", "--help"], ["status", "--help"]])
def test_help_goes_to_stdout(words):
    done = alone(*words)
    assert (done.returncode, done.stderr) == (OK, "")
    assert "takt" in done.stdout


def test_version():
    done = alone("version")
    assert done.returncode == OK and done.stdout.startswith("takt ") and done.stderr == ""
    assert alone("--version").stdout == done.stdout


@pytest.mark.sanitized
@pytest.mark.parametrize("words", [["status"], ["queue", "list"], ["queue", "send", "q", "x"],
                                   ["job", "show", "1"], ["job", "list"], ["station", "list"],
                                   ["station", "scale", "a=1"]])
def test_no_takt_there_exits_69(words):
    for done in (alone(*words, "--server", "http://127.0.0.1:9"),
                 alone(*words, env={"TAKT_SERVER": "http://127.0.0.1:9"})):
        assert (done.returncode, done.stdout) == (UNREACHABLE, "")
        assert "no takt answers at http://127.0.0.1:9" in done.stderr


def test_a_flag_beats_the_environment(takt):
    done = alone("status", f"--server={takt.urls['admin']}",
                 env={"TAKT_SERVER": "http://127.0.0.1:9"})
    assert done.returncode == OK
    out, _ = cli(takt, "status", "-o", "json")
    assert json.loads(out)["ready"] is True
    done = alone("status", env={"TAKT_SERVER": takt.urls["admin"], "TAKT_OUTPUT": "json"})
    assert json.loads(done.stdout)["ready"] is True


@pytest.mark.sanitized
@pytest.mark.parametrize("words", [["queue", "list"], ["job", "list"], ["station", "list"],
                                   ["queue", "peek", "mail"]])
def test_every_list_is_a_table_json_or_ndjson(takt, words):
    cli(takt, "queue", "send", "mail", "{}")
    order(takt, 1, "done")
    table, words_beside = cli(takt, *words)
    assert words_beside == ""
    rows = json.loads(cli(takt, *words, "-o", "json")[0])
    lines = cli(takt, *words, "--output=ndjson")[0].splitlines()
    assert [json.loads(line) for line in lines][0].keys() == rows[0].keys()
    assert len(lines) == len(rows) == len(table.splitlines()) - 1
    assert table.splitlines()[0].split()[0].isupper()
    cli(takt, *words, "-o", "xml", code=USAGE, says="table, json or ndjson")


def test_what_answers_is_not_takt(takt):
    # The gateway is a server, but not the board.
    done = alone("queue", "list", "--server", takt.urls["gateway"])
    assert done.returncode == FAILED and done.stdout == "" and done.stderr != ""


def test_data_that_cannot_be_written_is_a_failure(takt):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([TAKT, "queue", "list"], stdout=full, stderr=subprocess.PIPE,
                              timeout=60, check=False,
                              env={**os.environ, "TAKT_SERVER": takt.urls["admin"]})
    assert done.returncode == FAILED and b"standard output" in done.stderr


# ---- queues ------------------------------------------------------------------------------------

@pytest.mark.sanitized
def test_queue_create_list_and_delete(takt):
    new_queue(takt, "plain", "--visibility", "90s", "--retention", "2d", "--delay", "0s",
              "--wait", "1s", "--max-message", "2048", "--dead", "mail-dead", "--dead-after", "7")
    status, answer = takt.sqs("GetQueueAttributes", QueueUrl="plain", AttributeNames=["All"])
    assert status == 200
    attributes = answer["Attributes"]
    assert (attributes["VisibilityTimeout"], attributes["MessageRetentionPeriod"],
            attributes["ReceiveMessageWaitTimeSeconds"], attributes["MaximumMessageSize"]) == \
        ("90", "172800", "1", "2048")
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] in (7, "7")
    names = [row["name"] for row in json.loads(cli(takt, "queue", "list", "-o", "json",
                                                   "--prefix", "pla")[0])]
    assert names == ["plain"]
    new_queue(takt, "plain", "--visibility", "90s")  # the same again is fine
    cli(takt, "queue", "create", "plain", "--visibility", "91s", code=FAILED)
    for size, bytes_count in [("1KiB", 1024), ("256KiB", 262144), ("1MiB", 1048576)]:
        new_queue(takt, "sized", "--max-message", size)
        _, answer = takt.sqs("GetQueueAttributes", QueueUrl="sized", AttributeNames=["All"])
        assert answer["Attributes"]["MaximumMessageSize"] == str(bytes_count)
        cli(takt, "queue", "delete", "sized", "--yes")
    for size in ["1KB", "1.5MiB", "KiB", "-1", ""]:
        cli(takt, "queue", "create", "sized", f"--max-message={size}", code=USAGE, says="256KiB")
    cli(takt, "queue", "create", "sized", "--max-message", "2MiB", code=FAILED)
    cli(takt, "queue", "create", "no good name", code=FAILED)
    cli(takt, "queue", "create", "plain2", "--visibility", "90", code=USAGE, says="unit")
    cli(takt, "queue", "create", "plain2", "--dead", "nowhere", code=FAILED)
    cli(takt, "queue", "delete", "plain", code=FAILED, says="--yes")
    assert cli(takt, "queue", "list", "--prefix", "plain", "-o", "json")[0] != "[]\n"
    cli(takt, "queue", "delete", "plain", "--yes")
    assert cli(takt, "queue", "list", "--prefix", "plain", "-o", "json")[0] == "[]\n"
    cli(takt, "queue", "delete", "plain", "--yes", code=FAILED)


@pytest.mark.sanitized
def test_queue_send_receive_and_peek(takt):
    new_queue(takt, "letters")
    ident = cli(takt, "queue", "send", "letters", "one")[0].strip()
    cli(takt, "queue", "send", "letters", stdin="two\nlines \u2744")
    out, _ = cli(takt, "queue", "send", "letters", "--ndjson",
                 stdin="".join(f'{{"n": {n}}}\n' for n in range(25)) + "\n  \n")
    assert out == "25 messages sent\n"
    peeked = json.loads(cli(takt, "queue", "peek", "letters", "-o", "json", "--max", "100")[0])
    assert len(peeked) == 27 and peeked[0]["id"] == ident
    assert [message["body"] for message in peeked[:3]] == ["one", "two\nlines \u2744", '{"n": 0}']
    assert cli(takt, "queue", "receive", "letters", "--delete")[0] == "one\n"
    got = json.loads(cli(takt, "queue", "receive", "letters", "--max", "10", "-o", "json",
                         "--visibility", "0s")[0])
    assert len(got) == 10 and got[0]["Body"] == "two\nlines \u2744"
    assert len(json.loads(cli(takt, "queue", "peek", "letters", "-o", "json", "--max", "100")[0])) \
        == 26
    cli(takt, "queue", "send", "letters", "later", "--delay", "600s")
    row = json.loads(cli(takt, "queue", "list", "--prefix", "letters", "-o", "json")[0])[0]
    assert (row["visible"], row["delayed"]) == (26, 1)
    cli(takt, "queue", "send", "nowhere", "x", code=FAILED)
    done = takt.cli("queue", "send", "letters", "--ndjson", check=False,
                    stdin="x" * (1024 * 1024 + 1) + "\n")
    assert (done.returncode, done.stdout) == (FAILED, "0 messages sent\n") and done.stderr
    cli(takt, "queue", "send", "letters", code=FAILED, stdin="x" * (1024 * 1024 + 1))
    cli(takt, "queue", "receive", "letters", "--max", "11", code=USAGE)
    cli(takt, "queue", "receive", "letters", "--wait", "5", code=USAGE)
    cli(takt, "queue", "peek", "letters", "--max", "1000", code=BAD_INPUT)
    assert cli(takt, "queue", "receive", "mail-dead", "-o", "json")[0] == "[]\n"
    assert cli(takt, "queue", "receive", "mail-dead")[0] == ""


@pytest.mark.sanitized
def test_queue_purge_asks(takt):
    new_queue(takt, "waste")
    cli(takt, "queue", "send", "waste", "x")

    def waiting():
        return json.loads(cli(takt, "queue", "list", "--prefix", "waste", "-o", "json")[0])[0]
    cli(takt, "queue", "purge", "waste", code=FAILED, says="--yes")
    assert waiting()["visible"] == 1
    for answer, code, left in ((b"n\n", FAILED, 1), (b"y\n", OK, 0)):
        leader, follower = pty.openpty()  # there is a terminal to ask on
        with subprocess.Popen([TAKT, "queue", "purge", "waste"], stdin=follower,
                              stderr=subprocess.PIPE,
                              env={**os.environ, "TAKT_SERVER": takt.urls["admin"]}) as process:
            os.write(leader, answer)
            assert process.wait(30) == code
            assert b"are you sure?" in process.stderr.read()
        os.close(leader)
        os.close(follower)
        assert waiting()["visible"] == left
    assert waiting()["purged"] == 1
    cli(takt, "queue", "purge", "nowhere", "--yes", code=FAILED)


@pytest.mark.sanitized
def test_queue_redrive(takt):
    new_queue(takt, "post", "--dead", "mail-dead", "--dead-after", "1")
    for number in range(3):
        cli(takt, "queue", "send", "post", str(number))
    for _ in range(2):
        cli(takt, "queue", "receive", "post", "--max", "10", "--visibility", "0s")
    assert len(json.loads(cli(takt, "queue", "peek", "mail-dead", "-o", "json")[0])) == 3
    assert cli(takt, "queue", "redrive", "mail-dead")[0] == "3 messages sent back\n"
    assert cli(takt, "queue", "redrive", "mail-dead")[0] == "0 messages sent back\n"
    assert len(json.loads(cli(takt, "queue", "peek", "post", "-o", "json")[0])) == 3
    cli(takt, "queue", "redrive", "nowhere", code=FAILED)


# ---- jobs and stations -------------------------------------------------------------------------

@pytest.mark.sanitized
def test_job_show_by_id_and_by_key(takt):
    job = order(takt, "A-1", "done")
    by_id, _ = cli(takt, "job", "show", job)
    assert cli(takt, "job", "show", "A-1")[0] == by_id
    assert f"job {job}, key A-1 of line shop: done" in by_id
    lines = by_id.splitlines()
    assert [("till" in line, "pack" in line) for line in lines[2:4]] == [(True, False),
                                                                        (False, True)]
    assert all("attempt 1  done" in line for line in lines[2:4])
    assert lines[-1].strip() == 'result: {"packed": "A-1"}'
    told = json.loads(cli(takt, "job", "show", "A-1", "-o", "json")[0])
    assert told["id"] == job and told["result"] == {"packed": "A-1"}
    cli(takt, "job", "show", "nobody", code=FAILED)
    cli(takt, "job", "show", "0" * 32, code=FAILED)
    cli(takt, "job", "show", job, "-o", "ndjson", code=USAGE)


def test_job_show_tells_rejects_failures_and_where_it_waits(takt):
    order(takt, "R-1", "rejected", what="cake")
    assert "rejected: we make no cake" in cli(takt, "job", "show", "R-1")[0]
    order(takt, "F-1", "failed", what="broken")
    shown, _ = cli(takt, "job", "show", "F-1")
    assert "failed" in shown and "attempt 2  dead" in shown and "the till is stuck" in shown
    assert "now at till: 1 in the dead letters" in shown
    cli(takt, "station", "scale", "pack=0", "--line", "shop")
    path = takt.order("/orders", json.dumps({"number": "W-1"}))
    wait_until(lambda: "now at pack: 1 waiting" in cli(takt, "job", "show", "W-1")[0], 10, "wait")
    cli(takt, "station", "scale", "pack=auto", "--line", "shop")
    takt.ended(path, "done")
    till = os.path.join(os.path.dirname(takt.folder), "till.well")
    with open(till, "w", encoding="utf-8"):
        pass
    assert cli(takt, "queue", "redrive", "shop_till_dead")[0] == "1 message sent back\n"
    assert "its dead letters lie in shop_till_dead" in \
        cli(takt, "queue", "redrive", "shop_till", code=BAD_INPUT)[1]
    wait_until(lambda: "of line shop: done" in cli(takt, "job", "show", "F-1")[0], 10, "revived")
    os.unlink(till)


@pytest.mark.sanitized
def test_job_list_and_follow(takt):
    jobs = [order(takt, "L-1", "done") for _ in range(3)]
    rows = json.loads(cli(takt, "job", "list", "--key", "L-1", "-o", "json")[0])
    assert [row["id"] for row in rows] == jobs[::-1]
    rows = json.loads(cli(takt, "job", "list", "--state", "done", "--limit", "2", "-o", "json")[0])
    assert [row["id"] for row in rows] == jobs[:0:-1]
    cli(takt, "job", "list", "--state", "nonsense", code=BAD_INPUT)
    cli(takt, "job", "list", "--limit", "many", code=USAGE)
    path = takt.order("/orders", json.dumps({"number": "S-1", "what": "slow"}))
    out, _ = cli(takt, "job", "follow", "S-1")
    assert f"job {path.rsplit('/', 1)[1]}, key S-1 of line shop: done" in out
    cli(takt, "job", "follow", "nobody", code=FAILED)


@pytest.mark.sanitized
def test_station_scale(takt):
    assert cli(takt, "station", "scale", "till=3")[0] == "shop/till: 3 workers\n"
    assert takt.station("till")["workers"]["wanted"] == 3
    assert takt.station("till")["workers"]["scale"] == 3
    cli(takt, "station", "scale", "till=auto")
    assert takt.station("till")["workers"]["scale"] is None
    cli(takt, "station", "scale", "pack=1", code=FAILED, says="--line")
    cli(takt, "station", "scale", "pack=1", "--line", "other")
    assert takt.station("pack", "other")["workers"]["wanted"] == 1
    assert takt.station("pack", "shop")["workers"]["wanted"] == 2
    cli(takt, "station", "scale", "pack=auto", "--line", "other")
    cli(takt, "station", "scale", "nowhere=1", code=FAILED)
    for word in ("till", "till=many", "till=1001", "till=-1"):
        cli(takt, "station", "scale", word, code=USAGE)


def test_status_shows_lines_and_stations(takt):
    out, _ = cli(takt, "status")
    assert out.startswith("takt ") and "ready" in out.splitlines()[0]
    assert "\nline shop\n" in out and "\nline other\n" in out
    assert "  till " in out and "of 2 workers busy" in out
    told = json.loads(cli(takt, "status", "-o", "json")[0])
    assert [line["name"] for line in told["lines"]] == ["shop", "other"]
    cli(takt, "status", "-o", "xml", code=USAGE)


# ---- check -------------------------------------------------------------------------------------

@pytest.fixture(name="lines", scope="module")
def fixture_lines(tmp_path_factory):
    """Line files beside the programs they name, but for those that are to be missing."""
    top = tmp_path_factory.mktemp("lines")
    for source in (BAD, GOOD):
        folder = top / os.path.basename(source)
        shutil.copytree(source, folder)
        (folder / "bin").mkdir()
        (folder / "bin" / "notexec").write_text("", encoding="utf-8")
        for path in sorted(folder.glob("*.yaml")):
            for line in check_in(folder, path.name).stderr.splitlines():
                _, found, program = line.partition(f"does not exist: {folder}/")
                if found and "missing" not in program and ": the folder " in line:
                    os.makedirs(folder / program)
                elif found and "missing" not in program:
                    os.makedirs(os.path.dirname(folder / program), exist_ok=True)
                    write_program(folder / program, "#!/bin/sh\n")
    return top


def check_in(folder, *words):
    env = {"PATH": "relative:/bin:/usr/bin", "SHOP": "north", "NOTHING": ""}
    return subprocess.run([TAKT, "check", *words], cwd=folder, capture_output=True, text=True,
                          timeout=60, check=False, env=env)


def test_check_says_all_that_is_wrong_with_every_bad_file(lines):
    """Each file's errors are the file beside it, whole."""
    folder = lines / "bad"
    names = sorted(name for name in os.listdir(BAD) if name.endswith(".yaml"))
    assert len(names) >= 40
    for name in names:
        words = (folder / (name[:-5] + ".expected")).read_text(encoding="utf-8")
        done = check_in(folder, name)
        assert (done.returncode, done.stdout) == (BAD_INPUT, ""), name
        assert done.stderr.replace(f"{folder}/", "/line/") == words, name
    some = ("anchors.yaml", "commands.yaml", "deep.yaml", "env.yaml")
    told = check_in(folder, *some).stderr.splitlines()  # several files, one answer
    alone = [line for name in some for line in check_in(folder, name).stderr.splitlines()]
    assert [line for line in told if "there is a line" not in line] == alone


def test_check_explains_good_files(lines):
    folder = lines / "good"
    names = sorted(name for name in os.listdir(GOOD) if name.endswith(".yaml"))
    for name in names:
        words = (folder / (name[:-5] + ".explain")).read_text(encoding="utf-8")
        done = check_in(folder, "--explain", name)
        assert (done.returncode, done.stderr) == (OK, ""), name
        assert done.stdout.replace(f"{folder}/", "/line/") == words, name


def test_check_of_a_good_and_of_no_file(takt, tmp_path):
    folder = os.path.dirname(takt.folder)
    done = alone("check", os.path.join(folder, "line.yaml"))
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout == "line shop: 2 stations, 1 route, 2 queues: fine\n" \
                          "line other: 1 station, 0 routes, 0 queues: fine\n"
    shutil.copy(os.path.join(folder, "line.yaml"), tmp_path / "line.yaml")
    done = alone("check", str(tmp_path / "line.yaml"), str(tmp_path / "none.yaml"))
    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert "the program `./till` does not exist" in done.stderr
    assert f"{tmp_path}/none.yaml:1:1: cannot be read: No such file or directory" in done.stderr
