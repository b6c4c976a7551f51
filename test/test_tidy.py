# SPDX-License-Identifier: Apache-2.0
"""tools/tidy finds what it promises to find: each bad snippet is planted alone in a small project."""
import os
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
LONG = "int f(void) {\n" + "    g();\n" * 59 + "    return 0;\n}\n"
LONGEST = "int f(void) {\n" + "    g();\n" * 57 + "    return 0;\n}\n"


@pytest.fixture(name="project")
def make_project(tmp_path):
    """A clean project that has a header in every layer."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test.h").write_text(SPDX)
    shutil.copy(f"{TOP}/tools/tidy", tmp_path / "tools/tidy")
    shutil.copy(f"{TOP}/.clang-format", tmp_path / ".clang-format")
    for layer in ("base", "env", "broker", "journal", "shard", "http", "sqs", "line", "gateway",
                  "board", "cluster", "cli"):
        (tmp_path / "src" / layer).mkdir(parents=True)
        (tmp_path / "src" / layer / "x.h").write_text(SPDX)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def tidy(project):
    done = subprocess.run([project / "tools/tidy"], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert (done.returncode == 0) == (done.stdout == "")
    return done.stdout


def test_clean_project_is_clean(project):
    assert tidy(project) == ""


@pytest.mark.parametrize("path, text, rule", [
    ("src/base/a.c", "int x;\n", "spdx"),
    ("tools/b.sh", "#!/bin/sh\ntrue\n", "spdx"),
    ("a.yaml", "a: 1\n", "spdx"),
    ("src/base/a.c", SPDX + "int  x;\n", "format"),
    ("src/base/a.c", SPDX + '#include "env/x.h"\n', "layer"),
    ("src/base/a.c", SPDX + '#include "../env/x.h"\n', "layer"),
    ("src/broker/a.c", SPDX + '#include "journal/x.h"\n', "layer"),
    ("src/journal/a.c", SPDX + '#include "broker/x.h"\n', "layer"),
    ("src/journal/file/a.c", SPDX + '#include "shard/x.h"\n', "layer"),
    ("src/broker/a.c", SPDX + '#include "env/x.h"\n', "layer"),
    ("src/broker/a.c", SPDX + "#include <time.h>\n", "layer"),
    ("src/broker/a.c", SPDX + "#include <uv.h>\n", "layer"),
    ("src/shard/a.c", SPDX + "#include <uv.h>\n", "layer"),
    ("src/shard/a.c", SPDX + '#include "http/x.h"\n', "layer"),
    ("src/sqs/a.c", SPDX + '#include "line/x.h"\n', "layer"),
    ("src/line/a.c", SPDX + '#include "gateway/x.h"\n', "layer"),
    ("src/base/a.c", SPDX + '#include "sim/sim.h"\n', "layer"),
    ("src/new/a.c", SPDX + '#include "base/x.h"\n', "layer"),
    ("src/sqs/a.c", SPDX + "int f(void) {\n    return broker_apply();\n}\n", "apply"),
    ("src/shard/a.c", SPDX + "int f(void) {\n    return errno;\n}\n", "errno"),
    ("src/base/a.c", SPDX + "int f(char *s) {\n    return atoi(s);\n}\n", "banned"),
    ("examples/e/a.c", SPDX + "int f(char *s) {\n    return system(s);\n}\n", "banned"),
    ("src/base/a.c", SPDX + "void f(void) {\n    assert(1);\n}\n", "banned"),
    ("src/shard/a.c", SPDX + "void f(char *s) {\n    free(s);\n}\n", "banned"),
    ("src/base/a_test.c", SPDX + "void f(void) {\n    sleep(1);\n}\n", "banned"),
    ("src/base/a.c", SPDX + "/* TODO later */\n", "todo"),
    ("src/base/a.c", SPDX + "typedef struct s s_t;\n", "typedef"),
    ("src/base/a.c", SPDX + LONG, "function"),
    ("src/base/a.c", SPDX + "int x;\n" * 800, "length"),
])
def test_bad_snippet_is_found(project, path, text, rule):
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_text(text)
    found = tidy(project).splitlines()
    assert len(found) == 1, found
    assert found[0].startswith(f"{path}:") and f"[{rule}]" in found[0]


@pytest.mark.parametrize("path, text", [
    ("src/env/a.c", SPDX + "#include <uv.h>\nint f(void) {\n    return errno;\n}\n"),
    ("src/http/a.c", SPDX + "#include <errno.h>\n#include <uv.h>\n"),
    ("src/gateway/a.c", SPDX + '#include "line/x.h"\n\n#include "x.h"\n'),
    ("src/board/a.c", SPDX + '#include "line/x.h"\n'),
    ("src/main.c", SPDX + '#include "cli/x.h"\n'),
    ("src/shard/a.c", SPDX + "int f(void) {\n    return broker_apply();\n}\n"),
    ("src/broker/a_test.c", SPDX + '#include "sim/sim.h"\n#include "test.h"\n'),
    ("src/shard/a.c", SPDX + "void f(struct o *o) {\n    o->free(o);\n    env_free(o);\n}\n"),
    ("src/shard/a.c", SPDX + '_Static_assert(1, "system(x)"); /* malloc(1) reads errno */\n'),
    ("src/base/a.c", SPDX + "typedef struct s *make_fn(void);\ntypedef void test_fn(void);\n"),
    ("src/base/a.c", SPDX + LONGEST),
])
def test_good_snippet_is_not_found(project, path, text):
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_text(text)
    assert tidy(project) == ""


def test_allowance_hides_its_rule_only_and_must_be_needed(project):
    (project / "src/shard/a.c").write_text(SPDX + "int f(void) {\n    return errno;\n}\n")
    allow = project / "tools/tidy.allow"
    allow.write_text("src/shard/a.c errno this is how the library tells\n")
    assert tidy(project) == ""

    allow.write_text("src/shard/a.c banned this is how the library tells\n")
    assert "[errno]" in tidy(project) and "not needed any more" in tidy(project)

    allow.write_text("src/shard/a.c errno\n")
    assert "FILE RULE REASON" in tidy(project)
