/* SPDX-License-Identifier: Apache-2.0 */
/* Real children: cat, sh, sleep, and this very program. */
#include "env/process.h"

#include "env/process_here.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#define MS ((int64_t)1000000)
#define MARK_BYTES_MAX 64
#define OUTPUT_BYTES_MAX (4u * 1024 * 1024)

/* As `TEST end-marked MARK`, the program ends what is marked and exits with the number found. */
__attribute__((constructor)) static void be_hunter(int argc, char **argv) {
    if (argc != 3 || strcmp(argv[1], "end-marked") != 0) return;
    struct env *env;
    uint32_t found_count = 0;
    if (env_open_real(&env) < 0) _exit(101);
    if (process_end_marked(env, argv[2], 20000, &found_count) < 0) _exit(102);
    env_close_real(env);
    _exit((int)found_count);
}

struct child {
    struct env *env;
    char mark[MARK_BYTES_MAX]; /* another run of this test may be near */
    struct process *process;
    char *output[3]; /* [1] and [2] */
    size_t output_count[3];
    int ends_count[3];
    int exits_count;
    int exit_code;
    int signal;
    int drains_count;
    bool reads_unread;
    uint64_t unread_bytes;
    void (*on_first_output)(struct child *child);
    int held_fd;
};

static void child_output(void *context, int stream, struct slice bytes) {
    struct child *child = context;
    CHECK(stream == 1 || stream == 2);
    CHECK(child->exits_count == 0);
    if (bytes.count == 0) {
        child->ends_count[stream]++;
        return;
    }
    CHECK(child->ends_count[stream] == 0);
    CHECK(child->output_count[stream] + bytes.count < OUTPUT_BYTES_MAX);
    memcpy(child->output[stream] + child->output_count[stream], bytes.bytes, bytes.count);
    child->output_count[stream] += bytes.count;
    if (child->on_first_output == NULL) return;
    void (*fn)(struct child *) = child->on_first_output;
    child->on_first_output = NULL;
    fn(child);
}

static void child_exit(void *context, int exit_code, int signal_number) {
    struct child *child = context;
    child->exits_count++;
    child->exit_code = exit_code;
    child->signal = signal_number;
    if (child->reads_unread) child->unread_bytes = process_unread_bytes(child->process);
    CHECK(child->ends_count[1] == 1 && child->ends_count[2] == 1);
    child->process = NULL;
}

static void child_drained(void *context) {
    ((struct child *)context)->drains_count++;
}

static const struct process_events child_events = {child_output, child_exit, child_drained};
static const char *const usual_env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};

static void write_mark(struct child *child, pid_t pid) {
    snprintf(child->mark, sizeof child->mark, "takt-process-test-%d", (int)pid);
}

static struct child child_open(void) {
    struct child child = {0};
    CHECK(env_open_real(&child.env) == 0);
    write_mark(&child, getpid());
    for (int i = 1; i < 3; i++) {
        child.output[i] = env_alloc(child.env, OUTPUT_BYTES_MAX);
        CHECK(child.output[i] != NULL);
    }
    return child;
}

static void child_close(struct child *child) {
    for (int i = 1; i < 3; i++) env_free(child->env, child->output[i]);
    env_close_real(child->env);
}

static int start(struct child *child, const char *const *argv, const char *const *env,
                 const char *cwd) {
    struct process_options options = {
        .argv = argv,
        .env = env,
        .cwd = cwd,
        .mark = child->mark,
        .events = &child_events,
        .context = child,
    };
    return process_start(child->env, &options, &child->process);
}

static void start_shell(struct child *child, const char *script) {
    const char *argv[] = {"sh", "-c", script, NULL};
    CHECK(start(child, argv, usual_env, "/") == 0);
}

/* Runs the script until on_exit and gives its stdout as a string. */
static const char *run_shell(struct child *child, const char *script) {
    start_shell(child, script);
    process_close_stdin(child->process);
    env_run_real(child->env);
    EXPECT_INT(child->exits_count, 1);
    return child->output[1];
}

/* Waits until a process that is not our child is dead (a zombie is). */
static bool is_gone_soon(pid_t pid) {
    int fd = pidfd_open(pid, 0);
    if (fd < 0) return errno == ESRCH;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int rc;
    do {
        rc = poll(&wait, 1, 20000);
    } while (rc < 0 && errno == EINTR); /* SIGCHLD */
    close(fd);
    return rc == 1;
}

static pid_t pid_of(const char *text) {
    return (pid_t)strtol(text, NULL, 10);
}

static void run_until_output(struct child *child) {
    while (child->output_count[1] == 0) uv_run(env_loop_real(child->env), UV_RUN_ONCE);
}

/* What is written to cat comes back; it ends by itself when its stdin is closed. */
TEST(process_cat_gives_back) {
    struct child child = child_open();
    const char *argv[] = {"/bin/cat", NULL};
    EXPECT_INT(start(&child, argv, usual_env, "/"), 0);
    EXPECT_INT(getsid(process_pid(child.process)), process_pid(child.process));
    EXPECT_INT(process_write(child.process, SLICE("hello ")), 0);
    EXPECT_INT(process_write(child.process, SLICE("world")), 0);
    process_close_stdin(child.process);
    EXPECT_INT(process_write(child.process, SLICE("late")), -EPIPE);
    EXPECT_INT(child.output_count[1], 0);
    env_run_real(child.env);
    EXPECT_INT(child.exits_count, 1);
    EXPECT_INT(child.exit_code, 0);
    EXPECT_INT(child.signal, 0);
    EXPECT_STRING(child.output[1], "hello world");
    EXPECT(child.drains_count >= 1);
    child_close(&child);
}

/* More than a pipe holds goes through; more than the queue takes is refused. */
TEST(process_write_queue_is_bounded) {
    struct child child = child_open();
    const char *argv[] = {"/bin/cat", NULL};
    size_t count = 3u * 1024 * 1024;
    char *bytes = env_alloc(child.env, PROCESS_WRITE_QUEUE_BYTES_MAX + 1);
    EXPECT(bytes != NULL);
    memset(bytes, 'x', count);
    EXPECT_INT(start(&child, argv, usual_env, "/"), 0);
    struct slice too_much = slice_from(bytes, PROCESS_WRITE_QUEUE_BYTES_MAX + 1);
    EXPECT_INT(process_write(child.process, too_much), -ENOBUFS);
    EXPECT_INT(process_write(child.process, slice_from(bytes, count)), 0);
    too_much.count = PROCESS_WRITE_QUEUE_BYTES_MAX - count + 1;
    EXPECT_INT(process_write(child.process, too_much), -ENOBUFS);
    process_close_stdin(child.process);
    env_run_real(child.env);
    EXPECT_INT(child.output_count[1], count);
    EXPECT_BYTES(child.output[1], bytes, count);
    env_free(child.env, bytes);
    child_close(&child);
}

/* Of what was written it is known how much the child never read, the end of a large write that did
 * not get into the pipe included. */
TEST(process_unread_bytes_are_counted) {
    static const struct {
        const char *script;
        size_t written;
        uint64_t unread;
    } cases[] = {
        {"exit 3", 10, 10},
        {"read -r line", 10, 0}, /* a shell reads a pipe byte by byte */
        {"read -r line", 1000, 990},
        {"exec 0<&-; exit 3", 200000, 200000},
        {"head -c 150000 > /dev/null", 200000, 50000},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct child child = child_open();
        char *bytes = env_alloc(child.env, cases[i].written);
        memset(bytes, 'x', cases[i].written);
        bytes[9] = '\n';
        child.reads_unread = true;
        start_shell(&child, cases[i].script);
        EXPECT_INT(process_write(child.process, slice_from(bytes, cases[i].written)), 0);
        env_run_real(child.env);
        EXPECT_INT(child.exits_count, 1);
        if (cases[i].written == 200000 && cases[i].unread == 50000) {
            EXPECT(child.unread_bytes <= 50000); /* head reads in blocks */
        } else {
            EXPECT_INT(child.unread_bytes, cases[i].unread);
        }
        env_free(child.env, bytes);
        child_close(&child);
    }
}

/* Both streams and the exit code arrive; a script may open its streams by name. */
TEST(process_streams_and_exit_code) {
    struct child child = child_open();
    run_shell(&child, "echo out > /dev/stdout; echo err > /dev/stderr; exit 7");
    EXPECT_STRING(child.output[1], "out\n");
    EXPECT_STRING(child.output[2], "err\n");
    EXPECT_INT(child.exit_code, 7);
    child_close(&child);
}

/* What cannot be executed is told at once, and no callback runs. */
TEST(process_start_tells_what_is_wrong) {
    struct child child = child_open();
    char folder[] = "/tmp/takt-process-test-XXXXXX";
    EXPECT(mkdtemp(folder) != NULL);
    char file[64];
    snprintf(file, sizeof file, "%s/plain", folder);
    close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    char path[96];
    snprintf(path, sizeof path, "PATH=/nowhere:%s", folder);
    const char *in_folder[] = {path, NULL};

    const char *missing[] = {"no-such-program", NULL};
    EXPECT_INT(start(&child, missing, usual_env, "/"), -ENOENT);
    const char *plain[] = {"plain", NULL};
    EXPECT_INT(start(&child, plain, in_folder, "/"), -EACCES);
    const char *plain_here[] = {"./plain", NULL};
    EXPECT_INT(start(&child, plain_here, usual_env, folder), -EACCES);
    const char *is_folder[] = {"/usr", NULL};
    EXPECT_INT(start(&child, is_folder, usual_env, "/"), -EACCES);
    const char *cat[] = {"cat", NULL};
    EXPECT_INT(start(&child, cat, usual_env, "/no/such/folder"), -ENOENT);
    EXPECT_INT(start(&child, cat, in_folder, "/"), -ENOENT);
    const char *empty[] = {"", NULL};
    EXPECT_INT(start(&child, empty, usual_env, "/"), -ENOENT);
    env_run_real(child.env);
    EXPECT_INT(child.exits_count, 0);
    EXPECT(unlink(file) == 0 && rmdir(folder) == 0);
    child_close(&child);
}

/* A name with a slash is found from cwd, where the program then runs; a file that is no program
 * exits with 127 and says why. */
TEST(process_relative_to_cwd) {
    struct child child = child_open();
    char folder[] = "/tmp/takt-process-test-XXXXXX";
    EXPECT(mkdtemp(folder) != NULL);
    char file[64];
    snprintf(file, sizeof file, "%s/script", folder);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
    static const char script[] = "#!/bin/sh\npwd\n";
    EXPECT(write(fd, script, sizeof script - 1) == (ssize_t)sizeof script - 1);
    close(fd);
    const char *argv[] = {"./script", NULL};
    EXPECT_INT(start(&child, argv, usual_env, folder), 0);
    env_run_real(child.env);
    EXPECT(strncmp(child.output[1], folder, strlen(folder)) == 0);
    EXPECT_INT(child.exit_code, 0);
    child_close(&child);

    child = child_open();
    EXPECT(truncate(file, 0) == 0);
    EXPECT_INT(start(&child, argv, usual_env, folder), 0);
    env_run_real(child.env);
    EXPECT_INT(child.exit_code, 127);
    EXPECT_STRING(child.output[2], "takt: cannot execute ./script: Exec format error\n");
    EXPECT(unlink(file) == 0 && rmdir(folder) == 0);
    child_close(&child);
}

/* The environment is what was given, and the mark, once; the arguments arrive as they are. */
TEST(process_environment_is_exact) {
    struct child child = child_open();
    const char *argv[] = {"env", NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", "TAKT_INSTANCE=other", "A=1 2", NULL};
    EXPECT_INT(start(&child, argv, env, "/"), 0);
    env_run_real(child.env);
    char expected[256];
    snprintf(expected, sizeof expected, "TAKT_INSTANCE=%s\nPATH=/usr/bin:/bin\nA=1 2\n",
             child.mark);
    EXPECT_STRING(child.output[1], expected);
    child_close(&child);

    child = child_open();
    const char *echo[] = {"printf", "<%s>", "", "a b", "worker-exec", NULL};
    EXPECT_INT(start(&child, echo, usual_env, "/"), 0);
    env_run_real(child.env);
    EXPECT_STRING(child.output[1], "<><a b><worker-exec>");
    child_close(&child);
}

/* A signal that the C library keeps to itself, as what GNU make starts has it. */
static void ignore_inner_signal(void) {
    uintptr_t action[8] = {(uintptr_t)SIG_IGN}; /* a struct sigaction as the kernel has it */
    EXPECT_INT(syscall(SYS_rt_sigaction, 32, action, NULL, (size_t)8), 0);
}

/* A child begins with no signal blocked or ignored and with three descriptors, whatever takt has:
 * here also one that was opened without O_CLOEXEC. */
TEST(process_inherits_nothing) {
    struct child child = child_open();
    ignore_inner_signal();
    int leak = open("/dev/null", O_RDONLY);
    sigset_t set;
    sigset_t before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &before);
    const char *argv[] = {"grep", "^Sig[BI]", "/proc/self/status", NULL};
    EXPECT_INT(start(&child, argv, usual_env, "/"), 0);
    env_run_real(child.env);
    EXPECT_STRING(child.output[1], "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    sigprocmask(SIG_SETMASK, &before, NULL);
    child_close(&child);

    child = child_open();
    const char *list[] = {"ls", "/proc/self/fd", NULL};
    EXPECT_INT(start(&child, list, usual_env, "/"), 0);
    env_run_real(child.env);
    EXPECT_STRING(child.output[1], "0\n1\n2\n3\n"); /* 3 is ls reading the folder */
    close(leak);
    child_close(&child);
}

static void send_term(struct child *child) {
    process_signal(child->process, SIGTERM);
}

/* A signal reaches the whole group: the shell and what it waits for. */
TEST(process_signal_reaches_the_group) {
    struct child child = child_open();
    child.on_first_output = send_term;
    const char *output = run_shell(&child, "sleep 600 & echo $!; wait");
    EXPECT_INT(child.signal, SIGTERM);
    EXPECT(is_gone_soon(pid_of(output)));
    child_close(&child);
}

/* A child of the child that is left behind in its group is killed when it exits; on_exit does not
 * wait for anything. */
TEST(process_exit_kills_the_group) {
    struct child child = child_open();
    int64_t begin = child.env->ops->now_mono(child.env).ns;
    const char *output = run_shell(&child, "trap '' TERM HUP; sleep 600 & echo $!; exit 3");
    EXPECT_INT(child.exit_code, 3);
    EXPECT(is_gone_soon(pid_of(output)));
    EXPECT(child.env->ops->now_mono(child.env).ns - begin < 20000 * MS);
    child_close(&child);
}

/* Somebody who does not stem from the child gets hold of its stdout. */
static void hold_stdout(struct child *child) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/1", (int)pid_of(child->output[1]));
    child->held_fd = open(path, O_WRONLY | O_CLOEXEC);
    CHECK(child->held_fd >= 0);
    process_close_stdin(child->process);
}

/* A stranger holds a stream: it is cut 200 ms after the death, with all that was written. */
TEST(process_streams_are_cut) {
    struct child child = child_open();
    int64_t begin = child.env->ops->now_mono(child.env).ns;
    child.on_first_output = hold_stdout;
    start_shell(&child, "echo $$; read line; exit 0");
    env_run_real(child.env);
    int64_t taken = child.env->ops->now_mono(child.env).ns - begin;
    EXPECT(taken >= 200 * MS && taken < 60000 * MS);
    EXPECT_INT(child.exits_count, 1);
    close(child.held_fd);
    child_close(&child);
}

static void go_on(void *context) {
    struct child *child = context;
    CHECK(child->output_count[1] == 0 && child->exits_count == 0);
    process_pause_output(child->process, false);
}

/* Paused output is not read, and not lost: not even when the process has long ended. */
TEST(process_pause_keeps_output) {
    struct child child = child_open();
    struct env_timer *timer;
    EXPECT_INT(child.env->ops->timer_open(child.env, go_on, &child, &timer), 0);
    start_shell(&child, "echo ready >&2; printf late");
    process_pause_output(child.process, true);
    process_pause_output(child.process, true);
    int64_t when = child.env->ops->now_mono(child.env).ns + 400 * MS;
    child.env->ops->timer_set(child.env, timer, (struct mono_time){when});
    env_run_real(child.env);
    EXPECT_STRING(child.output[1], "late");
    EXPECT_STRING(child.output[2], "ready\n");
    EXPECT(child.env->ops->now_mono(child.env).ns >= when);
    child.env->ops->timer_close(child.env, timer);
    child_close(&child);
}

static void write_once(struct child *child) {
    CHECK(process_write(child->process, SLICE("nobody reads this")) == 0);
}

static void write_and_kill(void *context) {
    struct child *child = context;
    CHECK(process_write(child->process, SLICE("nor this")) == -EPIPE);
    process_signal(child->process, SIGKILL);
}

/* A child that has closed its stdin costs a write, then writes are refused; takt lives on. */
TEST(process_write_to_closed_stdin) {
    struct child child = child_open();
    struct env_timer *timer;
    child.on_first_output = write_once;
    EXPECT_INT(child.env->ops->timer_open(child.env, write_and_kill, &child, &timer), 0);
    start_shell(&child, "exec 0<&-; echo closed; sleep 600");
    int64_t when = child.env->ops->now_mono(child.env).ns + 2000 * MS;
    child.env->ops->timer_set(child.env, timer, (struct mono_time){when});
    env_run_real(child.env);
    EXPECT_INT(child.signal, SIGKILL);
    EXPECT_INT(child.drains_count, 0);
    child.env->ops->timer_close(child.env, timer);
    child_close(&child);
}

struct scarce {
    struct allocator inner;
    int left;
};

static void *scarce_resize(void *context, void *memory, size_t bytes_count) {
    struct scarce *scarce = context;
    if (bytes_count > 0 && scarce->left-- == 0) return NULL;
    return scarce->inner.resize(scarce->inner.context, memory, bytes_count);
}

/* Fail each allocation of a start in turn: -ENOMEM, nothing runs, nothing leaks. */
TEST(process_start_without_memory) {
    struct child child = child_open();
    struct allocator before = child.env->allocator;
    const char *argv[] = {"true", NULL};
    int failures = 0;
    for (;; failures++) {
        struct scarce scarce = {before, failures};
        child.env->allocator = (struct allocator){scarce_resize, &scarce};
        int rc = start(&child, argv, usual_env, "/");
        child.env->allocator = before;
        if (rc == 0) break;
        EXPECT_INT(rc, -ENOMEM);
    }
    EXPECT_INT(failures, 6);
    env_run_real(child.env);
    EXPECT_INT(child.exits_count, 1);
    child_close(&child);
}

/* It leaves its group and session, its environment, and its parent, who is dead before it speaks: all
 * that a daemon does. Its id is the first that is written. */
#define HIDE "env -i setsid sh -c 'sh -c \"echo \\$\\$; exec >&- 2>&-; exec sleep 600\" & ' "

/* There is nothing that a child can start and hide: when on_exit runs, it is gone. That of another
 * child which lives is spared. */
TEST(process_ends_what_hides) {
    struct child child = child_open();
    struct child other = child; /* in the same loop, with outputs of its own */
    for (int i = 1; i < 3; i++) other.output[i] = env_alloc(child.env, OUTPUT_BYTES_MAX);
    start_shell(&other, HIDE "; read line");
    run_until_output(&other);
    pid_t others = pid_of(other.output[1]);

    static const char *const ends[] = {"exit 0", "exit 7", "kill -KILL $$", "kill -SEGV $$"};
    for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
        char script[256];
        snprintf(script, sizeof script, HIDE "; read line; %s", ends[i]);
        start_shell(&child, script);
        run_until_output(&child);
        pid_t pid = pid_of(child.output[1]);
        EXPECT(kill(pid, 0) == 0 && getsid(pid) != process_pid(child.process));
        process_close_stdin(child.process);
        while (child.exits_count == 0) uv_run(env_loop_real(child.env), UV_RUN_ONCE);
        EXPECT(kill(pid, 0) < 0 && errno == ESRCH);
        EXPECT_INT(child.exit_code, i == 1 ? 7 : 0);
        EXPECT_INT(child.signal, i == 2 ? SIGKILL : i == 3 ? SIGSEGV : 0);
        child.exits_count = child.ends_count[1] = child.ends_count[2] = 0;
        memset(child.output[1], 0, child.output_count[1]);
        child.output_count[1] = 0;
    }
    EXPECT_INT(kill(others, 0), 0);
    process_signal(other.process, SIGKILL);
    env_run_real(child.env);
    EXPECT(kill(others, 0) < 0 && errno == ESRCH);
    for (int i = 1; i < 3; i++) env_free(child.env, other.output[i]);
    child_close(&child);
}

/* What a keeper is not to show: the program's words and its environment. */
TEST(process_keeper_is_nameless) {
    struct child child = child_open();
    const char *argv[] = {"sh", "-c", "echo; read line", "secret", NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", "KEY=secret", NULL};
    EXPECT_INT(start(&child, argv, env, "/"), 0);
    run_until_output(&child);
    static const char *const names[] = {"cmdline", "environ", "comm"};
    char own[MARK_BYTES_MAX + 16];
    snprintf(own, sizeof own, "TAKT_KEEPER=%s", child.mark);
    const char *const shown[] = {"keeper worker-exec", own, "keeper\n"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char path[64];
        char text[4096] = {0};
        snprintf(path, sizeof path, "/proc/%d/%s", process_pid(child.process), names[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t count = read(fd, text, sizeof text - 1);
        close(fd);
        while (count > 0 && text[count - 1] == '\0') count--;
        for (ssize_t j = 0; j < count; j++) {
            if (text[j] == '\0') text[j] = ' ';
        }
        EXPECT_STRING(text, shown[i]);
    }
    process_close_stdin(child.process);
    env_run_real(child.env);
    child_close(&child);
}

/* Signals that are not takt's orders do not reach the program through its keeper, nor end it. */
TEST(process_keeper_obeys_nobody_else) {
    struct child child = child_open();
    start_shell(&child, "trap 'echo term' TERM; trap 'echo hup' HUP; echo begin; read line");
    run_until_output(&child);
    static const int numbers[] = {SIGTERM, SIGHUP, SIGINT, SIGUSR1, SIGCHLD, SIGPIPE};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        EXPECT_INT(kill(process_pid(child.process), numbers[i]), 0);
    }
    process_close_stdin(child.process);
    env_run_real(child.env);
    EXPECT_STRING(child.output[1], "begin\n");
    EXPECT_INT(child.exit_code, 1); /* of read, at the end of its input */
    EXPECT_INT(child.signal, 0);
    child_close(&child);
}

/* What takt orders reaches the program of a keeper that was stopped. */
TEST(process_signal_wakes_a_keeper) {
    struct child child = child_open();
    start_shell(&child, "echo; exec sleep 600");
    run_until_output(&child);
    EXPECT_INT(kill(process_pid(child.process), SIGSTOP), 0);
    process_signal(child.process, SIGKILL);
    env_run_real(child.env);
    EXPECT_INT(child.signal, SIGKILL);
    child_close(&child);
}

/* A keeper is killed: its program dies, and what hides is adopted, and gone when on_exit runs. */
TEST(process_adopts_what_a_killed_keeper_kept) {
    struct child child = child_open();
    EXPECT_INT(process_adopt(child.env), 0);
    start_shell(&child, HIDE "; read line");
    run_until_output(&child);
    pid_t pid = pid_of(child.output[1]);
    EXPECT_INT(kill(pid, 0), 0);
    EXPECT_INT(kill(process_pid(child.process), SIGKILL), 0);
    env_run_real(child.env);
    EXPECT_INT(child.signal, SIGKILL);
    EXPECT(kill(pid, 0) < 0 && errno == ESRCH);
    EXPECT(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); /* no zombie either */
    EXPECT_INT(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
    child_close(&child);
}

/* Who had children before it began to adopt cannot tell whose an orphan is: it is waited for when it
 * has died, and not killed. */
TEST(process_adopts_and_spares_strangers) {
    int ends[2];
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    pid_t stranger = fork();
    if (stranger == 0) {
        close(ends[1]);
        char byte;
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1); /* when the test says so */
    }
    close(ends[0]);
    struct child child = child_open();
    EXPECT_INT(process_adopt(child.env), 0);
    start_shell(&child, "echo; exec sleep 600");
    run_until_output(&child);
    EXPECT_INT(kill(process_pid(child.process), SIGKILL), 0);
    env_run_real(child.env);
    EXPECT_INT(child.exits_count, 1);
    EXPECT_INT(waitpid(stranger, NULL, WNOHANG), 0); /* it lives */
    start_shell(&child, "read line");                /* what the loop runs for */
    close(ends[1]);
    while (kill(stranger, 0) == 0) uv_run(env_loop_real(child.env), UV_RUN_ONCE);
    process_close_stdin(child.process);
    child.exits_count = child.ends_count[1] = child.ends_count[2] = 0;
    env_run_real(child.env);
    EXPECT_INT(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
    child_close(&child);
}

/* A takt that is killed takes its children with it, also what hides; the next one on that folder
 * waits for that. */
TEST(process_dies_with_its_parent) {
    int ends[2];
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct child child = child_open();
        start_shell(&child, HIDE "; read line");
        run_until_output(&child);
        pid_t pids[] = {process_pid(child.process), pid_of(child.output[1])};
        if (write(ends[1], pids, sizeof pids) != (ssize_t)sizeof pids) _exit(1);
        env_run_real(child.env);
        _exit(0);
    }
    close(ends[1]);
    pid_t pids[2] = {0};
    EXPECT(read(ends[0], pids, sizeof pids) == (ssize_t)sizeof pids);
    close(ends[0]);
    int fd = pidfd_open(pids[1], 0);
    EXPECT(fd >= 0);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    EXPECT_INT(poll(&wait, 1, 0), 0); /* it lives */
    EXPECT(kill(parent, SIGKILL) == 0);
    EXPECT(waitpid(parent, NULL, 0) == parent);
    struct child next = child_open();
    write_mark(&next, parent);
    uint32_t found_count = 0;
    EXPECT_INT(process_end_marked(next.env, next.mark, 20000, &found_count), 0);
    EXPECT_INT(poll(&wait, 1, 0), 1);
    EXPECT(is_gone_soon(pids[0]));
    close(fd);
    child_close(&next);
}

/* worker-exec does not become the program when its parent is not who it should be. */
TEST(process_exec_refuses_another_parent) {
    pid_t pid = fork();
    if (pid == 0) {
        char word[] = "worker-exec";
        char another[16];
        snprintf(another, sizeof another, "%d", (int)getpid()); /* surely not its own parent */
        char program[] = "/bin/true";
        char *argv[] = {word, word, another, program, NULL};
        _exit(process_exec_main(4, argv));
    }
    int status = 0;
    EXPECT(waitpid(pid, &status, 0) == pid);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 127);
    char word[] = "x";
    char *few[] = {word, word, word, NULL};
    EXPECT_INT(process_exec_main(3, few), 127);
    char *no_number[] = {word, word, word, word, NULL};
    EXPECT_INT(process_exec_main(4, no_number), 127);
}

/* Of a takt whose keepers were killed with it: the mark finds the marked, and who cleaned its
 * environment in a marked session. */
TEST(process_end_marked_finds_without_keeper) {
    struct child child = child_open();
    int ends[2];
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    char mark[MARK_BYTES_MAX + 16];
    snprintf(mark, sizeof mark, "TAKT_INSTANCE=%s", child.mark);
    pid_t leader = fork();
    if (leader == 0) {
        char *env[] = {mark, NULL};
        if (setsid() < 0 || dup2(ends[1], STDOUT_FILENO) < 0) _exit(1);
        execle("/bin/sh", "sh", "-c", "/usr/bin/env -i /bin/sleep 600 & echo $!; wait", NULL, env);
        _exit(1);
    }
    close(ends[1]);
    char text[32] = {0};
    EXPECT(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    uint32_t found_count = 0;
    EXPECT_INT(process_end_marked(child.env, child.mark, 20000, &found_count), 0);
    EXPECT_INT(found_count, 2);
    EXPECT(is_gone_soon(pid_of(text)));
    EXPECT(waitpid(leader, NULL, 0) == leader);
    child_close(&child);
}

/* It spares others, and the one that asks although it is marked itself; and a keeper, even one that
 * was stopped, ends what it keeps and then itself. */
TEST(process_end_marked_spares_itself) {
    char self[256] = {0};
    EXPECT(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    struct child child = child_open();
    struct child hunter = child; /* marked likewise; what they say is of no interest */
    hunter.output[1] = child.output[2];
    struct child other = hunter;
    start_shell(&child, HIDE "; read line");
    run_until_output(&child);
    char others[MARK_BYTES_MAX + 16]; /* of which child.mark is only the beginning */
    snprintf(others, sizeof others, "%s-other", child.mark);
    EXPECT_INT(kill(process_pid(child.process), SIGSTOP), 0);
    struct process_options options = {
        .argv = (const char *const[]){"cat", NULL},
        .env = usual_env,
        .cwd = "/",
        .mark = others,
        .events = &child_events,
        .context = &other,
    };
    EXPECT_INT(process_start(child.env, &options, &other.process), 0);
    const char *argv[] = {self, "end-marked", child.mark, NULL};
    EXPECT_INT(start(&hunter, argv, usual_env, "/"), 0);
    process_close_stdin(hunter.process);
    while (hunter.exits_count == 0 || child.exits_count == 0) {
        uv_run(env_loop_real(child.env), UV_RUN_ONCE);
    }
    EXPECT_INT(hunter.signal, 0);
    EXPECT_INT(hunter.exit_code, 1); /* the shell */
    EXPECT_INT(child.signal, SIGKILL);
    EXPECT(kill(pid_of(child.output[1]), 0) < 0 && errno == ESRCH);
    EXPECT_INT(other.exits_count, 0);
    process_close_stdin(other.process);
    env_run_real(child.env);
    EXPECT_INT(other.exits_count, 1);
    EXPECT_INT(other.signal, 0);
    child_close(&child);
}

/* Who is not gone in time is reported; a zombie, here our own child, counts as gone. */
TEST(process_end_marked_times_out) {
    struct child child = child_open();
    start_shell(&child, "echo; exec sleep 600");
    run_until_output(&child);
    uint32_t found_count = 0;
    EXPECT_INT(process_end_marked(child.env, child.mark, 0, &found_count), -ETIMEDOUT);
    EXPECT(found_count >=
           1); /* the keeper; and the program, if that has not gone with it by then */
    EXPECT_INT(process_end_marked(child.env, child.mark, 20000, &found_count), 0);
    env_run_real(child.env);
    EXPECT_INT(child.signal, SIGKILL);
    child_close(&child);
}
