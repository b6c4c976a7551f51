/* SPDX-License-Identifier: Apache-2.0 */
/* process_exec.c -- the moment between takt and program: `takt worker-exec`.
 *
 * It runs as takt's child, in takt's own executable, because what must be asked of the kernel here
 * cannot be asked through libuv. It forks: the child leads a session of its own and becomes the
 * program; the parent stays as its keeper (process_keep.c). Each dies with its parent: the keeper is
 * told, and first ends what it keeps; the program is killed. That wish survives exec.
 */
#include "env/process.h"

#include "env/process_keep.h"

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
void process_reset_signals(void) {
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

static int say_cannot(const char *what, const char *program) {
    dprintf(STDERR_FILENO, "takt: cannot %s %s: %s\n", what, program, strerror(errno));
    return EXIT_CANNOT_EXECUTE;
}

/* The child: returns only on failure. */
static int become_program(pid_t keeper, char **argv) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return say_cannot("tie to takt's life", argv[0]);
    /* Had the parent died before the line above, the signal would never come. */
    if (getppid() != keeper) return EXIT_CANNOT_EXECUTE;
    if (setsid() < 0 || unsetenv(PROCESS_KEEPER_NAME) < 0) return say_cannot("start", argv[0]);

    process_reset_signals();
    /* takt opens everything with O_CLOEXEC; this is for what takt itself was started with. */
    close_range(3, ~0U, 0);
    execv(argv[0], argv);
    return say_cannot("execute", argv[0]);
}

int process_exec_main(int argc, char **argv) {
    if (argc < 4) {
        dprintf(STDERR_FILENO, "takt: worker-exec is for takt itself: PARENT_PID PROGRAM [ARG]\n");
        return EXIT_CANNOT_EXECUTE;
    }
    char **program_argv = argv + 3;
    char *end;
    errno = 0;
    long parent = strtol(argv[2], &end, 10);
    if (errno != 0 || *end != '\0' || parent < 1 || parent > INT_MAX) {
        dprintf(STDERR_FILENO, "takt: worker-exec: not a process id: %s\n", argv[2]);
        return EXIT_CANNOT_EXECUTE;
    }

    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL); /* the keeper takes them one by one */
    if (prctl(PR_SET_PDEATHSIG, SIGHUP) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        return say_cannot("keep", program_argv[0]);
    }
    if (getppid() != (pid_t)parent) return EXIT_CANNOT_EXECUTE;

    pid_t keeper = getpid();
    pid_t program = fork();
    if (program < 0) return say_cannot("start", program_argv[0]);
    if (program == 0) _exit(become_program(keeper, program_argv));
    return process_keep((pid_t)parent, program, argv);
}
