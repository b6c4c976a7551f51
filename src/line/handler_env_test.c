/* SPDX-License-Identifier: Apache-2.0 */
#include "line/handler_env.h"

#include "failing_allocator.h"
#include "test.h"

/* takt's own environment in these tests. */
static const char *own_variable(void *context, const char *name) {
    (void)context;
    if (strcmp(name, "PATH") == 0) return "/bin";
    if (strcmp(name, "HOME") == 0) return "/home/baker";
    if (strcmp(name, "OVEN") == 0) return "hot";
    if (strcmp(name, "SECRET") == 0) return "do not pass on";
    return NULL;
}

static const struct worker_processes processes = {.variable = own_variable};

static const struct definition_env of_file[] = {
    {"OVEN", NULL}, {"NOT_SET", NULL},     {"HOME", "/elsewhere"},
    {"EMPTY", ""},  {"TAKT_LINE", "mine"}, {"AWS_REGION", "eu-central-1"},
};
static const struct definition_station station = {
    .name = "kitchen", .env = of_file, .env_count = ARRAY_COUNT(of_file)};

static void expect_env(const char *const *made, const char *const *expected, size_t count) {
    EXPECT(made != NULL);
    for (size_t i = 0; i < count; i++) EXPECT_STRING(made[i], expected[i]);
    EXPECT(made[count] == NULL);
}

/* A process for one message gets all of it; the file beats what is inherited, takt beats the file.
 */
TEST(handler_env_of_one_message) {
    static const char *const expected[] = {
        "PATH=/bin",
        "HOME=/elsewhere",
        "AWS_ENDPOINT_URL_SQS=http://127.0.0.1:9324",
        "AWS_REGION=eu-central-1",
        "AWS_ACCESS_KEY_ID=takt",
        "AWS_SECRET_ACCESS_KEY=takt",
        "OVEN=hot",
        "EMPTY=",
        "TAKT_LINE=bakery",
        "TAKT_STATION=kitchen",
        "TAKT_TASK=j/kitchen/3",
        "TAKT_JOB=j",
        "TAKT_INPUT_FILE=/tmp/kit",
        "TAKT_ATTEMPT=2",
    };
    struct allocator allocator = allocator_system();
    struct arena arena;
    arena_open(&arena, &allocator, 65536);
    struct handler_env env = {
        .processes = &processes,
        .line = "bakery",
        .station = &station,
        .sqs_url = "http://127.0.0.1:9324",
        .task = "j/kitchen/3",
        .job = "j",
        .input_file = "/tmp/kit",
        .attempt = 2,
    };
    expect_env(handler_env_make(&arena, &env), expected, ARRAY_COUNT(expected));
    arena_close(&arena);
}

/* A process for many messages knows its station only; without an endpoint there are no keys. */
TEST(handler_env_of_a_worker) {
    static const struct definition_station plain = {.name = "kitchen"};
    static const char *const expected[] = {"PATH=/bin", "HOME=/home/baker", "TAKT_LINE=bakery",
                                           "TAKT_STATION=kitchen"};
    struct allocator allocator = allocator_system();
    struct arena arena;
    arena_open(&arena, &allocator, 65536);
    struct handler_env env = {.processes = &processes, .line = "bakery", .station = &plain};
    expect_env(handler_env_make(&arena, &env), expected, ARRAY_COUNT(expected));
    arena_close(&arena);
}

/* Without memory there is no environment at all, never a part of one. */
TEST(handler_env_without_memory) {
    struct handler_env env = {.processes = &processes, .line = "bakery", .station = &station};
    for (size_t bytes = 0; bytes < 512; bytes += 16) {
        struct allocator allocator = allocator_system();
        struct arena arena;
        arena_open(&arena, &allocator, bytes);
        const char *const *made = handler_env_make(&arena, &env);
        for (size_t i = 0; made != NULL && i < 6; i++) EXPECT(made[i] != NULL);
        arena_close(&arena);
    }
    struct failing_allocator failing = failing_allocator(0);
    struct allocator none = failing_allocator_get(&failing);
    struct arena arena;
    arena_open(&arena, &none, 65536);
    EXPECT(handler_env_make(&arena, &env) == NULL);
    arena_close(&arena);
}
