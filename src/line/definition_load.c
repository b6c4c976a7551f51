/* SPDX-License-Identifier: Apache-2.0 */
/* Line files on disk. A file that cannot be read is put where its text would be: in the errors. */
#include "line/definition_tree.h"

#include "env/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct loader {
    struct env *env;
    struct arena arena; /* what definition_read copies from */
    struct definition_source sources[DEFINITION_FILES_MAX];
    int failures[DEFINITION_FILES_MAX];
};

static const char *read_variable(void *context, const char *name) {
    (void)context;
    return getenv(name);
}

static enum definition_program find_program(void *context, const char *path) {
    (void)context;
    int rc = path_check_program(path);
    if (rc == 0) return DEFINITION_PROGRAM_FOUND;
    return rc == -EACCES ? DEFINITION_PROGRAM_NOT_EXECUTABLE : DEFINITION_PROGRAM_MISSING;
}

static bool find_folder(void *context, const char *path) {
    (void)context;
    return path_is_folder(path);
}

static int read_bytes(struct loader *loader, struct env_file *file, struct slice *out) {
    const struct env_ops *ops = loader->env->ops;
    uint64_t size = 0;
    int rc = ops->size(loader->env, file, &size);
    if (rc < 0) return rc;
    /* One byte more than is allowed is enough for definition_read to refuse it. */
    if (size > DEFINITION_FILE_BYTES_MAX + 1) size = DEFINITION_FILE_BYTES_MAX + 1;
    char *bytes = arena_take(&loader->arena, size + 1);
    if (bytes == NULL) return -ENOMEM;
    int64_t count = ops->read(loader->env, file, 0, bytes, size);
    if (count < 0) return (int)count;
    *out = slice_from(bytes, (size_t)count);
    return 0;
}

/* The folder and the bytes of the file at `path`. */
static int load_file(struct loader *loader, const char *path, struct definition_source *source) {
    char absolute[PATH_BYTES_MAX];
    int rc = path_absolute(path, absolute);
    if (rc < 0) return rc;
    char *slash = strrchr(absolute, '/');
    CHECK(slash != NULL);
    const char *name = arena_copy(&loader->arena, slice_from_string(slash + 1));
    slash[slash == absolute ? 1 : 0] = '\0';
    source->folder = arena_copy(&loader->arena, slice_from_string(absolute));
    if (name == NULL || source->folder == NULL) return -ENOMEM;

    struct env_file *directory = NULL;
    struct env_file *file = NULL;
    rc = loader->env->ops->open_directory(loader->env, source->folder, false, &directory);
    if (rc == 0) rc = loader->env->ops->open(loader->env, directory, name, false, &file);
    if (rc == 0) rc = read_bytes(loader, file, &source->bytes);
    loader->env->ops->close(loader->env, file);
    loader->env->ops->close(loader->env, directory);
    return rc;
}

/* A file that could not be read is an empty one to definition_read; say what is really wrong. */
static void name_failures(struct loader *loader, struct definition_files *files) {
    for (uint32_t i = 0; i < files->paths_count; i++) {
        if (loader->failures[i] == 0) continue;
        for (uint32_t j = 0; j < files->errors.count; j++) {
            if (files->errors.list[j].place.file != i) continue;
            const char *text =
                arena_printf(&files->arena, "cannot be read: %s", strerror(-loader->failures[i]));
            files->errors.list[j].text = text == NULL ? "cannot be read" : text;
        }
    }
}

int definition_load(struct env *env, const char *const *paths, uint32_t paths_count,
                    struct definition_files *files) {
    CHECK(paths_count <= DEFINITION_FILES_MAX);
    struct loader loader = {.env = env};
    arena_open(&loader.arena, &env->allocator, DEFINITION_ARENA_BYTES_MAX);
    for (uint32_t i = 0; i < paths_count; i++) {
        loader.sources[i] = (struct definition_source){.path = paths[i], .folder = "/"};
        loader.failures[i] = load_file(&loader, paths[i], &loader.sources[i]);
        if (loader.failures[i] < 0) loader.sources[i].bytes = SLICE_EMPTY;
    }
    struct definition_options options = {.allocator = &env->allocator,
                                         .variable = read_variable,
                                         .program = find_program,
                                         .folder = find_folder};
    int rc = definition_read(loader.sources, paths_count, &options, files);
    if (rc == -EINVAL) name_failures(&loader, files);
    for (uint32_t i = 0; i < paths_count; i++) {
        if (loader.failures[i] == -ENOMEM) rc = -ENOMEM;
    }
    arena_close(&loader.arena);
    return rc;
}
