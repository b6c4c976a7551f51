/* SPDX-License-Identifier: Apache-2.0 */
/* Whole lines on a real journal, with real processes: small shell scripts. */
#include "line/runtime.h"

#include "env/process_here.h"
#include "runtime_kit.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A stream worker in the shell: `id` is the message's, `line` all of it. */
#define STREAM(body)                                                                               \
    "#!/bin/sh\n"                                                                                  \
    "while IFS= read -r line; do\n"                                                                \
    "id=${line#*\\\"id\\\":\\\"}; id=${id%%\\\"*}\n" body "\ndone\n"
#define ANSWER(value) "printf '{\"id\":\"%s\",\"output\":%s}\\n' \"$id\" " value

static void expect_result(struct runtime_kit *kit, struct broker_ref job, const char *expected) {
    struct job_view view = runtime_kit_job(kit, job);
    EXPECT_INT(view.state, JOB_DONE);
    EXPECT_STRING(runtime_kit_body(kit, view.result), expected);
}

static void expect_error(struct runtime_kit *kit, struct broker_ref job, enum job_state state,
                         const char *expected) {
    struct job_view view = runtime_kit_job(kit, job);
    EXPECT_INT(view.state, state);
    EXPECT_STRING(runtime_kit_body(kit, view.error), expected);
}

/* An order goes through exec, stream and exec; each step stands in the job, the last output is the
 * result; a task's name is its job, station and path. */
TEST(runtime_carries_an_order_through_three_stations) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "first", "#!/bin/sh\ncat; echo \"first spoke\" >&2\n");
    runtime_kit_script(kit, "second", STREAM("echo a word; " ANSWER("\"[1, 2]\"")));
    runtime_kit_script(kit, "third",
                       "#!/bin/sh\nprintf '\"%s %s %s\"' $TAKT_TASK $TAKT_ATTEMPT "
                       "$(cat | tr -d ' ')\n");
    runtime_kit_start(kit, "line: three\nstations:\n"
                           "  first: { exec: ./first, next: second }\n"
                           "  second: { stream: ./second, workers: 1, next: third }\n"
                           "  third: { exec: ./third }\n");
    struct broker_ref job = runtime_kit_order(kit, "first", SLICE("{\"n\": 1}"));
    runtime_kit_until(kit, runtime_kit_all_done);

    struct job_view view = runtime_kit_job(kit, job);
    char id[33];
    char expected[128];
    for (size_t i = 0; i < 16; i++) (void)snprintf(id + 2 * i, 3, "%02x", view.id[i]);
    (void)snprintf(expected, sizeof expected, "\"%s/third 1 [1,2]\"", id);
    expect_result(kit, job, expected);
    struct runtime_step steps[RUNTIME_KIT_STEPS_MAX];
    EXPECT_INT(runtime_kit_steps(kit, job, steps), 3);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_INT(steps[i].station, i);
        EXPECT_INT(steps[i].outcome, STEP_DONE);
        EXPECT_INT(steps[i].attempt, 1);
    }
    EXPECT_INT(runtime_kit_logged(kit, "first/1 | first spoke"), 1);
    EXPECT_INT(runtime_kit_logged(kit, "second/1 | a word"), 1);
    runtime_kit_close(kit);
}

/* A business no ends the job with its reason: exit 65 of exec, `reject` of stream. */
TEST(runtime_rejects_in_the_handlers_words) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "no", "#!/bin/sh\necho no such street >&2; exit 65\n");
    runtime_kit_script(kit, "never",
                       STREAM("printf '{\"id\":\"%s\",\"reject\":\"card \\\\\"x\\\\\"\"}\\n' $id"));
    runtime_kit_start(kit, "line: no\nstations:\n"
                           "  no: { exec: ./no, next: after }\n"
                           "  never: { stream: ./never, next: after }\n"
                           "  after: { exec: cat }\n");
    struct broker_ref first = runtime_kit_order(kit, "no", SLICE("1"));
    struct broker_ref second = runtime_kit_order(kit, "never", SLICE("2"));
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_error(kit, first, JOB_REJECTED, "no such street");
    expect_error(kit, second, JOB_REJECTED, "card \"x\"");
    EXPECT_INT(runtime_kit_queue(kit, "no").dead_count, 0);
    runtime_kit_close(kit);
}

/* What fails is tried again as often as the file says; then it is a dead letter with the last words.
 */
TEST(runtime_fails_after_all_attempts) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "exec", "#!/bin/sh\necho try $TAKT_ATTEMPT >&2; exit 3\n");
    runtime_kit_script(kit, "stream",
                       STREAM("printf '{\"id\":\"%s\",\"error\":\"no flour\"}\\n' $id"));
    runtime_kit_start(kit, "line: fail\n"
                           "defaults: { retry: { attempts: 3, backoff: 1ms..2ms } }\n"
                           "stations:\n"
                           "  exec: { exec: ./exec, next: after }\n"
                           "  stream: { stream: ./stream, next: after }\n"
                           "  after: { exec: cat }\n");
    struct broker_ref first = runtime_kit_order(kit, "exec", SLICE("1"));
    struct broker_ref second = runtime_kit_order(kit, "stream", SLICE("2"));
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_error(kit, first, JOB_FAILED, "exited with 3: try 3");
    expect_error(kit, second, JOB_FAILED, "no flour");
    struct runtime_step steps[RUNTIME_KIT_STEPS_MAX];
    EXPECT_INT(runtime_kit_steps(kit, first, steps), 3);
    EXPECT_INT(steps[0].outcome, STEP_FAILED);
    EXPECT_STRING(steps[1].error, "exited with 3: try 2");
    EXPECT_INT(steps[2].outcome, STEP_DEAD);
    EXPECT_INT(runtime_kit_queue(kit, "exec").dead_count, 1);
    EXPECT_INT(runtime_kit_queue(kit, "stream").dead_count, 1);
    runtime_kit_close(kit);
}

/* An output that the routes cannot take fails the message, not the worker; and at once: the handler
 * would put out the same again. */
TEST(runtime_fails_what_cannot_be_routed) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_start(kit, "line: bad\nstations:\n"
                           "  talk: { exec: [echo, hello], retry: { attempts: 5, backoff: 1h },\n"
                           "          next: { to: after, when: .total > 0 } }\n"
                           "  after: { exec: cat }\n");
    struct broker_ref job = runtime_kit_order(kit, "talk", SLICE("1"));
    runtime_kit_until(kit, runtime_kit_all_done);
    struct job_view view = runtime_kit_job(kit, job);
    EXPECT_INT(view.state, JOB_FAILED);
    EXPECT(strstr(runtime_kit_body(kit, view.error), "not JSON") != NULL);
    struct runtime_step steps[RUNTIME_KIT_STEPS_MAX];
    EXPECT_INT(runtime_kit_steps(kit, job, steps), 1);
    EXPECT_INT(steps[0].outcome, STEP_DEAD);
    EXPECT_INT(runtime_kit_queue(kit, "talk").dead_count, 1);
    runtime_kit_close(kit);
}

static bool is_gone(pid_t pid) {
    char path[64];
    char state[256] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return true;
    bool is_zombie = fgets(state, sizeof state, file) != NULL && strstr(state, ") Z ") != NULL;
    (void)fclose(file);
    return is_zombie;
}

/* A handler that takes too long is killed with all that it started; each time is an attempt. */
TEST(runtime_ends_what_takes_too_long) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "slow", "#!/bin/sh\nsleep 600 &\necho $! >> pids\nwait\n");
    runtime_kit_script(kit, "hang", STREAM("sleep 600 & echo $! >> pids; wait"));
    runtime_kit_start(kit,
                      "line: slow\n"
                      "defaults: { retry: { attempts: 2, backoff: 1ms..2ms }, timeout: 200ms }\n"
                      "stations:\n"
                      "  slow: { exec: ./slow }\n"
                      "  hang: { stream: ./hang }\n");
    struct broker_ref first = runtime_kit_order(kit, "slow", SLICE("1"));
    struct broker_ref second = runtime_kit_order(kit, "hang", SLICE("1"));
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_error(kit, first, JOB_FAILED, "timed out after 200ms");
    expect_error(kit, second, JOB_FAILED, "timed out after 200ms");
    struct slice rest = slice_from_string(runtime_kit_file(kit, "pids"));
    uint32_t count = 0;
    while (rest.count > 0) {
        struct slice line;
        uint64_t pid;
        (void)slice_cut(rest, '\n', &line, &rest);
        EXPECT(slice_to_u64(line, 4194304, &pid));
        EXPECT(is_gone((pid_t)pid));
        count++;
    }
    EXPECT_INT(count, 4);
    runtime_kit_close(kit);
}

/* A child in a session of its own, whose id is in the file `name`; then, in another file, whether it
 * is alive. */
#define LEAVE(name)                                                                                \
    "env -i setsid sleep 600 > /dev/null 2>&1 < /dev/null & child=$!\n"                            \
    "until [ \"$(cut -d' ' -f5 /proc/$child/stat)\" = $child ]; do :; done\n"                      \
    "echo $child > " name "\n"
#define LOOK(name)                                                                                 \
    "if read -r _ _ state _ 2> /dev/null < /proc/$(cat " name ")/stat && [ $state != Z ]\n"        \
    "then echo alive > " name ".found; else echo gone > " name ".found; fi\n"

static void expect_found(struct runtime_kit *kit, struct broker_ref job, const char *name,
                         const char *expected) {
    EXPECT_INT(runtime_kit_job(kit, job).state, JOB_DONE);
    EXPECT_STRING(runtime_kit_file(kit, name), expected);
}

/* What a worker has started and hidden is gone before its message comes again, however its process
 * came to its end; and when it has done its work, too. */
TEST(runtime_ends_what_a_worker_left) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(
        kit, "killed",
        "#!/bin/sh\nif [ ! -e one ]; then\n" LEAVE("one") "kill -KILL $$\nfi\n" LOOK("one"));
    runtime_kit_script(
        kit, "slow",
        "#!/bin/sh\nif [ ! -e two ]; then\n" LEAVE("two") "sleep 600\nfi\n" LOOK("two"));
    runtime_kit_script(kit, "stream",
                       STREAM("if [ ! -e three ]; then\n" LEAVE("three") "exit 3\nfi\n" LOOK(
                           "three") ANSWER("1")));
    runtime_kit_script(kit, "well", "#!/bin/sh\n" LEAVE("four") LOOK("four"));
    runtime_kit_start(kit, "line: left\n"
                           "defaults: { retry: { attempts: 9, backoff: 1ms..2ms } }\n"
                           "stations:\n"
                           "  killed: { exec: ./killed }\n"
                           "  slow: { exec: ./slow, timeout: 500ms }\n"
                           "  stream: { stream: ./stream }\n"
                           "  well: { exec: ./well }\n");
    struct broker_ref killed = runtime_kit_order(kit, "killed", SLICE("1"));
    struct broker_ref slow = runtime_kit_order(kit, "slow", SLICE("1"));
    struct broker_ref stream = runtime_kit_order(kit, "stream", SLICE("1"));
    struct broker_ref well = runtime_kit_order(kit, "well", SLICE("1"));
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_found(kit, killed, "one.found", "gone\n");
    expect_found(kit, slow, "two.found", "gone\n");
    expect_found(kit, stream, "three.found", "gone\n");
    expect_found(kit, well, "four.found", "alive\n"); /* while it was at work */
    uint64_t pid;
    const char *text = runtime_kit_file(kit, "four");
    EXPECT(slice_to_u64(slice_trim(slice_from_string(text)), 4194304, &pid));
    EXPECT(is_gone((pid_t)pid));
    runtime_kit_close(kit);
}

/* A line that names the message and is not JSON is a failure at once, in the words of the reader
 * of JSON; without a message's id it is a line for the log. */
TEST(runtime_fails_broken_answers_at_once) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "broken",
                       STREAM("printf '{\"id\":\"999\",\"output\":NaN}\\n'\n" ANSWER("NaN")));
    runtime_kit_start(kit, "line: broken\nstations:\n"
                           "  broken: { stream: ./broken, retry: { attempts: 2, backoff: 1ms..2ms "
                           "} }\n");
    struct broker_ref job = runtime_kit_order(kit, "broken", SLICE("1"));
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_error(kit, job, JOB_FAILED, "the answer is not JSON: a value is missing at byte 19");
    struct runtime_step steps[RUNTIME_KIT_STEPS_MAX];
    EXPECT_INT(runtime_kit_steps(kit, job, steps), 2);
    EXPECT_INT(runtime_kit_station(kit, "broken").deaths, 0);
    EXPECT_INT(runtime_kit_logged(kit, "broken/1 | {\"id\":\"999\",\"output\":NaN}"), 2);
    runtime_kit_close(kit);
}

/* Control bytes, a zero among them, do not cut off what a handler says. */
TEST(runtime_keeps_words_with_control_bytes) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "oven",
                       "#!/bin/sh\nprintf 'the\\000oven\\033is\\ttoo\\nhot' >&2; exit $1\n");
    runtime_kit_start(kit, "line: oven\ndefaults: { retry: { attempts: 1 } }\nstations:\n"
                           "  oven: { exec: [./oven, '3'] }\n"
                           "  card: { exec: [./oven, '65'] }\n");
    struct broker_ref first = runtime_kit_order(kit, "oven", SLICE("1"));
    struct broker_ref second = runtime_kit_order(kit, "card", SLICE("1"));
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_error(kit, first, JOB_FAILED, "exited with 3: the oven is\ttoo\nhot");
    expect_error(kit, second, JOB_REJECTED, "the oven is\ttoo\nhot");
    EXPECT_INT(runtime_kit_logged(kit, "oven/1 | the oven is too"), 1);
    runtime_kit_close(kit);
}

/* A worker that dies with a message gives it back at once, and another does it. */
TEST(runtime_gives_back_what_a_dead_worker_held) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(
        kit, "kitchen",
        STREAM("if mkdir once 2> /dev/null; then echo oven on fire >&2; kill -9 $$; fi\n" ANSWER(
            "\\\"ok\\\"")));
    runtime_kit_start(kit, "line: deaths\nstations:\n"
                           "  kitchen: { stream: ./kitchen, workers: 1, retry: { attempts: 2, "
                           "backoff: 1h..2h } }\n");
    struct broker_ref job = runtime_kit_order(kit, "kitchen", SLICE("1"));
    runtime_kit_until(kit, runtime_kit_all_done); /* though the backoff is an hour */
    expect_result(kit, job, "\"ok\"");
    struct runtime_step steps[RUNTIME_KIT_STEPS_MAX];
    EXPECT_INT(runtime_kit_steps(kit, job, steps), 2);
    EXPECT_INT(steps[0].outcome, STEP_FAILED);
    EXPECT_STRING(steps[0].error, "killed by signal 9: oven on fire");
    EXPECT_INT(steps[1].attempt, 2);
    EXPECT_INT(runtime_kit_station(kit, "kitchen").deaths, 1);
    runtime_kit_close(kit);
}

/* Of several in the hands of a dying worker only the guilty one pays: the others are done at their
 * first attempt. */
TEST(runtime_lets_only_the_guilty_pay) {
    struct runtime_kit *kit = runtime_kit_open();
    /* Four are taken before one is answered; a dead one takes the others with it. */
    runtime_kit_script(kit, "kitchen",
                       "#!/bin/sh\n"
                       "while IFS= read -r line; do\n"
                       "id=${line#*\\\"id\\\":\\\"}; id=${id%%\\\"*}\n"
                       "case $line in *poison*) kill -9 $$;; esac\n"
                       "(sleep 0.2; " ANSWER("1") ") &\n"
                                                  "done\nwait\n");
    runtime_kit_start(kit, "line: suspects\nstations:\n"
                           "  gate: { exec: 'cat', next: { to: kitchen, each: . } }\n"
                           "  kitchen: { stream: ./kitchen, concurrency: 4, workers: 1, "
                           "retry: { attempts: 2, backoff: 1ms..2ms } }\n");
    struct broker_ref job =
        runtime_kit_order(kit, "gate", SLICE("[\"a\", \"b\", \"c\", \"poison\"]"));
    runtime_kit_until(kit, runtime_kit_all_done);
    EXPECT_INT(runtime_kit_job(kit, job).state, JOB_FAILED);
    EXPECT_INT(runtime_kit_queue(kit, "kitchen").dead_count, 1);
    struct runtime_step steps[RUNTIME_KIT_STEPS_MAX];
    uint32_t count = runtime_kit_steps(kit, job, steps);
    uint32_t done_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].station != 1) continue;
        bool is_poison = strcmp(steps[i].task, "3") == 0;
        if (steps[i].outcome == STEP_DONE) done_count++;
        if (!is_poison) EXPECT_INT(steps[i].attempt, 1);
        if (!is_poison) EXPECT_INT(steps[i].outcome, STEP_DONE);
    }
    EXPECT_INT(done_count, 3);
    runtime_kit_close(kit);
}

static bool is_jammed(struct runtime_kit *kit) {
    return runtime_kit_station(kit, "kitchen").condition == STATION_JAMMED;
}

static void jam_and_mend(const char *kind, unsigned broken_mode) {
    struct runtime_kit *kit = runtime_kit_open();
    char yaml[256];
    (void)snprintf(yaml, sizeof yaml,
                   "line: jam\nstations:\n  kitchen: { %s: ./kitchen, retry: { attempts: 1 } }\n",
                   kind);
    bool is_stream = strcmp(kind, "stream") == 0;
    const char *good = is_stream ? STREAM(ANSWER("1")) : "#!/bin/sh\nprintf 1\n";
    runtime_kit_script(kit, "kitchen", broken_mode == 0600 ? good : "#!/no/such/shell\n");
    runtime_kit_start(kit, yaml);
    runtime_kit_chmod(kit, "kitchen", broken_mode);
    struct broker_ref job = runtime_kit_order(kit, "kitchen", SLICE("1"));
    runtime_kit_until(kit, is_jammed);
    EXPECT(runtime_kit_station(kit, "kitchen").reason[0] != '\0');
    EXPECT_INT(runtime_kit_job(kit, job).state, JOB_RUNNING);
    runtime_kit_script(kit, "kitchen", good);
    runtime_kit_chmod(kit, "kitchen", 0700);
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_result(kit, job, "1");
    struct runtime_step steps[RUNTIME_KIT_STEPS_MAX];
    EXPECT_INT(runtime_kit_steps(kit, job, steps), 1);
    EXPECT_INT(steps[0].attempt, 1);
    EXPECT_INT(runtime_kit_station(kit, "kitchen").condition, STATION_FINE);
    EXPECT_INT(runtime_kit_logged(kit, "the station is jammed"), 1);
    EXPECT_INT(runtime_kit_logged(kit, "works again"), 1);
    runtime_kit_close(kit);
}

/* A program that cannot be executed jams its station; its messages pay nothing, and are done when
 * it can. */
TEST(runtime_jams_at_no_cost_when_a_program_cannot_be_executed) {
    jam_and_mend("exec", 0600);
    jam_and_mend("stream", 0600);
    jam_and_mend("exec", 0700); /* the file can be executed, what interprets it is missing */
    jam_and_mend("stream", 0700);
}

/* A program that ends before it reads anything jams its station too. */
TEST(runtime_jams_when_workers_die_at_once) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "kitchen", "#!/bin/sh\necho no oven >&2; exit 1\n");
    runtime_kit_start(kit, "line: jam\nstations:\n"
                           "  kitchen: { stream: ./kitchen, retry: { attempts: 1 } }\n");
    struct broker_ref job = runtime_kit_order(kit, "kitchen", SLICE("1"));
    runtime_kit_until(kit, is_jammed);
    EXPECT_STRING(runtime_kit_station(kit, "kitchen").reason, "exited with 1: no oven");
    EXPECT_INT(runtime_kit_job(kit, job).state, JOB_RUNNING);
    runtime_kit_script(kit, "kitchen", STREAM(ANSWER("1")));
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_result(kit, job, "1");
    runtime_kit_close(kit);
}

/* A kit comes as JSON by stdin; above 256 KiB as a file, which is gone afterwards. */
TEST(runtime_hands_over_kits) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "bake",
                       "#!/bin/sh\nn=$(cat)\nprintf '\"'; head -c $n /dev/zero | tr '\\0' x; "
                       "printf '\"'\n");
    runtime_kit_script(kit, "pack",
                       "#!/bin/sh\nif [ -n \"$TAKT_INPUT_FILE\" ]; then\n"
                       "  printf '\"file %s %s\"' $(wc -c < $TAKT_INPUT_FILE) $(wc -c)\n"
                       "else printf '{\"kit\":'; cat; printf '}'; fi\n");
    runtime_kit_script(
        kit, "load",
        STREAM("file=${line#*\\\"body_file\\\":\\\"}; file=${file%%\\\"*}\n"
               "printf '{\"id\":\"%s\",\"output\":\"%s\"}\\n' $id $(wc -c < $file)"));
    runtime_kit_start(kit,
                      "line: kits\nstations:\n"
                      "  split: { next: [{ to: bake, each: .sizes }, { to: note, when: .note }] }\n"
                      "  bake: { exec: ./bake, next: pack }\n"
                      "  note: { exec: [echo, 5], next: pack }\n"
                      "  pack: { exec: ./pack, join: split, within: 1m }\n"
                      "  open: { next: { to: make, each: .sizes } }\n"
                      "  make: { exec: ./bake, next: load }\n"
                      "  load: { stream: ./load, join: open, within: 1m }\n"
                      "result: pack\n");
    struct broker_ref small =
        runtime_kit_order(kit, "split", SLICE("{\"sizes\":[3,0],\"note\":false}"));
    struct broker_ref large =
        runtime_kit_order(kit, "split", SLICE("{\"sizes\":[200000,100000],\"note\":true}"));
    struct broker_ref none = runtime_kit_order(kit, "split", SLICE("{\"sizes\":[],\"note\":true}"));
    struct broker_ref other = runtime_kit_order(kit, "open", SLICE("{\"sizes\":[300000]}"));
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_result(kit, small, "{\"kit\":{\"bake\":[\"xxx\",\"\"],\"note\":null}}");
    expect_result(kit, none, "{\"kit\":{\"bake\":[],\"note\":5}}");
    expect_result(kit, large, "\"file 300025 0\"");
    EXPECT_INT(runtime_kit_job(kit, other).state, JOB_DONE);
    EXPECT_STRING(runtime_kit_file(kit, "scratch/kit-0-3-1"), "");
    runtime_kit_close(kit);
}

/* Stations without a handler hand on by themselves: split, choose, join, and make the result. */
TEST(runtime_passes_on_without_handlers) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_start(
        kit, "line: pass\nstations:\n"
             "  split: { next: { to: odd, each: .list } }\n"
             "  odd: { next: { to: done, with: '{n: ., all: $order.name, i: $in}' } }\n"
             "  done: { join: split, within: 1m, with: '{count: (.odd | length), odd}' }\n");
    struct broker_ref job =
        runtime_kit_order(kit, "split", SLICE("{\"list\":[1, 2.0],\"name\":\"x\"}"));
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_result(kit, job,
                  "{\"count\":2,\"odd\":[{\"n\":1,\"all\":\"x\",\"i\":1},"
                  "{\"n\":2.0,\"all\":\"x\",\"i\":2.0}]}");
    runtime_kit_close(kit);
}

/* A handler may choose by name where its outputs go. */
TEST(runtime_sends_outputs_by_station) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "choose",
                       STREAM("printf '{\"id\":\"%s\",\"outputs\":{\"right\":7}}\\n' $id"));
    runtime_kit_start(kit, "line: outputs\nstations:\n"
                           "  choose: { stream: ./choose, next: [left, right] }\n"
                           "  left: { exec: 'false' }\n"
                           "  right: { exec: cat }\n"
                           "result: right\n");
    struct broker_ref job = runtime_kit_order(kit, "choose", SLICE("1"));
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_result(kit, job, "7");
    runtime_kit_close(kit);
}

static bool is_busy(struct runtime_kit *kit) {
    return runtime_kit_station(kit, "kitchen").workers_busy == 1 &&
           runtime_kit_file(kit, "begun")[0] != '\0';
}

/* In time, a stop lets a worker finish; the record of it survives. */
TEST(runtime_stop_lets_workers_finish) {
    static const char yaml[] = "line: stop\nstations:\n  kitchen: { exec: ./kitchen }\n";
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "kitchen", "#!/bin/sh\necho > begun; sleep 0.3; cat\n");
    runtime_kit_start(kit, yaml);
    struct broker_ref job = runtime_kit_order(kit, "kitchen", SLICE("\"done\""));
    runtime_kit_until(kit, is_busy);
    runtime_kit_stop(kit, 20000);
    runtime_kit_start(kit, yaml);
    expect_result(kit, job, "\"done\"");
    runtime_kit_close(kit);
}

/* What is not done in time goes back uncounted, and is done by the next life. */
TEST(runtime_stop_gives_back_uncounted) {
    static const char *const kinds[] = {"exec", "stream"};
    static const char *const scripts[] = {
        "#!/bin/sh\nif mkdir once 2> /dev/null; then echo > begun; sleep 600; fi; printf 1\n",
        STREAM("if mkdir once 2> /dev/null; then echo > begun; sleep 600; fi\n" ANSWER("1")),
    };
    for (size_t i = 0; i < 2; i++) {
        struct runtime_kit *kit = runtime_kit_open();
        char yaml[256];
        (void)snprintf(
            yaml, sizeof yaml,
            "line: stop\nstations:\n  kitchen: { %s: ./kitchen, retry: { attempts: 1 } }\n",
            kinds[i]);
        runtime_kit_script(kit, "kitchen", scripts[i]);
        runtime_kit_start(kit, yaml);
        struct broker_ref job = runtime_kit_order(kit, "kitchen", SLICE("1"));
        runtime_kit_until(kit, is_busy);
        runtime_kit_stop(kit, 50);
        runtime_kit_start(kit, yaml);
        runtime_kit_until(kit, runtime_kit_all_done);
        expect_result(kit, job, "1");
        struct runtime_step steps[RUNTIME_KIT_STEPS_MAX];
        EXPECT_INT(runtime_kit_steps(kit, job, steps), 1);
        EXPECT_INT(steps[0].attempt, 1);
        runtime_kit_close(kit);
    }
}

static bool has_three(struct runtime_kit *kit) {
    return runtime_kit_station(kit, "kitchen").workers_idle == 3;
}

static bool has_none(struct runtime_kit *kit) {
    struct runtime_station_view view = runtime_kit_station(kit, "kitchen");
    return view.workers_idle + view.workers_starting + view.workers_busy == 0;
}

/* By hand a station has as many workers as asked for, none included, until told otherwise. */
TEST(runtime_scales_by_hand) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "kitchen", STREAM(ANSWER("1")));
    runtime_kit_start(kit,
                      "line: scale\nstations:\n"
                      "  kitchen: { stream: ./kitchen, next: end }\n  pass: { next: kitchen }\n");
    EXPECT(has_none(kit));
    EXPECT_INT(runtime_scale(kit->runtime, kit->line, 0, 3), 0);
    runtime_kit_until(kit, has_three);
    EXPECT_INT(runtime_scale(kit->runtime, kit->line, 0, 0), 0);
    runtime_kit_until(kit, has_none);
    EXPECT_INT(runtime_kit_station(kit, "kitchen").condition, STATION_STOPPED);
    struct broker_ref job = runtime_kit_order(kit, "pass", SLICE("1"));
    EXPECT_INT(runtime_scale(kit->runtime, kit->line, 0, -1), 0);
    runtime_kit_until(kit, runtime_kit_all_done);
    EXPECT_INT(runtime_kit_job(kit, job).state, JOB_DONE);
    EXPECT_INT(runtime_kit_station(kit, "kitchen").deaths, 0);

    EXPECT_INT(runtime_scale(kit->runtime, kit->line, 0, 1001), -ERANGE);
    EXPECT_INT(runtime_scale(kit->runtime, kit->line, 1, 1), -EINVAL);
    EXPECT_INT(runtime_scale(kit->runtime, kit->line, 2, 1), -ENOENT);
    runtime_kit_close(kit);
}

static bool has_handled_and_left(struct runtime_kit *kit) {
    return runtime_kit_all_done(kit) && has_none(kit);
}

/* Workers come when something waits, no more than that needs, and go when idle for long enough. */
TEST(runtime_scales_with_what_waits) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "kitchen", STREAM("echo $$ >> pids\n" ANSWER("1")));
    runtime_kit_start(kit,
                      "line: scale\nstations:\n"
                      "  split: { next: { to: kitchen, each: . } }\n"
                      "  kitchen: { stream: ./kitchen, workers: 0..2, idle_timeout: 100ms }\n");
    EXPECT(has_none(kit));
    (void)runtime_kit_order(kit, "split", SLICE("[1,2,3,4,5,6]"));
    runtime_kit_until(kit, has_handled_and_left);
    EXPECT_INT(runtime_kit_station(kit, "kitchen").deaths, 0);
    EXPECT_INT(runtime_kit_logged(kit, "kitchen/3"), 0);
    runtime_kit_close(kit);
}

/* exit 125 means: do not start me again. Nothing is lost; a hand can start it. */
TEST(runtime_leaves_down_who_asks_for_it) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "kitchen", "#!/bin/sh\nread -r line\nexit 125\n");
    runtime_kit_start(kit, "line: down\nstations:\n"
                           "  kitchen: { stream: ./kitchen, workers: 1 }\n");
    struct broker_ref job = runtime_kit_order(kit, "kitchen", SLICE("1"));
    runtime_kit_until(kit, is_jammed);
    runtime_kit_until(kit, has_none);
    EXPECT_INT(runtime_kit_station(kit, "kitchen").retry_at.ms, 0);
    EXPECT_INT(runtime_kit_job(kit, job).state, JOB_RUNNING);
    EXPECT_INT(runtime_kit_logged(kit, "asked not to be started again"), 1);
    runtime_kit_script(kit, "kitchen", STREAM(ANSWER("1")));
    EXPECT_INT(runtime_scale(kit->runtime, kit->line, 0, -1), 0);
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_result(kit, job, "1");
    runtime_kit_close(kit);
}

/* More than takt takes is the message's failure, said in words. */
TEST(runtime_refuses_endless_output) {
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "exec", "#!/bin/sh\nexec tr '\\0' x < /dev/zero\n");
    runtime_kit_script(kit, "stream", STREAM("tr '\\0' x < /dev/zero"));
    runtime_kit_start(kit, "line: large\ndefaults: { retry: { attempts: 1 } }\nstations:\n"
                           "  exec: { exec: ./exec }\n"
                           "  stream: { stream: ./stream }\n");
    struct broker_ref first = runtime_kit_order(kit, "exec", SLICE("1"));
    struct broker_ref second = runtime_kit_order(kit, "stream", SLICE("1"));
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_error(kit, first, JOB_FAILED, "its output is larger than 32 MiB");
    expect_error(kit, second, JOB_FAILED, "it wrote a line longer than 33 MiB");
    runtime_kit_close(kit);
}

/* The folder's mark stays the same from life to life, and workers carry it. */
TEST(runtime_marks_its_workers) {
    static const char yaml[] =
        "line: mark\nstations:\n  say: { exec: [printenv, TAKT_INSTANCE] }\n";
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_start(kit, yaml);
    struct broker_ref job = runtime_kit_order(kit, "say", SLICE("1"));
    runtime_kit_until(kit, runtime_kit_all_done);
    char expected[RUNTIME_MARK_BYTES + 1];
    (void)snprintf(expected, sizeof expected, "%s\n", kit->mark);
    expect_result(kit, job, expected);
    runtime_kit_stop(kit, 0);
    memset(kit->mark, 0, sizeof kit->mark);
    runtime_kit_start(kit, yaml);
    EXPECT_INT(strlen(kit->mark), 32);
    EXPECT_BYTES(kit->mark, expected, 32);
    runtime_kit_close(kit);
}

static bool sleeper_is_gone(struct runtime_kit *kit) {
    uint64_t pid;
    EXPECT(
        slice_to_u64(slice_trim(slice_from_string(runtime_kit_file(kit, "begun"))), 4194304, &pid));
    return is_gone((pid_t)pid);
}

/* Closed without a stop, as when the journal has failed: the workers are killed, nothing is
 * recorded, and the next life does what they had in hand, uncounted. */
TEST(runtime_close_kills) {
    static const char yaml[] =
        "line: close\nstations:\n  kitchen: { exec: ./kitchen, retry: { attempts: 1 } }\n"
        "  oven: { stream: ./oven, workers: 2 }\n  pass: { next: oven }\nresult: kitchen\n";
    struct runtime_kit *kit = runtime_kit_open();
    runtime_kit_script(kit, "kitchen",
                       "#!/bin/sh\nif mkdir once 2> /dev/null; then sleep 600 & echo $! > begun; "
                       "wait; fi\nprintf 1\n");
    runtime_kit_script(kit, "oven", STREAM(ANSWER("1")));
    runtime_kit_start(kit, yaml);
    struct broker_ref job = runtime_kit_order(kit, "kitchen", SLICE("1"));
    runtime_kit_until(kit, is_busy);
    runtime_close(kit->runtime);
    runtime_kit_until(kit, sleeper_is_gone);
    runtime_kit_end(kit);
    runtime_kit_start(kit, yaml);
    runtime_kit_until(kit, runtime_kit_all_done);
    expect_result(kit, job, "1");
    struct runtime_step steps[RUNTIME_KIT_STEPS_MAX];
    EXPECT_INT(runtime_kit_steps(kit, job, steps), 1);
    EXPECT_INT(steps[0].attempt, 1);
    runtime_kit_close(kit);
}
