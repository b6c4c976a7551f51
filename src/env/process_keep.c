/* SPDX-License-Identifier: Apache-2.0 */
/* process_keep.c -- a worker's keeper: the process between takt and one worker's program.
 *
 *   takt ── keeper ── program ── whatever it starts, whatever that does to its group, session,
 *                                environment or parent
 *
 * The keeper is a subreaper: an orphan below it becomes its own child and nobody else's. So all that
 * stems from one worker, and nothing else, is below one keeper, and can be ended to the last.
 *
 *   the program ends        all below is killed and waited for; then the keeper ends as it did
 *   takt orders a signal    to the program's group
 *   takt dies               the kernel says so (SIGHUP): all below is killed; then the keeper ends,
 *                           and the next takt on that folder waits until it has (process_marked.c)
 *   the keeper is killed    the kernel kills the program; takt adopts what is left, and ends it
 *                           (process_adopt.c)
 */
#include "env/process_keep.h"

#include "env/process_children.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* takt waits for the end of this, and a message for takt; what hangs in the kernel hangs longer. */
#define END_MS_MAX 500
/* takt is gone: only the next one waits, and it would rather wait than meet them. */
#define END_ALONE_MS_MAX 20000

struct keeper {
    pid_t takt;
    pid_t program;
};

/* What the program was given is none of the keeper's: not to be found by its words (`pkill -f`), not
 * to be read in it. What remains is TAKT_KEEPER. */
static void become_nameless(char **argv) {
    (void)prctl(PR_SET_NAME, "keeper"); /* cannot fail */
    for (size_t i = 2; argv[i] != NULL; i++) explicit_bzero(argv[i], strlen(argv[i]));
    for (size_t i = 0; environ[i] != NULL; i++) {
        bool is_own = strncmp(environ[i], PROCESS_KEEPER_NAME "=", sizeof PROCESS_KEEPER_NAME) == 0;
        if (!is_own) explicit_bzero(environ[i], strlen(environ[i]));
    }
    /* Who waits for the end of the program's streams must not wait for the keeper. It keeps stderr,
     * for its own last words. */
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close_range(STDERR_FILENO + 1, ~0U, 0);
}

/* Waits for orphans that have died. True: the program has; it is not yet waited for. */
static bool has_ended(const struct keeper *keeper) {
    for (;;) {
        siginfo_t info = {0};
        int rc = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
        if (rc < 0 || info.si_pid == 0) return false;
        if (info.si_pid == keeper->program) return true;
        (void)waitpid(info.si_pid, NULL, WNOHANG);
    }
}

static void pass_on(const struct keeper *keeper, int signal_number) {
    /* Until it leads a group it is alone. */
    if (kill(-keeper->program, signal_number) < 0) (void)kill(keeper->program, signal_number);
}

/* True: the program has ended; false: takt has. */
static bool wait_for_end(const struct keeper *keeper) {
    sigset_t all;
    sigfillset(&all);
    for (;;) {
        if (has_ended(keeper)) return true;
        int number = sigwaitinfo(&all, NULL); /* SIGCHLD waits here if it came before */
        if (getppid() != keeper->takt) return false;
        if (number > SIGRTMIN) pass_on(keeper, number - SIGRTMIN);
    }
}

static void end_all(const struct keeper *keeper) {
    uint32_t ended_count = 0;
    int rc = process_end_children(NULL, NULL, END_MS_MAX, &ended_count);
    if (rc == -ETIMEDOUT && getppid() != keeper->takt) {
        rc = process_end_children(NULL, NULL, END_ALONE_MS_MAX, &ended_count);
    }
    if (rc < 0) {
        dprintf(STDERR_FILENO, "takt: what this worker has started does not end: %s\n",
                strerror(-rc));
    }
}

/* A core of the keeper would be a lie. */
static int end_as(int status) {
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    int number = WTERMSIG(status);
    (void)prctl(PR_SET_DUMPABLE, 0);
    if (number == SIGKILL) number = process_order_for(SIGKILL);
    process_reset_signals();
    (void)kill(getpid(), number);
    return 128 + number; /* not reached: each signal that ends a process has ended this one */
}

int process_keep(pid_t takt, pid_t program, char **argv) {
    const struct keeper keeper = {.takt = takt, .program = program};
    int status = SIGKILL; /* as waitpid tells it; for nobody, if takt is gone */
    become_nameless(argv);
    if (wait_for_end(&keeper)) {
        /* Not yet waited for, it keeps its id, and that of its group, for itself. */
        (void)kill(-program, SIGKILL);
        (void)waitpid(program, &status, 0);
    }
    end_all(&keeper);
    return end_as(status);
}
