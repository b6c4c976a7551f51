/* SPDX-License-Identifier: Apache-2.0 */
/* Every file of test/line/bad gives the errors that stand beside it, whole; every file of
 * test/line/good is explained as beside it. The rest looks at the fields that these cannot show.
 */
#include "line/definition.h"

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (128u * 1024)
#define BAD_FILES_MIN 40

/* ---- A machine for line files: folder, environment, programs, and an allocator that fails ---- */

struct machine {
    struct allocator system;
    struct allocator allocator;
    int64_t allocations_left; /* negative: no end */
};

static void *resize(void *context, void *memory, size_t bytes_count) {
    struct machine *machine = context;
    if (bytes_count > 0 && machine->allocations_left == 0) return NULL;
    if (bytes_count > 0 && machine->allocations_left > 0) machine->allocations_left--;
    return machine->system.resize(machine->system.context, memory, bytes_count);
}

static const char *variable(void *context, const char *name) {
    (void)context;
    if (strcmp(name, "PATH") == 0) return "relative:/bin:/usr/bin";
    if (strcmp(name, "SHOP") == 0) return "north";
    return strcmp(name, "NOTHING") == 0 ? "" : NULL;
}

static enum definition_program program(void *context, const char *path) {
    (void)context;
    if (path[0] != '/' || strstr(path, "missing") != NULL) return DEFINITION_PROGRAM_MISSING;
    return strstr(path, "notexec") != NULL ? DEFINITION_PROGRAM_NOT_EXECUTABLE
                                           : DEFINITION_PROGRAM_FOUND;
}

static bool folder(void *context, const char *path) {
    (void)context;
    return path[0] == '/' && strstr(path, "missing") == NULL;
}

static int read_text(struct machine *machine, const char *path, struct slice bytes,
                     struct definition_files *files) {
    machine->system = allocator_system();
    machine->allocator = (struct allocator){.resize = resize, .context = machine};
    struct definition_options options = {.allocator = &machine->allocator,
                                         .variable = variable,
                                         .program = program,
                                         .folder = folder};
    struct definition_source source = {.path = path, .folder = "/line", .bytes = bytes};
    return definition_read(&source, 1, &options, files);
}

static int read_string(struct machine *machine, const char *text, struct definition_files *files) {
    machine->allocations_left = -1;
    return read_text(machine, "t.yaml", slice_from_string(text), files);
}

static size_t read_disk(const char *folder, const char *name, const char *ending,
                        char bytes[FILE_BYTES_MAX]) {
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%.*s%s", folder, (int)(strlen(name) - strlen(".yaml")),
                   name, ending);
    FILE *file = fopen(path, "r");
    EXPECT(file != NULL);
    size_t count = fread(bytes, 1, FILE_BYTES_MAX - 1, file);
    (void)fclose(file);
    bytes[count] = '\0';
    return count;
}

static char yaml[FILE_BYTES_MAX];
static char expected[FILE_BYTES_MAX];

static void check_file(const char *folder, const char *name, bool is_good) {
    struct machine machine = {.allocations_left = -1};
    struct definition_files files;
    size_t count = read_disk(folder, name, ".yaml", yaml);
    (void)read_disk(folder, name, is_good ? ".explain" : ".expected", expected);
    int rc = read_text(&machine, name, slice_from(yaml, count), &files);
    struct allocator system = allocator_system();
    struct buffer out;
    buffer_open(&out, &system, 1024 * 1024);
    if (rc == -EINVAL) definition_print_errors(&files, &out);
    for (uint32_t i = 0; rc == 0 && i < files.definitions_count; i++) {
        definition_explain(&files.definitions[i], &out);
    }
    buffer_append_byte(&out, '\0');
    EXPECT_STRING(out.bytes, expected);
    EXPECT_INT(rc, is_good ? 0 : -EINVAL);
    buffer_close(&out);
    definition_close(&files);
}

static int check_folder(const char *folder, bool is_good) {
    int count = 0;
    DIR *directory = opendir(folder);
    EXPECT(directory != NULL);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (!slice_ends_with(slice_from_string(entry->d_name), SLICE(".yaml"))) continue;
        check_file(folder, entry->d_name, is_good);
        count++;
    }
    (void)closedir(directory);
    return count;
}

/* It makes its output, and needs nothing else. */
TEST(definition_read_takes_a_station_with_only_a_with) {
    struct machine machine;
    struct definition_files files;
    EXPECT_INT(read_string(&machine, "line: l\nstations:\n  z: { with: '{made: .n}' }\n", &files),
               0);
    EXPECT(files.definitions[0].stations[0].with != NULL);
    definition_close(&files);
}

/* Each bad file is refused with exactly the errors that stand beside it, all at once. */
TEST(definition_read_refuses_bad_files_in_words) {
    EXPECT(check_folder("test/line/bad", false) >= BAD_FILES_MIN);
}

/* Each good file is understood as it stands beside it. */
TEST(definition_read_understands_good_files) {
    EXPECT(check_folder("test/line/good", true) >= 4);
}

/* ---- What follows from the arrows ---- */

static definition_set_of_stations set_of(const struct definition *definition, const char *names) {
    definition_set_of_stations set = 0;
    struct slice rest = slice_from_string(names);
    while (rest.count > 0) {
        struct slice name;
        (void)slice_cut(rest, ' ', &name, &rest);
        int32_t station = definition_find_station(definition, name);
        EXPECT(station >= 0);
        set |= DEFINITION_BIT(station);
    }
    return set;
}

static const struct definition_station *station_of(const struct definition *definition,
                                                   const char *name) {
    int32_t station = definition_find_station(definition, slice_from_string(name));
    EXPECT(station >= 0);
    return &definition->stations[station];
}

/* In nested splits a message lives for the joins that it can still reach as a part, and for no
 * other: what leaves the inner split early does not count in it. */
TEST(definition_read_finds_the_joins_of_nested_splits) {
    struct machine machine;
    struct definition_files files;
    EXPECT_INT(read_string(&machine,
                           "line: t\n"
                           "gateway: { POST /a: outer }\n"
                           "stations:\n"
                           "  outer: { exec: ./x, next: [{to: inner, each: .a}, side] }\n"
                           "  inner: { exec: ./x, next: [{to: leaf, each: .b}, early] }\n"
                           "  leaf: { exec: ./x, next: inner-join }\n"
                           "  early: { exec: ./x, next: outer-join }\n"
                           "  inner-join: { join: inner, within: 1h, next: outer-join }\n"
                           "  side: { exec: ./x }\n"
                           "  outer-join: { join: outer, within: 1h, exec: ./x, next: after }\n"
                           "  after: { exec: ./x }\n",
                           &files),
               0);
    const struct definition *t = &files.definitions[0];
    EXPECT_INT(station_of(t, "leaf")->joins_reachable, set_of(t, "inner-join outer-join"));
    EXPECT_INT(station_of(t, "early")->joins_reachable, set_of(t, "outer-join"));
    EXPECT_INT(station_of(t, "inner-join")->joins_reachable, set_of(t, "outer-join"));
    EXPECT_INT(station_of(t, "inner")->joins_reachable, set_of(t, "outer-join"));
    EXPECT_INT(station_of(t, "outer")->joins_reachable, 0);
    EXPECT_INT(station_of(t, "side")->joins_reachable, 0);
    EXPECT_INT(station_of(t, "after")->joins_reachable, 0);
    EXPECT_INT(station_of(t, "inner")->split_join, station_of(t, "inner-join") - t->stations);
    EXPECT_INT(station_of(t, "outer-join")->join_opener, 0);
    EXPECT_INT(station_of(t, "outer-join")->parts_count, 2);
    EXPECT_INT(t->result, DEFINITION_NONE); /* `side` and `after` both end */
    definition_close(&files);
}

/* A part is an array when an `each` lies on its way or two ways lead to it; ways that exclude each
 * other bring one message. */
TEST(definition_read_finds_the_form_of_kits) {
    struct machine machine;
    struct definition_files files;
    EXPECT_INT(
        read_string(
            &machine,
            "line: t\n"
            "stations:\n"
            "  split: { exec: ./x, next: [a, b, {to: far, each: .c}, split-one] }\n"
            "  a: { exec: ./x, next: both }\n"
            "  b: { exec: ./x, next: both }\n"
            "  both: { exec: ./x, next: join }\n"
            "  far: { exec: ./x, next: far-end }\n"
            "  far-end: { exec: ./x, next: { first: [{to: far, when: .again}, {else: join}] } }\n"
            "  split-one: { exec: ./x, next: { first: [{to: c, when: .c}, {else: d}] } }\n"
            "  c: { exec: ./x, next: one }\n"
            "  d: { exec: ./x, next: one }\n"
            "  one: { exec: ./x, next: join }\n"
            "  join: { join: split, within: 1h }\n",
            &files),
        0);
    const struct definition *t = &files.definitions[0];
    const struct definition_station *join = station_of(t, "join");
    EXPECT_INT(join->parts_count, 3);
    EXPECT(join->parts[0].station == definition_find_station(t, SLICE("both")));
    EXPECT(join->parts[0].is_array);
    EXPECT(join->parts[1].station == definition_find_station(t, SLICE("far-end")));
    EXPECT(join->parts[1].is_array);
    EXPECT(join->parts[2].station == definition_find_station(t, SLICE("one")));
    EXPECT(!join->parts[2].is_array);
    definition_close(&files);
}

/* A limit stops what comes before it, through stations without one, but nothing in its own cycle;
 * a limit further on is hidden by the nearer one. */
TEST(definition_read_finds_the_gates) {
    struct machine machine;
    struct definition_files files;
    EXPECT_INT(read_string(&machine,
                           "line: t\n"
                           "stations:\n"
                           "  a: { exec: ./x, next: b }\n"
                           "  b: { exec: ./x, next: loop }\n"
                           "  loop: { exec: ./x, wip_limit: 2, next: "
                           "{ first: [{to: back, when: .x}, {else: c}] } }\n"
                           "  back: { exec: ./x, next: loop }\n"
                           "  c: { exec: ./x, wip_limit: 3, next: d }\n"
                           "  d: { exec: ./x, wip_limit: 4 }\n",
                           &files),
               0);
    const struct definition *t = &files.definitions[0];
    EXPECT_INT(station_of(t, "a")->gates, set_of(t, "loop"));
    EXPECT_INT(station_of(t, "b")->gates, set_of(t, "loop"));
    EXPECT_INT(station_of(t, "loop")->gates, set_of(t, "c"));
    EXPECT_INT(station_of(t, "back")->gates, set_of(t, "c"));
    EXPECT_INT(station_of(t, "c")->gates, set_of(t, "d"));
    EXPECT_INT(station_of(t, "d")->gates, 0);
    EXPECT_INT(station_of(t, "back")->reachable, set_of(t, "loop back c d"));
    definition_close(&files);
}

/* ---- The rest of the fields ---- */

/* Units become milliseconds and bytes, paths absolute, and what is not given has its default. */
TEST(definition_read_fills_every_field) {
    struct machine machine;
    struct definition_files files;
    EXPECT_INT(
        read_string(&machine,
                    "line: t\n"
                    "stations:\n"
                    "  a: { exec: ./bin/a 'x y', cwd: ./sub, env: {A: b, HOME: }, next: b }\n"
                    "  b: { stream: [tool], workers: 1..4, concurrency: 3, max_wait: 200ms,"
                    " idle_timeout: 1m, retry: {attempts: 2, backoff: 5s}, timeout: 2h }\n"
                    "hops: 7\n"
                    "keep: { jobs: 1h }\n",
                    &files),
        0);
    const struct definition *t = &files.definitions[0];
    const struct definition_station *a = station_of(t, "a");
    EXPECT_INT(a->handler, DEFINITION_HANDLER_EXEC);
    EXPECT_STRING(a->argv[0], "/line/bin/a");
    EXPECT_STRING(a->argv[1], "x y");
    EXPECT(a->argv[2] == NULL && a->argv_count == 2);
    EXPECT_STRING(a->cwd, "/line/sub");
    EXPECT_INT(a->env_count, 2);
    EXPECT_STRING(a->env[0].value, "b");
    EXPECT(a->env[1].value == NULL);
    EXPECT(a->workers_min == 0 && a->workers_max == DEFINITION_WORKERS_BUDGET);
    EXPECT(a->retry_attempts == 5 && a->backoff_min_ms == 1000 && a->backoff_max_ms == 60000);
    EXPECT(a->timeout_ms == 60000 && a->concurrency == 1 && a->max_wait_ms == 0);
    EXPECT_STRING(a->queue.name, "t_a");
    EXPECT_STRING(a->queue.dead_name, "t_a_dead");
    const struct definition_station *b = station_of(t, "b");
    EXPECT_STRING(b->argv[0], "tool");
    EXPECT_STRING(b->cwd, "/line");
    EXPECT(b->workers_min == 1 && b->workers_max == 4 && b->concurrency == 3);
    EXPECT(b->max_wait_ms == 200 && b->idle_timeout_ms == 60000 && b->timeout_ms == 7200000);
    EXPECT(b->retry_attempts == 2 && b->backoff_min_ms == 5000 && b->backoff_max_ms == 5000);
    EXPECT(t->hops_max == 7 && t->keep_jobs_ms == 3600000 && t->result == 1);
    definition_close(&files);
}

/* Each document keeps its own bytes, and reading them alone gives the same line. */
TEST(definition_read_keeps_the_source) {
    const char *text = "# one\nline: one\nstations: { a: { exec: ./a } }\n"
                       "---\nline: two\nstations: { b: { exec: ./b } }";
    struct machine machine;
    struct definition_files files;
    EXPECT_INT(read_string(&machine, text, &files), 0);
    EXPECT_INT(files.definitions_count, 2);
    struct slice first = files.definitions[0].source;
    struct slice second = files.definitions[1].source;
    EXPECT_INT(first.count + second.count, strlen(text));
    EXPECT(slice_starts_with(second, SLICE("---\nline: two")));
    struct machine other;
    struct definition_files again;
    other.allocations_left = -1;
    EXPECT_INT(read_text(&other, "again", second, &again), 0);
    EXPECT_INT(again.definitions_count, 1);
    EXPECT_STRING(again.definitions[0].name, "two");
    EXPECT_STRING(again.definitions[0].stations[0].argv[0], "/line/b");
    definition_close(&again);
    definition_close(&files);
}

/* Aliases of aliases do not grow: nine levels of nine would be 387 million values. */
TEST(definition_read_does_not_expand_aliases) {
    char text[4096] = "x-0: &a0 [x, x, x, x, x, x, x, x, x]\n";
    size_t used = strlen(text);
    for (int i = 1; i < 9; i++) {
        int count = snprintf(text + used, sizeof text - used,
                             "x-%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n",
                             i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        used += (size_t)count;
    }
    (void)snprintf(text + used, sizeof text - used, "line: t\nstations: { a: { exec: ./a } }\n");
    struct machine machine;
    struct definition_files files;
    EXPECT_INT(read_string(&machine, text, &files), 0);
    EXPECT(files.arena.used_bytes < 1024 * 1024);
    definition_close(&files);
}

/* Whichever allocation fails, the answer is -ENOMEM, and nothing leaks. */
TEST(definition_read_survives_every_failed_allocation) {
    size_t count = read_disk("test/line/good", "choices.yaml", ".yaml", yaml);
    int rc = -ENOMEM;
    for (int64_t i = 0; rc == -ENOMEM && i < 1000; i++) {
        struct machine machine = {.allocations_left = i};
        struct definition_files files;
        rc = read_text(&machine, "t.yaml", slice_from(yaml, count), &files);
        EXPECT(rc == -ENOMEM || rc == 0);
        definition_close(&files);
    }
    EXPECT_INT(rc, 0);
}

/* Any prefix of a good file is read or refused, never worse. */
TEST(definition_read_survives_every_prefix) {
    size_t count = read_disk("test/line/good", "choices.yaml", ".yaml", yaml);
    for (size_t i = 0; i < count; i += 3) {
        struct machine machine = {.allocations_left = -1};
        struct definition_files files;
        int rc = read_text(&machine, "t.yaml", slice_from(yaml, i), &files);
        EXPECT(rc == 0 || (rc == -EINVAL && files.errors.count > 0));
        definition_close(&files);
    }
}
