/* SPDX-License-Identifier: Apache-2.0 */
/* process_exec.c -- the moment between fork and program: `takt worker-exec`.
 *
 * It runs as the child, in takt's own executable, because what must be asked of the kernel here
 * cannot be asked through libuv: SIGKILL when the parent dies. That wish survives exec.
 */
#include "env/process.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXIT_CANNOT_EXECUTE 127

/* The program starts as from a fresh shell: takt ignores SIGPIPE and SIGXFSZ, and ignoring is
 * inherited. The kernel is asked and not the C library, which keeps two signals to itself: what GNU
 * make starts ignores these, and so would every worker of a takt that was started so. */
static void reset_signals(void) {
    /* A struct sigaction as the kernel has it, whatever its size is, and that of its set. */
    static const char by_default[64];
    const size_t set_bytes = 8;
    for (int number = 1; number < NSIG; number++) {
        (void)syscall(SYS_rt_sigaction, number, by_default, NULL, set_bytes); /* not KILL, STOP */
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int process_exec_main(int argc, char **argv) {
    if (argc < 4) {
        dprintf(STDERR_FILENO, "takt: worker-exec is for takt itself: PARENT_PID PROGRAM [ARG]\n");
        return EXIT_CANNOT_EXECUTE;
    }
    const char *program = argv[3];
    char *end;
    errno = 0;
    long parent = strtol(argv[2], &end, 10);
    if (errno != 0 || *end != '\0' || parent < 1 || parent > INT_MAX) {
        dprintf(STDERR_FILENO, "takt: worker-exec: not a process id: %s\n", argv[2]);
        return EXIT_CANNOT_EXECUTE;
    }

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
        dprintf(STDERR_FILENO, "takt: cannot tie %s to takt's life: %s\n", program,
                strerror(errno));
        return EXIT_CANNOT_EXECUTE;
    }
    /* Had the parent died before the line above, the signal would never come. */
    if (getppid() != (pid_t)parent) return EXIT_CANNOT_EXECUTE;

    reset_signals();
    /* takt opens everything with O_CLOEXEC; this is for what takt itself was started with. */
    close_range(3, ~0U, 0);
    execv(program, argv + 3);
    dprintf(STDERR_FILENO, "takt: cannot execute %s: %s\n", program, strerror(errno));
    return EXIT_CANNOT_EXECUTE;
}
