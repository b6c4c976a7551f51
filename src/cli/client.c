/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl is opened at run time: a takt that serves queues never pays for it (its own start and
 * memory count), and a machine without it can still run lines.
 */
#include "cli/client.h"

#include "base/json.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>

#define CLIENT_ARENA_BYTES_MAX (256u * 1024 * 1024)
#define CLIENT_CONNECT_MS 3000L
#define CLIENT_ANSWER_MS 330000L /* a receive may wait 20 s, an order's result 300 s */

struct library {
    void *handle;
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    CURLcode (*easy_perform)(CURL *);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    void (*easy_cleanup)(CURL *);
    const char *(*easy_strerror)(CURLcode);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
};

struct client {
    struct allocator allocator;
    struct library library;
    CURL *curl;
    const char *server;
    struct buffer body;
    struct arena arena;
};

/* dlsym gives an object pointer; ISO C has no cast from it to a function pointer, POSIX promises
 * that the bytes are the same. */
static bool find_symbol(void *handle, const char *name, void *function, size_t bytes_count) {
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, bytes_count);
    return symbol != NULL;
}

static bool load_library(struct library *library) {
    library->handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library->handle == NULL) library->handle = dlopen("libcurl-gnutls.so.4", RTLD_NOW);
    if (library->handle == NULL) return false;
#define FIND(name) find_symbol(library->handle, "curl_" #name, &library->name, sizeof library->name)
    return FIND(easy_init) && FIND(easy_setopt) && FIND(easy_perform) && FIND(easy_getinfo) &&
           FIND(easy_cleanup) && FIND(easy_strerror) && FIND(slist_append) && FIND(slist_free_all);
#undef FIND
}

static size_t take_bytes(char *bytes, size_t size, size_t count, void *context) {
    struct client *client = context;
    buffer_append(&client->body, slice_from(bytes, size * count));
    return client->body.failed ? 0 : size * count;
}

struct client *client_open(const char *server) {
    struct allocator allocator = allocator_system();
    struct client *client = allocator_take(&allocator, sizeof *client);
    if (client == NULL) return NULL;
    client->allocator = allocator;
    client->server = server;
    buffer_open(&client->body, &client->allocator, CLIENT_BODY_BYTES_MAX);
    arena_open(&client->arena, &client->allocator, CLIENT_ARENA_BYTES_MAX);
    if (load_library(&client->library)) client->curl = client->library.easy_init();
    if (client->curl == NULL) {
        fprintf(stderr, "takt: cannot load libcurl.so.4, which commands need to reach takt\n");
        client_close(client);
        return NULL;
    }
    return client;
}

void client_close(struct client *client) {
    if (client == NULL) return;
    if (client->curl != NULL) client->library.easy_cleanup(client->curl);
    /* The library stays loaded: it may have started threads and handlers of its own. */
    buffer_close(&client->body);
    arena_close(&client->arena);
    struct allocator allocator = client->allocator;
    allocator_give_back(&allocator, client);
}

static struct curl_slist *make_headers(struct client *client,
                                       const struct client_request *request) {
    struct curl_slist *headers = NULL;
    const struct library *library = &client->library;
    headers = library->slist_append(headers, "Expect:");
    headers = library->slist_append(headers, request->target == NULL
                                                 ? "Content-Type: application/json"
                                                 : "Content-Type: application/x-amz-json-1.0");
    if (request->target != NULL) {
        char line[128];
        (void)snprintf(line, sizeof line, "X-Amz-Target: AmazonSQS.%s", request->target);
        headers = library->slist_append(headers, line);
    }
    return headers;
}

long client_call(struct client *client, const struct client_request *request) {
    const struct library *library = &client->library;
    const char *url = arena_printf(&client->arena, "%s%s", client->server, request->path);
    struct curl_slist *headers = make_headers(client, request);
    if (url == NULL || headers == NULL) {
        library->slist_free_all(headers);
        fprintf(stderr, "takt: out of memory\n");
        return 0;
    }
    buffer_clear(&client->body);
    (void)library->easy_setopt(client->curl, CURLOPT_URL, url);
    (void)library->easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    (void)library->easy_setopt(client->curl, CURLOPT_PROXY, "");
    (void)library->easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, request->method);
    (void)library->easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    (void)library->easy_setopt(client->curl, CURLOPT_POST, request->body.count > 0 ? 1L : 0L);
    if (request->body.count > 0) {
        (void)library->easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                                   (curl_off_t)request->body.count);
        (void)library->easy_setopt(client->curl, CURLOPT_POSTFIELDS, request->body.bytes);
    } else {
        (void)library->easy_setopt(client->curl, CURLOPT_HTTPGET, 1L);
    }
    (void)library->easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT_MS, CLIENT_CONNECT_MS);
    (void)library->easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, CLIENT_ANSWER_MS);
    (void)library->easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take_bytes);
    (void)library->easy_setopt(client->curl, CURLOPT_WRITEDATA, client);
    CURLcode rc = library->easy_perform(client->curl);
    library->slist_free_all(headers);
    if (rc != CURLE_OK) {
        fprintf(stderr, "takt: no takt answers at %s: %s\n", client->server,
                library->easy_strerror(rc));
        return 0;
    }
    long status = 0;
    (void)library->easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

struct slice client_body(const struct client *client) {
    return buffer_slice(&client->body);
}

struct arena *client_arena(struct client *client) {
    return &client->arena;
}

/* Says the refusal's own words, whichever of the two error shapes it has. */
static int say_refusal(struct client *client, long status) {
    if (status == 0) return CLI_UNREACHABLE;
    struct slice body = client_body(client);
    const char *words = "";
    if (json_validate(body, NULL) && json_type(body) == JSON_OBJECT) {
        words = client_text(client, body, "message");
        if (*words == '\0') words = client_text(client, body, "detail");
        if (*words == '\0') words = client_text(client, body, "title");
    }
    if (*words == '\0') {
        fprintf(stderr, "takt: refused with status %ld: %.*s\n", status, SLICE_ARGS(body));
    } else {
        fprintf(stderr, "takt: %s\n", words);
    }
    return status == 400 || status == 422 ? CLI_BAD_INPUT : CLI_FAILED;
}

static int check_answer(struct client *client, long status) {
    if (status < 200 || status > 299) return say_refusal(client, status);
    struct slice body = client_body(client);
    if (body.count == 0 || json_validate(body, NULL)) return CLI_OK;
    fprintf(stderr, "takt: what answers at %s is not takt\n", client->server);
    return CLI_FAILED;
}

int client_action(struct client *client, const char *action, struct slice body) {
    long status = client_call(
        client,
        &(struct client_request){.method = "POST", .path = "/", .target = action, .body = body});
    int code = check_answer(client, status);
    return code == CLI_BAD_INPUT ? CLI_FAILED : code;
}

int client_api(struct client *client, const char *method, const char *path, struct slice body) {
    return check_answer(client,
                        client_call(client, &(struct client_request){
                                                .method = method, .path = path, .body = body}));
}

int client_bytes(struct client *client, const char *path) {
    struct client_request request = {.method = "GET", .path = path};
    long status = client_call(client, &request);
    return status < 200 || status > 299 ? say_refusal(client, status) : CLI_OK;
}

static uint64_t add_rows(struct buffer *rows, struct slice page, uint64_t rows_left) {
    uint64_t count = 0;
    for (struct json_iterator i = json_iterate(page); count < rows_left && json_next(&i); count++) {
        if (rows->count > 1) buffer_append_byte(rows, ',');
        buffer_append(rows, i.value);
    }
    return count;
}

int client_pages(struct client *client, const char *path, const char *member, const char *cursor,
                 uint64_t rows_max, struct slice *out) {
    struct buffer rows;
    buffer_open(&rows, &client->allocator, CLIENT_BODY_BYTES_MAX);
    buffer_append_byte(&rows, '[');
    const char *next = "";
    int code = CLI_OK;
    do {
        const char *page =
            arena_printf(&client->arena, "%s%s%s%s", path, *next == '\0' ? "" : cursor,
                         *next == '\0' ? "" : "=", client_escape(client, next));
        code = page == NULL ? CLI_FAILED : client_api(client, "GET", page, SLICE_EMPTY);
        if (code != CLI_OK) break;
        struct slice answer = client_body(client);
        rows_max -= add_rows(&rows, json_member(answer, slice_from_string(member)), rows_max);
        next = client_text(client, answer, "next");
    } while (*next != '\0' && rows_max > 0);
    buffer_append_byte(&rows, ']');
    const char *copy = rows.failed ? NULL : arena_copy(&client->arena, buffer_slice(&rows));
    buffer_close(&rows);
    if (code == CLI_OK && copy == NULL) {
        fprintf(stderr, "takt: the list is too long for this machine's memory\n");
        return CLI_FAILED;
    }
    *out = slice_from_string(copy);
    return code;
}

const char *client_escape(struct client *client, const char *text) {
    static const char hex[] = "0123456789ABCDEF";
    size_t count = strlen(text);
    char *out = arena_take(&client->arena, 3 * count + 1);
    if (out == NULL) return "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)text[i];
        bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= 'a' && byte <= 'z') || strchr("-._~", byte) != NULL;
        if (is_plain) {
            out[used++] = (char)byte;
        } else {
            out[used++] = '%';
            out[used++] = hex[byte >> 4];
            out[used++] = hex[byte & 15];
        }
    }
    out[used] = '\0';
    return out;
}

/* "counts.sent": a member of a member. */
static struct slice find_member(struct slice object, const char *path) {
    struct slice rest = slice_from_string(path);
    struct slice name;
    while (slice_cut(rest, '.', &name, &rest)) {
        object = json_member(object, name);
        if (json_type(object) != JSON_OBJECT) return SLICE_EMPTY;
    }
    return json_member(object, name);
}

const char *client_text(struct client *client, struct slice object, const char *member) {
    struct slice value = find_member(object, member);
    enum json_type type = json_type(value);
    if (type == JSON_NONE || type == JSON_NULL) return "";
    struct slice text = value;
    if (type == JSON_STRING && !json_string(&client->arena, value, &text)) return "";
    const char *copy = arena_copy(&client->arena, text);
    return copy == NULL ? "" : copy;
}

int64_t client_number(struct slice object, const char *member) {
    int64_t number = 0;
    struct slice value = find_member(object, member);
    return json_to_i64(value, INT64_MIN, INT64_MAX, &number) ? number : 0;
}
