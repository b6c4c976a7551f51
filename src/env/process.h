/* SPDX-License-Identifier: Apache-2.0 */
/* process.h -- child processes: started in a session of their own, never left behind.
 *
 * Each runs under a keeper, a small process between takt and it: `takt` itself, as the hidden command
 * `worker-exec` (process_exec_main below). Whatever the child starts, and however that hides, stays
 * below the keeper, which ends it all when the child ends, or when takt dies. Should both takt and
 * the keeper be killed, what is left is found by the mark that every child inherits in its
 * environment, TAKT_INSTANCE=<mark>.
 */
#ifndef TAKT_ENV_PROCESS_H
#define TAKT_ENV_PROCESS_H

#include "env/env.h"

#define PROCESS_WRITE_QUEUE_BYTES_MAX (16u * 1024 * 1024)

struct process; /* from process_start until on_exit has run */

struct process_events {
    /* Bytes from stdout (stream 1) or stderr (stream 2), borrowed. count 0: that stream ended. */
    void (*on_output)(void *context, int stream, struct slice bytes);
    /* The process ended AND all that it has started is gone (or did not end within half a second of
     * SIGKILL, which its stderr says) AND both streams ended (or were cut 200 ms after that, because
     * a stranger keeps them open). Runs once, last; the struct process is gone after it. signal is 0
     * if it exited by itself. While stdout is paused the 200 ms do not run: nothing that it wrote is
     * lost, and on_exit waits for its going on. */
    void (*on_exit)(void *context, int exit_code, int signal);
    /* Everything written so far has gone into the pipe. May be NULL. */
    void (*on_drained)(void *context);
};

struct process_options {
    const char *const *argv; /* borrowed, NULL-terminated; argv[0] is looked up in PATH of `env`,
                                a name with a slash relative to `cwd`; the program sees the path
                                that was found as its argv[0] */
    const char *const *env;  /* borrowed, NULL-terminated NAME=VALUE: the whole environment */
    const char *cwd;         /* borrowed */
    const char *mark;        /* borrowed: put into the environment as TAKT_INSTANCE, replacing one
                                that is there; not empty, at most 256 bytes */
    const struct process_events *events; /* kept */
    void *context;                       /* kept */
};

/* 0; -ENOENT, -EACCES, … when the program itself cannot be executed (found out before fork where
 * possible; otherwise the child exits with 127 and says why on stderr); -EMFILE, -EAGAIN, -ENOMEM.
 * On failure no callback runs. `env` is the real one; call it on the thread that lives as long as
 * takt (the kernel kills the child when the thread that started it ends). */
TAKT_MUST_USE int process_start(struct env *env, const struct process_options *options,
                                struct process **out);
int process_pid(const struct process *process); /* the keeper's; its only child at first is it */
/* Copies the bytes. -EPIPE: stdin is closed, or the child has closed it and an earlier write failed;
 * -ENOBUFS above PROCESS_WRITE_QUEUE_BYTES_MAX. */
TAKT_MUST_USE int process_write(struct process *process, struct slice bytes);
void process_close_stdin(struct process *process); /* after what was written has gone */
/* Of the bytes written: how many nobody has read yet. After the process has ended, and until on_exit
 * has run: how many it never read. Once stdin was closed by process_close_stdin: what it was then. */
uint64_t process_unread_bytes(const struct process *process);
/* To the whole process group. Nothing happens after the process has ended. */
void process_signal(struct process *process, int signal);
/* Stop and go on reading stdout, for a worker that talks faster than takt can take. */
void process_pause_output(struct process *process, bool paused);

/* Before the first process_start, once: from now on what a keeper leaves when it is killed becomes a
 * child of this process, and is ended before on_exit of that keeper's process. Children that were not
 * started here are waited for when they have died. 0, or what the kernel said. */
TAKT_MUST_USE int process_adopt(struct env *env);

/* What an earlier process has left, or this one, when none of its own runs any more: wait for the
 * keepers that carry this mark, half of timeout_ms at most; find every process of this user that
 * carries TAKT_INSTANCE=<mark> in its environment, or whose process group or session leader does,
 * send SIGKILL, and wait until all are gone. Blocking. This process and its ancestors are spared; a
 * zombie counts as gone. 0 and the number that was sent SIGKILL; -ETIMEDOUT when some are still there
 * after timeout_ms. At least two scans of /proc, about 4 ms each where some hundred processes run. */
TAKT_MUST_USE int process_end_marked(struct env *env, const char *mark, int64_t timeout_ms,
                                     uint32_t *found_count);

/* `takt worker-exec PARENT_PID PROGRAM [ARG…]`: the body of that hidden command; argc and argv are
 * main's. Exits if the parent is already another one; starts the program, with all signals reset and
 * every descriptor above 2 closed; keeps it, and ends as it does. On failure: the exit code, 127. */
int process_exec_main(int argc, char **argv);

#endif
