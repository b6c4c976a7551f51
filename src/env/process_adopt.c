/* SPDX-License-Identifier: Apache-2.0 */
/* process_adopt.c -- takt as a parent of last resort.
 *
 * takt is a subreaper too: what a keeper kept comes to takt when that keeper is killed, and to PID 1
 * of a container all orphans do. They are waited for here, when they have died, so that none stays
 * a zombie. libuv waits for its own processes one by one, on the same SIGCHLD: by the end of the turn
 * it has done so; one of its own that is still met has died since, and another SIGCHLD is coming.
 *
 * To be ended an adopted process must be known to stem from a worker. It does if takt had no child
 * when it began to adopt, and is not PID 1: then it has no descendants but by its keepers.
 */
#include "env/env_real.h"
#include "env/process.h"
#include "env/process_children.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_MS_MAX 500

static void reap(void *context) {
    struct env_real *real = context;
    real->reaping = false;
    for (;;) {
        siginfo_t info = {0};
        int rc = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
        if (rc < 0 || info.si_pid == 0 || process_is_known(real, info.si_pid)) return;
        (void)waitpid(info.si_pid, NULL, WNOHANG);
    }
}

static void hear_child(uv_signal_t *handle, int signal_number) {
    (void)signal_number;
    struct env_real *real = handle->data;
    if (real->reaping) return;
    /* Without memory a zombie stays until the next SIGCHLD. */
    real->reaping = env_real_defer(&real->env, reap, real) == 0;
}

int process_adopt(struct env *env) {
    struct env_real *real = env_real_from(env);
    CHECK(!real->adopts && list_is_empty(&real->processes));
    siginfo_t info;
    bool is_childless = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) return -errno;

    int rc = uv_signal_init(&real->loop, &real->child_signal);
    if (rc < 0) return rc;
    real->adopts = true; /* to be closed */
    real->child_signal.data = real;
    real->ends_adopted = is_childless && getpid() != 1;
    rc = uv_signal_start(&real->child_signal, hear_child, SIGCHLD);
    uv_unref((uv_handle_t *)&real->child_signal); /* alone, it is no reason to go on */
    if (rc == 0) reap(real);                      /* what died before is not told any more */
    return rc;
}

void process_adopt_close(struct env_real *real) {
    if (real->adopts) uv_close((uv_handle_t *)&real->child_signal, NULL);
}

int process_end_adopted(struct env_real *real) {
    if (!real->ends_adopted) return 0;
    uint32_t ended_count = 0;
    return process_end_children(process_is_known, real, END_MS_MAX, &ended_count);
}
