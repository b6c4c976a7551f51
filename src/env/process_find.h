/* SPDX-License-Identifier: Apache-2.0 */
/* process_find.h -- which file a program's name means, before anything is started. */
#ifndef TAKT_ENV_PROCESS_FIND_H
#define TAKT_ENV_PROCESS_FIND_H

#include "base/check.h"

#include <limits.h>

/* As execvpe would, with PATH taken from `env` (/usr/bin:/bin if it has none): a name with a slash
 * is relative to the directory `cwd_fd`. `path` always has a slash when it is found.
 * -ENOENT; -EACCES when something of that name is there and cannot be executed; -ENAMETOOLONG. */
TAKT_MUST_USE int process_find_program(int cwd_fd, const char *name, const char *const *env,
                                       char path[PATH_MAX]);

/* The value of NAME in a list of NAME=VALUE, or NULL. */
const char *process_find_variable(const char *const *env, const char *name);

#endif
