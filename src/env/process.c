/* SPDX-License-Identifier: Apache-2.0 */
/* process.c -- one child: its start, its three pipes, its end.
 *
 * Start: find the program, make three pipes, spawn `takt worker-exec PID PROGRAM ARG…`, which starts
 * the program and stays as its keeper (process_keep.c): that is the child that libuv knows. The pipes
 * are real ones: libuv would make sockets, and a script's `> /dev/stderr` fails on a socket.
 *
 * End, in any order: stdout ends, stderr ends, the keeper exits, when nothing is left of what the
 * program had started; 200 ms later, if a stream was handed to a stranger, that is cut.
 * When all three are through, all handles are closed; when the last one is, on_exit runs.
 *
 *   started ──exit──► dying ──both streams ended──► closing ──all handles closed──► on_exit, freed
 *                       └──200 ms──► last look ──next turn: cut──┘
 */
#include "env/process.h"

#include "env/env_real.h"
#include "env/process_find.h"
#include "env/process_keep.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CUT_MS 200u
#define STREAMS 3

struct process {
    struct env *env;
    struct list_link link; /* in the env's `processes`, until libuv has waited for it */
    const struct process_events *events;
    void *context;
    uv_process_t handle;
    uv_pipe_t pipes[STREAMS]; /* stdin, stdout, stderr: our ends */
    uv_timer_t cut;
    uint32_t handles_count; /* opened and not yet closed */
    bool is_open[STREAMS];  /* not yet being closed */
    bool started;           /* on_exit is owed */
    bool exited;
    bool finishing;
    bool paused;
    bool last_look;           /* the next firing of `cut` cuts */
    bool stdin_close_wanted;  /* when all writes are through */
    size_t write_queue_bytes; /* given to libuv and not yet said to be in the pipe */
    uint64_t lost_bytes;      /* of stdin: did not get into the pipe, as nobody reads */
    uint64_t unread_bytes;    /* of stdin, when it was closed */
    int pid;                  /* the keeper's */
    int signal_asked;
    int exit_code;
    int signal;
};

/* Pieces of PIPE_BUF bytes go into a pipe whole or not at all, so it is known to the byte how much
 * of what was written a dead child has never read. */
struct queued_write {
    struct process *process;
    char *bytes;
    size_t count;
    size_t pieces_left;
    uv_write_t pieces[];
};

/* What worker-exec is called with; all but the arrays and the marks borrowed. */
struct launch {
    struct env *env;
    char **argv;
    char **variables;
    char *marks[2]; /* of the keeper alone, and of all */
    char parent[16];
    char program[PATH_MAX];
};

static void launch_close(struct launch *launch) {
    if (launch == NULL) return;
    env_free(launch->env, launch->argv);
    env_free(launch->env, launch->variables);
    for (size_t i = 0; i < ARRAY_COUNT(launch->marks); i++) {
        env_free(launch->env, launch->marks[i]);
    }
    env_free(launch->env, launch);
}

static size_t count_strings(const char *const *strings) {
    size_t count = 0;
    while (strings[count] != NULL) count++;
    return count;
}

/* exec takes pointers to char and does not write through them. */
static char *as_argument(const char *string) {
    return (char *)(uintptr_t)string;
}

static int find_program(const struct process_options *options, char program[PATH_MAX]) {
    int cwd_fd = open(options->cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (cwd_fd < 0) return -errno;
    int rc = process_find_program(cwd_fd, options->argv[0], options->env, program);
    close(cwd_fd);
    return rc;
}

static bool is_mark(const char *variable) {
    return strncmp(variable, PROCESS_MARK_NAME "=", sizeof PROCESS_MARK_NAME) == 0;
}

static int set_variables(struct launch *launch, const struct process_options *options) {
    static const char *const names[] = {PROCESS_KEEPER_NAME, PROCESS_MARK_NAME};
    size_t count = count_strings(options->env);
    size_t mark_size = sizeof PROCESS_MARK_NAME "=" + strlen(options->mark); /* the longer name */
    launch->variables =
        env_alloc(launch->env, (ARRAY_COUNT(names) + count + 1) * sizeof launch->variables[0]);
    if (launch->variables == NULL) return -ENOMEM;
    size_t kept = 0;
    for (; kept < ARRAY_COUNT(names); kept++) {
        launch->marks[kept] = env_alloc(launch->env, mark_size);
        if (launch->marks[kept] == NULL) return -ENOMEM;
        snprintf(launch->marks[kept], mark_size, "%s=%s", names[kept], options->mark);
        launch->variables[kept] = launch->marks[kept];
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_mark(options->env[i])) launch->variables[kept++] = as_argument(options->env[i]);
    }
    return 0;
}

static int set_arguments(struct launch *launch, const struct process_options *options) {
    size_t count = count_strings(options->argv);
    CHECK(count > 0);
    launch->argv = env_alloc(launch->env, (count + 4) * sizeof launch->argv[0]);
    if (launch->argv == NULL) return -ENOMEM;
    snprintf(launch->parent, sizeof launch->parent, "%d", (int)getpid());
    launch->argv[0] =
        as_argument("keeper"); /* not takt's name: who kills takt by it spares these */
    launch->argv[1] = as_argument("worker-exec");
    launch->argv[2] = launch->parent;
    launch->argv[3] = launch->program;
    for (size_t i = 1; i < count; i++) launch->argv[3 + i] = as_argument(options->argv[i]);
    return 0;
}

static int launch_open(struct env *env, const struct process_options *options,
                       struct launch **out) {
    CHECK(options->mark[0] != '\0');
    struct launch *launch = env_alloc(env, sizeof *launch);
    if (launch == NULL) return -ENOMEM;
    launch->env = env;
    int rc = set_variables(launch, options);
    if (rc == 0) rc = set_arguments(launch, options);
    if (rc == 0) rc = find_program(options, launch->program);
    if (rc < 0) {
        launch_close(launch);
        return rc;
    }
    *out = launch;
    return 0;
}

static void handle_closed(uv_handle_t *handle) {
    struct process *process = handle->data;
    if (--process->handles_count > 0) return;
    if (process->started) {
        process->events->on_exit(process->context, process->exit_code, process->signal);
    }
    env_free(process->env, process);
}

/* What lies in the pipe outlives its reader for as long as our end is open. */
static uint64_t count_unread(const struct process *process) {
    const uv_stream_t *stream = (const uv_stream_t *)&process->pipes[0];
    int fd = -1;
    int in_pipe = 0;
    if (uv_fileno((const uv_handle_t *)stream, &fd) == 0) (void)ioctl(fd, FIONREAD, &in_pipe);
    return (uint64_t)in_pipe + uv_stream_get_write_queue_size(stream) + process->lost_bytes;
}

static void close_stream(struct process *process, int stream) {
    if (!process->is_open[stream]) return;
    process->is_open[stream] = false;
    if (stream == 0) process->unread_bytes = count_unread(process);
    uv_close((uv_handle_t *)&process->pipes[stream], handle_closed);
}

static void finish_if_through(struct process *process) {
    if (!process->exited || process->is_open[1] || process->is_open[2]) return;
    if (process->finishing) return;
    process->finishing = true;
    close_stream(process, 0);
    uv_close((uv_handle_t *)&process->cut, handle_closed);
    uv_close((uv_handle_t *)&process->handle, handle_closed);
}

static void end_output(struct process *process, int stream) {
    if (!process->is_open[stream]) return;
    close_stream(process, stream);
    process->events->on_output(process->context, stream, SLICE_EMPTY);
    finish_if_through(process);
}

static void give_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer) {
    (void)wanted;
    struct process *process = handle->data;
    struct env_real *real = env_real_from(process->env);
    *buffer = uv_buf_init(real->read_buffer, sizeof real->read_buffer);
}

static void take_output(uv_stream_t *handle, ssize_t count, const uv_buf_t *buffer) {
    struct process *process = handle->data;
    int stream = handle == (uv_stream_t *)&process->pipes[1] ? 1 : 2;
    if (count > 0) {
        struct slice bytes = slice_from(buffer->base, (size_t)count);
        process->events->on_output(process->context, stream, bytes);
    } else if (count < 0) { /* the end; an error of a pipe is one, too */
        end_output(process, stream);
    }
}

static void read_stream(struct process *process, int stream) {
    uv_stream_t *handle = (uv_stream_t *)&process->pipes[stream];
    int rc = uv_read_start(handle, give_buffer, take_output);
    CHECK(rc == 0 || rc == UV_EALREADY);
}

static void cut_streams(uv_timer_t *timer) {
    struct process *process = timer->data;
    if (!process->last_look) {
        /* The loop may have been late by as much: what lies in the pipes is read in this turn. */
        process->last_look = true;
        CHECK(uv_timer_start(timer, cut_streams, 1, 0) == 0);
        return;
    }
    end_output(process, 1);
    end_output(process, 2);
}

/* A paused stream is full of what takt itself has not taken: the time runs from its going on. */
static void arm_cut(struct process *process) {
    process->last_look = false;
    if (process->paused && process->is_open[1]) {
        CHECK(uv_timer_stop(&process->cut) == 0);
    } else {
        CHECK(uv_timer_start(&process->cut, cut_streams, CUT_MS, 0) == 0);
    }
}

/* Another hand has killed the keeper. */
static void end_adopted(struct process *process) {
    int rc = process_end_adopted(env_real_from(process->env));
    if (rc == 0 || !process->is_open[2]) return;
    struct slice words = SLICE("takt: what this worker has started does not all end\n");
    process->events->on_output(process->context, 2, words);
}

static void take_exit(uv_process_t *handle, int64_t exit_status, int term_signal) {
    struct process *process = handle->data;
    process->exited = true;
    list_remove(&process->link);
    process->exit_code = (int)exit_status;
    process->signal = term_signal;
    if (term_signal == process_order_for(SIGKILL)) process->signal = SIGKILL;
    int asked = process->signal_asked; /* perhaps before the keeper was there to obey */
    if (asked != 0 && term_signal == process_order_for(asked)) process->signal = asked;
    if (term_signal == SIGKILL) end_adopted(process);
    close_stream(process, 0);
    arm_cut(process);
    finish_if_through(process);
}

/* Three pipes: ours[] and theirs[], -1 where there is none (yet). */
static int open_pipes(int ours[STREAMS], int theirs[STREAMS]) {
    for (int i = 0; i < STREAMS; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
        ours[i] = ends[i == 0 ? 1 : 0];
        theirs[i] = ends[i == 0 ? 0 : 1];
    }
    return 0;
}

static void close_all(int fds[STREAMS]) {
    for (int i = 0; i < STREAMS; i++) {
        if (fds[i] >= 0) close(fds[i]);
    }
}

/* Each of ours[] that is taken becomes -1. */
static int adopt_pipes(struct process *process, int ours[STREAMS]) {
    for (int i = 0; i < STREAMS; i++) {
        int rc = uv_pipe_open(&process->pipes[i], ours[i]);
        if (rc < 0) return rc;
        ours[i] = -1;
    }
    return 0;
}

static int spawn(struct process *process, const struct process_options *options,
                 const struct launch *launch, const int theirs[STREAMS]) {
    uv_stdio_container_t stdio[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        stdio[i].flags = UV_INHERIT_FD;
        stdio[i].data.fd = theirs[i];
    }
    uv_process_options_t spawning = {
        .exit_cb = take_exit,
        .file = "/proc/self/exe", /* the very program that runs, even if its file was replaced */
        .args = launch->argv,
        .env = launch->variables,
        .cwd = options->cwd,
        .flags = UV_PROCESS_DETACHED, /* setsid: a terminal's Ctrl-C is not for it */
        .stdio_count = STREAMS,
        .stdio = stdio,
    };
    process->handles_count++; /* to be closed also when it fails */
    int rc = uv_spawn(env_loop_real(process->env), &process->handle, &spawning);
    process->handle.data = process;
    return rc;
}

static struct process *open_handles(struct env *env, const struct process_options *options) {
    struct process *process = env_alloc(env, sizeof *process);
    if (process == NULL) return NULL;
    process->env = env;
    list_init(&process->link);
    process->events = options->events;
    process->context = options->context;
    uv_loop_t *loop = env_loop_real(env);
    for (int i = 0; i < STREAMS; i++) {
        CHECK(uv_pipe_init(loop, &process->pipes[i], 0) == 0); /* these cannot fail */
        process->pipes[i].data = process;
        process->is_open[i] = true;
    }
    CHECK(uv_timer_init(loop, &process->cut) == 0);
    process->cut.data = process;
    process->handles_count = STREAMS + 1;
    return process;
}

/* Its memory goes when the loop has closed the handles; no callback runs. */
static void abandon(struct process *process, bool spawn_was_tried) {
    if (process == NULL) return;
    for (int i = 0; i < STREAMS; i++) close_stream(process, i);
    uv_close((uv_handle_t *)&process->cut, handle_closed);
    if (spawn_was_tried) uv_close((uv_handle_t *)&process->handle, handle_closed);
}

int process_start(struct env *env, const struct process_options *options, struct process **out) {
    int ours[STREAMS] = {-1, -1, -1};
    int theirs[STREAMS] = {-1, -1, -1};
    bool spawn_was_tried = false;
    struct process *process = NULL;
    struct launch *launch = NULL;

    int rc = launch_open(env, options, &launch);
    if (rc < 0) goto fail;
    rc = open_pipes(ours, theirs);
    if (rc < 0) goto fail;
    rc = -ENOMEM;
    process = open_handles(env, options);
    if (process == NULL) goto fail;
    rc = adopt_pipes(process, ours);
    if (rc < 0) goto fail;
    spawn_was_tried = true;
    rc = spawn(process, options, launch, theirs);
    if (rc < 0) goto fail;

    process->started = true;
    process->pid = process->handle.pid;
    list_append(&env_real_from(env)->processes, &process->link);
    read_stream(process, 1);
    read_stream(process, 2);
    close_all(theirs);
    launch_close(launch);
    *out = process;
    return 0;

fail:
    abandon(process, spawn_was_tried);
    close_all(ours);
    close_all(theirs);
    launch_close(launch);
    return rc;
}

int process_pid(const struct process *process) {
    return process->pid;
}

static size_t piece_bytes(const struct queued_write *write, size_t index) {
    size_t rest = write->count - index * PIPE_BUF;
    return rest < PIPE_BUF ? rest : PIPE_BUF;
}

static void end_write(uv_write_t *request, int status) {
    struct queued_write *write = request->data;
    struct process *process = write->process;
    size_t count = piece_bytes(write, (size_t)(request - write->pieces));
    process->write_queue_bytes -= count;
    if (--write->pieces_left == 0) env_free(process->env, write);
    if (status < 0) {
        if (process->is_open[0]) process->lost_bytes += count;
        close_stream(process, 0); /* nobody reads: later writes get -EPIPE */
        return;
    }
    if (process->write_queue_bytes > 0) return;
    if (process->events->on_drained != NULL && process->is_open[0]) {
        process->events->on_drained(process->context);
    }
    if (process->stdin_close_wanted) close_stream(process, 0);
}

int process_write(struct process *process, struct slice bytes) {
    if (!process->is_open[0] || process->stdin_close_wanted) return -EPIPE;
    if (bytes.count > PROCESS_WRITE_QUEUE_BYTES_MAX - process->write_queue_bytes) return -ENOBUFS;
    if (bytes.count == 0) return 0;

    size_t pieces_count = (bytes.count + PIPE_BUF - 1) / PIPE_BUF;
    size_t head_bytes = sizeof(struct queued_write) + pieces_count * sizeof(uv_write_t);
    struct queued_write *write =
        allocator_resize_array(&process->env->allocator, NULL, 1, head_bytes + bytes.count);
    if (write == NULL) return -ENOMEM;
    *write = (struct queued_write){.process = process,
                                   .bytes = (char *)write + head_bytes,
                                   .count = bytes.count,
                                   .pieces_left = pieces_count};
    memcpy(write->bytes, bytes.bytes, bytes.count);
    uv_stream_t *stream = (uv_stream_t *)&process->pipes[0];
    for (size_t i = 0; i < pieces_count; i++) {
        uv_buf_t buffer = uv_buf_init(write->bytes + i * PIPE_BUF, (unsigned)piece_bytes(write, i));
        write->pieces[i].data = write;
        /* What goes wrong is told to end_write, later; with one small buffer nothing else can. */
        CHECK(uv_write(&write->pieces[i], stream, &buffer, 1, end_write) == 0);
    }
    process->write_queue_bytes += bytes.count;
    return 0;
}

uint64_t process_unread_bytes(const struct process *process) {
    return process->is_open[0] ? count_unread(process) : process->unread_bytes;
}

void process_close_stdin(struct process *process) {
    process->stdin_close_wanted = true;
    if (process->write_queue_bytes == 0) close_stream(process, 0);
}

void process_signal(struct process *process, int signal_number) {
    if (process->exited) return; /* the id may be another's by now */
    process->signal_asked = signal_number;
    (void)kill(process->pid, process_order_for(signal_number)); /* it is our child: it is there */
    if (signal_number == SIGKILL) (void)kill(process->pid, SIGCONT); /* it may have been stopped */
}

bool process_is_known(void *context, pid_t pid) {
    const struct env_real *real = context;
    struct list_link *link = real->processes.next;
    for (; link != &real->processes; link = link->next) {
        if (CONTAINER_OF(link, struct process, link)->pid == pid) return true;
    }
    return false;
}

void process_pause_output(struct process *process, bool paused) {
    if (process->paused == paused) return;
    process->paused = paused;
    if (!process->is_open[1]) return;
    if (paused) {
        CHECK(uv_read_stop((uv_stream_t *)&process->pipes[1]) == 0);
    } else {
        read_stream(process, 1);
    }
    if (process->exited) arm_cut(process);
}
