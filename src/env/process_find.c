/* SPDX-License-Identifier: Apache-2.0 */
/* process_find.c -- looks a program up as the shell does. */
#include "env/process_find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_executable(int cwd_fd, const char *path) {
    struct stat about;
    if (fstatat(cwd_fd, path, &about, 0) < 0) return -errno;
    if (!S_ISREG(about.st_mode)) return -EACCES;
    return faccessat(cwd_fd, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

const char *process_find_variable(const char *const *env, const char *name) {
    size_t count = strlen(name);
    for (; *env != NULL; env++) {
        if (strncmp(*env, name, count) == 0 && (*env)[count] == '=') return *env + count + 1;
    }
    return NULL;
}

int process_find_program(int cwd_fd, const char *name, const char *const *env,
                         char path[PATH_MAX]) {
    if (name[0] == '\0') return -ENOENT;
    if (strlen(name) >= PATH_MAX) return -ENAMETOOLONG;
    if (strchr(name, '/') != NULL) {
        memcpy(path, name, strlen(name) + 1);
        return check_executable(cwd_fd, path);
    }

    const char *folders = process_find_variable(env, "PATH");
    if (folders == NULL) folders = "/usr/bin:/bin";
    int failure = -ENOENT;
    for (;;) {
        size_t count = strcspn(folders, ":");
        bool is_here = count == 0; /* an empty entry is the current directory */
        int length = snprintf(path, PATH_MAX, "%.*s/%s", is_here ? 1 : (int)count,
                              is_here ? "." : folders, name);
        if (count < PATH_MAX && length < PATH_MAX) {
            int rc = check_executable(cwd_fd, path);
            if (rc == 0) return 0;
            if (rc == -EACCES) failure = rc; /* a later folder may still have it */
        }
        if (folders[count] == '\0') return failure;
        folders += count + 1;
    }
}
