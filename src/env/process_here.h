/* SPDX-License-Identifier: Apache-2.0 */
/* process_here.h -- lets a test program start processes: it then answers to `worker-exec` itself.
 *
 * process_start runs /proc/self/exe, which is takt, or a test. Include this once in such a test: a
 * constructor runs before main and leaves the command line of tests alone.
 */
#ifndef TAKT_ENV_PROCESS_HERE_H
#define TAKT_ENV_PROCESS_HERE_H

#include "env/process.h"

#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void process_here(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "worker-exec") == 0) _exit(process_exec_main(argc, argv));
}

#endif
