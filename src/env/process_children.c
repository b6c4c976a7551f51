/* SPDX-License-Identifier: Apache-2.0 */
/* process_children.c -- ends the children of a subreaper, down to the last.
 *
 * Rounds over /proc: whoever has this process as its parent is killed, and waited for if it is dead.
 * When a process dies, its children become ours before it can be waited for, so a round that meets
 * no child at all has no descendant left to meet. An id cannot become another's between the look
 * and the signal: a child keeps its id until we have waited for it, and nobody else does.
 */
#include "env/process_children.h"

#include "env/env_real.h"
#include "env/process_about.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUND_WAIT_MS_MAX 16

struct round {
    process_spare_fn *spare;
    void *context;
    int proc_fd;
    pid_t self;
    uint32_t met_count; /* in this round */
    uint32_t ended_count;
};

static int visit(void *context, pid_t pid) {
    struct round *round = context;
    struct process_about about;
    if (!process_read_about(round->proc_fd, pid, &about) || about.parent != round->self) return 0;
    if (round->spare != NULL && round->spare(round->context, pid)) return 0;
    bool is_hit = kill(pid, SIGKILL) == 0;
    bool is_gone = waitpid(pid, NULL, WNOHANG) == pid;
    if (is_gone) round->ended_count++;
    if (is_hit || is_gone) round->met_count++;
    return 0;
}

static int run_rounds(struct round *round, int64_t timeout_ms) {
    int64_t deadline_ns = env_real_now_mono(NULL).ns + timeout_ms * 1000000;
    int wait_ms = 1;
    for (;;) {
        round->met_count = 0;
        int rc = process_visit_all(round->proc_fd, visit, round);
        if (rc < 0 || round->met_count == 0) return rc;
        if (env_real_now_mono(NULL).ns >= deadline_ns) return -ETIMEDOUT;
        poll(NULL, 0, wait_ms);
        if (wait_ms < ROUND_WAIT_MS_MAX) wait_ms *= 2;
    }
}

int process_end_children(process_spare_fn *spare, void *context, int64_t timeout_ms,
                         uint32_t *ended_count) {
    *ended_count = 0;
    siginfo_t info;
    int rc = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
    if (rc < 0 && errno == ECHILD) return 0; /* the usual case: no child at all */

    struct round round = {.spare = spare, .context = context, .self = getpid()};
    round.proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (round.proc_fd < 0) return -errno;
    rc = run_rounds(&round, timeout_ms);
    close(round.proc_fd);
    *ended_count = round.ended_count;
    return rc;
}
