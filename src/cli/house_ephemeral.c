/* SPDX-License-Identifier: Apache-2.0 */
/* What --ephemeral leaves behind: nothing. The data folder is two levels deep: mark, journal/ and
 * scratch/ with their files.
 */
#include "cli/house_parts.h"

#include <stdio.h>
#include <unistd.h>

struct sweep {
    struct env *env;
    struct env_file *directory;
};

static bool remove_file(void *context, const char *name) {
    struct sweep *sweep = context;
    /* A folder is no file: it stays, and then so does the one around it, which is said. */
    (void)sweep->env->ops->unlink(sweep->env, sweep->directory, name);
    return true;
}

/* False: something is left. */
static bool remove_folder(struct env *env, const char *path) {
    struct sweep sweep = {.env = env};
    if (env->ops->open_directory(env, path, false, &sweep.directory) < 0) return false;
    (void)env->ops->list(env, sweep.directory, remove_file, &sweep);
    env->ops->close(env, sweep.directory);
    return rmdir(path) == 0;
}

void house_remove_ephemeral(struct house *house) {
    if (!house->options->ephemeral || house->data[0] == '\0') return;
    char path[HOUSE_PATH_BYTES_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/journal", house->data);
    (void)remove_folder(house->env, path);
    (void)remove_folder(house->env, house->scratch); /* not there under `serve` */
    if (remove_folder(house->env, house->data)) return;
    log_printf(&house->log, LOG_WARNING, "the temporary folder %s could not be removed",
               house->data);
}
