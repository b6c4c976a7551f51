/* SPDX-License-Identifier: Apache-2.0 */
#include "attempt.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of a build that counts the lines it executes; it would do so at exit, which a child leaves out. */
extern void __gcov_dump(void) __attribute__((weak));

/* A fault's last words are expected, and many. */
static void silence(void) {
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) (void)dup2(fd, STDERR_FILENO);
}

/* Of processor time: a busy machine makes no run fail. */
static void limit_time(void) {
    struct itimerval limit = {.it_value.tv_sec = ATTEMPT_SECONDS_MAX};
    (void)setitimer(ITIMER_PROF, &limit, NULL);
}

static void say_end(struct report *report, int status) {
    if (report->words[0] != '\0') return;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF) {
        (void)snprintf(report->words, sizeof report->words, "it does not end");
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(report->words, sizeof report->words, "it ended by signal %d: %s",
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        (void)snprintf(report->words, sizeof report->words, "it ended with %d",
                       WEXITSTATUS(status));
    }
}

bool attempt(const struct sim_options *options, struct report *report) {
    struct report *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        (void)snprintf(report->words, sizeof report->words, "out of memory");
        return false;
    }
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (options->fault != FAULT_NONE && !options->is_told) silence();
        limit_time();
        sim_run(options, shared);
        if (__gcov_dump != NULL) __gcov_dump();
        _exit(0);
    }
    int status = 0;
    bool is_over = child > 0 && waitpid(child, &status, 0) == child;
    *report = *shared;
    (void)munmap(shared, sizeof *shared);
    bool is_well = is_over && WIFEXITED(status) && WEXITSTATUS(status) == 0 && report->has_ended;
    if (!is_well) say_end(report, status);
    return is_well;
}

uint32_t attempt_shorten(const struct sim_options *options, struct report *report) {
    struct sim_options shorter = *options;
    uint32_t steps_max = report->step == 0 ? 1 : report->step;
    for (shorter.steps_max = 1; shorter.steps_max < steps_max; shorter.steps_max++) {
        if (!attempt(&shorter, report)) break;
    }
    /* A run that is cut ends otherwise than one that goes on: only the whole one may show it. */
    if (shorter.steps_max == steps_max && attempt(&shorter, report)) {
        (void)attempt(options, report);
        return report->step;
    }
    return shorter.steps_max;
}
