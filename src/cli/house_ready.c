/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/house_parts.h"

#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void write_url(struct buffer *text, const char *name, const struct http_server *server) {
    if (server == NULL) return;
    char url[96];
    (void)snprintf(url, sizeof url, "http://%s", http_server_address(server));
    json_write_string(text, slice_from_string(name));
    buffer_append_string(text, ": ");
    json_write_string(text, slice_from_string(url));
    buffer_append_string(text, ", ");
}

int house_write_ready_file(struct house *house) {
    if (house->options->ready_file == NULL) return 0;
    struct slice folder = slice_from_string(house->options->ready_file);
    while (folder.count > 0 && folder.bytes[folder.count - 1] != '/') folder.count--;
    const char *name = house->options->ready_file + folder.count;
    char path[HOUSE_PATH_BYTES_MAX];
    char unready[HOUSE_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%.*s", SLICE_ARGS(folder.count > 0 ? folder : SLICE("./")));
    (void)snprintf(unready, sizeof unready, "%s.%ld", name, (long)getpid());

    struct env *env = house->env;
    struct buffer text;
    buffer_open(&text, &env->allocator, 4096);
    buffer_append_string(&text, "{");
    write_url(&text, "sqs", house->sqs_server);
    write_url(&text, "gateway", house->gateway_server);
    write_url(&text, "admin", house->admin_server);
    buffer_printf(&text, "\"pid\": %ld}\n", (long)getpid());

    struct env_file *directory = NULL;
    struct env_file *file = NULL;
    int rc = text.failed ? -ENOMEM : env->ops->open_directory(env, path, false, &directory);
    if (rc == 0) rc = env->ops->open(env, directory, unready, true, &file);
    if (rc == 0) rc = env->ops->truncate(env, file, 0);
    if (rc == 0) rc = env->ops->write(env, file, 0, text.bytes, text.count);
    if (rc == 0) rc = env->ops->rename(env, directory, unready, name);
    env->ops->close(env, file);
    env->ops->close(env, directory);
    buffer_close(&text);
    return rc;
}

bool house_is_loopback(const char *option, const char *address) {
    struct slice text = slice_from_string(address);
    if (slice_starts_with(text, SLICE("127.")) || slice_starts_with(text, SLICE("[::1]:")) ||
        slice_starts_with(text, SLICE("localhost:"))) {
        return true;
    }
    fprintf(stderr,
            "takt: --%s %s could be reached from other machines, and this version has no access "
            "keys yet; it listens on 127.0.0.1 or [::1] only\n",
            option, address);
    return false;
}
