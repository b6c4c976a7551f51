/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/with/network.h"

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TURNS_MAX 10000u
#define SENT_BYTES_MAX (64u * 1024 * 1024)
#define NS_PER_MS 1000000u

static struct network *network_of(const uv_loop_t *loop) {
    return loop->data;
}

static struct network_client *client_of(const uv_handle_t *handle) {
    struct network *network = network_of(handle->loop);
    for (uint32_t i = 0; i < NETWORK_CLIENTS_MAX; i++) {
        if ((const uv_handle_t *)network->clients[i].tcp == handle) return &network->clients[i];
    }
    return NULL;
}

/* ---- memory ---- */

static void *resize(void *context, void *memory, size_t bytes_count) {
    struct network *network = context;
    if (bytes_count > 0 && network->allocations_left == 0) return NULL;
    if (bytes_count > 0 && network->allocations_left > 0) network->allocations_left--;
    return network->memory.resize(network->memory.context, memory, bytes_count);
}

/* env_loop_real, for whoever is linked with this (-Wl,--wrap). */
void *__wrap_env_loop_real(struct env *env);
void *__wrap_env_loop_real(struct env *env) {
    EXPECT(env->allocator.resize == resize);
    struct network *network = env->allocator.context;
    return &network->loop;
}

/* ---- what the server calls: handles ---- */

int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *tcp) {
    memset(tcp, 0, sizeof *tcp);
    tcp->loop = loop;
    tcp->type = UV_TCP;
    return 0;
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer) {
    memset(timer, 0, sizeof *timer);
    timer->loop = loop;
    timer->type = UV_TIMER;
    return 0;
}

int uv_idle_init(uv_loop_t *loop, uv_idle_t *idle) {
    memset(idle, 0, sizeof *idle);
    idle->loop = loop;
    idle->type = UV_IDLE;
    return 0;
}

int uv_tcp_bind(uv_tcp_t *tcp, const struct sockaddr *address, unsigned flags) {
    (void)tcp;
    (void)flags;
    return address->sa_family == AF_INET ? 0 : UV_EAFNOSUPPORT;
}

int uv_listen(uv_stream_t *stream, int backlog, uv_connection_cb on_connection) {
    (void)backlog;
    struct network *network = network_of(stream->loop);
    network->listener = stream;
    network->on_connection = on_connection;
    return 0;
}

int uv_tcp_getsockname(const uv_tcp_t *tcp, struct sockaddr *name, int *bytes_count) {
    (void)tcp;
    struct sockaddr_in *out = (struct sockaddr_in *)(void *)name;
    *out = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(9324), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *bytes_count = sizeof *out;
    return 0;
}

int uv_accept(uv_stream_t *server, uv_stream_t *stream) {
    struct network *network = network_of(server->loop);
    for (uint32_t i = 0; i < NETWORK_CLIENTS_MAX; i++) {
        struct network_client *client = &network->clients[i];
        if (!client->is_waiting) continue;
        client->is_waiting = false;
        client->tcp = (uv_tcp_t *)stream;
        return 0;
    }
    return UV_EAGAIN;
}

int uv_tcp_nodelay(uv_tcp_t *tcp, int enable) {
    (void)tcp;
    (void)enable;
    return 0;
}

int uv_fileno(const uv_handle_t *handle, uv_os_fd_t *fd) {
    const struct network_client *client = client_of(handle);
    *fd = -1; /* poll looks away from it: no hang-up */
    return client == NULL || client->has_ended || client->error != 0 ? UV_EBADF : 0;
}

int uv_is_closing(const uv_handle_t *handle) {
    return handle->flags != 0; /* closing or closed; nothing else is noted there */
}

void uv_close(uv_handle_t *handle, uv_close_cb done) {
    struct network *network = network_of(handle->loop);
    EXPECT(!uv_is_closing(handle) && network->closing_count < NETWORK_HANDLES_MAX);
    handle->flags = 1;
    network->closing[network->closing_count].handle = handle;
    network->closing[network->closing_count++].done = done;
    struct network_client *client = client_of(handle);
    if (client != NULL) client->read = NULL;
    if ((uv_handle_t *)network->listener == handle) network->listener = NULL;
    if ((uv_handle_t *)network->timer == handle) network->timer = NULL;
    if ((uv_handle_t *)network->idle == handle) network->idle = NULL;
}

/* ---- …the clock ---- */

uint64_t uv_now(const uv_loop_t *loop) {
    return network_of(loop)->now_ms;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb fire, uint64_t timeout, uint64_t repeat) {
    struct network *network = network_of(timer->loop);
    network->timer = timer;
    network->on_timer = fire;
    network->timer_due_ms = network->now_ms + timeout;
    network->timer_repeat_ms = repeat;
    return 0;
}

int uv_idle_start(uv_idle_t *idle, uv_idle_cb fire) {
    struct network *network = network_of(idle->loop);
    network->idle = idle;
    network->on_idle = fire;
    return 0;
}

int uv_idle_stop(uv_idle_t *idle) {
    network_of(idle->loop)->idle = NULL;
    return 0;
}

/* ---- …reading ---- */

int uv_read_start(uv_stream_t *stream, uv_alloc_cb give, uv_read_cb read) {
    struct network_client *client = client_of((uv_handle_t *)stream);
    if (client == NULL) return UV_EINVAL;
    client->give = give;
    client->read = read;
    return 0;
}

int uv_read_stop(uv_stream_t *stream) {
    struct network_client *client = client_of((uv_handle_t *)stream);
    if (client != NULL) client->read = NULL;
    return 0;
}

/* ---- …writing ---- */

/* The socket takes some of these bytes; they are then ours. */
static size_t take(struct network_client *client, const char *bytes, size_t count) {
    if (count > client->room) count = client->room;
    if (count == 0) return 0;
    EXPECT(client->in_count + count < SENT_BYTES_MAX);
    while (client->in_count + count + 1 > client->in_capacity) {
        client->in_capacity = client->in_capacity * 2 + 4096;
        client->in = realloc(client->in, client->in_capacity);
        EXPECT(client->in != NULL);
    }
    memcpy(client->in + client->in_count, bytes, count);
    client->in_count += count;
    client->in[client->in_count] = '\0';
    if (client->room != SIZE_MAX) client->room -= count;
    return count;
}

int uv_try_write(uv_stream_t *stream, const uv_buf_t pieces[], unsigned pieces_count) {
    struct network_client *client = client_of((uv_handle_t *)stream);
    if (client == NULL || client->error != 0) return UV_EPIPE;
    if (client->writes_count > 0) return UV_EAGAIN;
    size_t sent = 0;
    for (unsigned i = 0; i < pieces_count; i++) {
        size_t taken = take(client, pieces[i].base, pieces[i].len);
        sent += taken;
        if (taken < pieces[i].len) break;
    }
    return sent == 0 ? UV_EAGAIN : (int)sent;
}

int uv_write(uv_write_t *write, uv_stream_t *stream, const uv_buf_t pieces[], unsigned pieces_count,
             uv_write_cb done) {
    struct network_client *client = client_of((uv_handle_t *)stream);
    EXPECT_INT(pieces_count, 1); /* all that the server asks for */
    if (client == NULL || client->writes_count == NETWORK_WRITES_MAX) return UV_ENOBUFS;
    client->writes[client->writes_count++] =
        (struct network_write){write, done, pieces[0].base, pieces[0].len};
    return 0;
}

size_t uv_stream_get_write_queue_size(const uv_stream_t *stream) {
    const struct network_client *client = client_of((const uv_handle_t *)stream);
    size_t count = 0;
    for (uint32_t i = 0; client != NULL && i < client->writes_count; i++) {
        count += client->writes[i].count;
    }
    return count;
}

int uv_shutdown(uv_shutdown_t *shutdown, uv_stream_t *stream, uv_shutdown_cb done) {
    struct network_client *client = client_of((uv_handle_t *)stream);
    if (client == NULL || client->error != 0) return UV_ENOTCONN;
    client->shutdown = shutdown;
    client->on_shut_down = done;
    return 0;
}

/* ---- the loop ---- */

static bool flush_one(struct network_client *client) {
    if (client->tcp == NULL) return false;
    bool any = false;
    while (client->writes_count > 0 && (client->room > 0 || client->error != 0)) {
        struct network_write *write = &client->writes[0];
        size_t taken = client->error != 0 ? 0 : take(client, write->bytes, write->count);
        write->bytes += taken;
        write->count -= taken;
        any = any || taken > 0;
        if (write->count > 0 && client->error == 0) break;
        struct network_write done = *write;
        client->writes_count--;
        memmove(client->writes, client->writes + 1,
                client->writes_count * sizeof client->writes[0]);
        done.done(done.write, client->error);
        any = true;
    }
    if (client->writes_count > 0 || client->shutdown == NULL) return any;
    uv_shutdown_t *shutdown = client->shutdown;
    client->shutdown = NULL;
    client->on_shut_down(shutdown, client->error);
    return true;
}

static bool deliver_one(struct network_client *client) {
    if (client->tcp == NULL || client->read == NULL) return false;
    uv_stream_t *stream = (uv_stream_t *)client->tcp;
    uv_buf_t buffer = {0};
    if (client->error != 0 || (client->has_ended && client->out_count == 0)) {
        uv_read_cb read = client->read;
        client->read = NULL; /* a stream that has ended is not read any more */
        read(stream, client->error != 0 ? client->error : UV_EOF, &buffer);
        return true;
    }
    if (client->out_count == 0) return false;
    client->give((uv_handle_t *)stream, 65536, &buffer);
    if (buffer.base == NULL || buffer.len == 0) {
        client->read(stream, UV_ENOBUFS, &buffer);
        return true;
    }
    size_t count = client->out_count < buffer.len ? client->out_count : buffer.len;
    memcpy(buffer.base, client->out, count);
    client->out_count -= count;
    memmove(client->out, client->out + count, client->out_count);
    client->read(stream, (ssize_t)count, &buffer);
    return true;
}

static void end_writes(struct network_client *client) {
    while (client->writes_count > 0) {
        struct network_write write = client->writes[0];
        client->writes_count--;
        memmove(client->writes, client->writes + 1,
                client->writes_count * sizeof client->writes[0]);
        write.done(write.write, UV_ECANCELED);
    }
    if (client->shutdown == NULL) return;
    uv_shutdown_t *shutdown = client->shutdown;
    client->shutdown = NULL;
    client->on_shut_down(shutdown, UV_ECANCELED);
}

static void forget(struct network_client *client) {
    free(client->out);
    free(client->in);
    *client = (struct network_client){0};
}

static bool close_one(struct network *network) {
    if (network->closing_count == 0) return false;
    uv_handle_t *handle = network->closing[0].handle;
    uv_close_cb done = network->closing[0].done;
    struct network_client *client = client_of(handle);
    if (client != NULL) end_writes(client);
    network->closing_count--;
    memmove(network->closing, network->closing + 1,
            network->closing_count * sizeof network->closing[0]);
    if (client != NULL) {
        client->tcp = NULL;
        if (!client->is_open) forget(client);
    }
    done(handle);
    return true;
}

static bool turn(struct network *network) {
    bool any = false;
    if (network->timer != NULL && network->now_ms >= network->timer_due_ms) {
        network->timer_due_ms = network->now_ms + network->timer_repeat_ms;
        network->on_timer(network->timer);
        any = true;
    }
    if (network->idle != NULL) {
        network->on_idle(network->idle);
        any = true;
    }
    for (uint32_t i = 0; i < NETWORK_CLIENTS_MAX; i++) {
        any = flush_one(&network->clients[i]) || any;
        any = deliver_one(&network->clients[i]) || any;
    }
    return close_one(network) || any;
}

void network_turn(struct network *network) {
    (void)turn(network);
    (void)machine_run(network->machine);
}

void network_settle(struct network *network) {
    uint32_t quiet_count = 0; /* what was deferred in a quiet turn may make the next one busy */
    for (uint32_t i = 0; i < TURNS_MAX; i++) {
        bool any = turn(network);
        if (machine_run(network->machine) > 0) any = true;
        quiet_count = any ? 0 : quiet_count + 1;
        if (quiet_count == 2) return;
    }
    EXPECT(false); /* it never ends */
}

/* Until something is due, or the time is over. */
static uint64_t next_step_ms(struct network *network, uint64_t ms) {
    if (network->timer != NULL && network->timer_due_ms - network->now_ms < ms) {
        ms = network->timer_due_ms - network->now_ms;
    }
    int64_t next_ns = machine_next_timer_ns(network->machine);
    int64_t now_ns = network->machine->mono_ns;
    if (next_ns != INT64_MAX && (uint64_t)(next_ns - now_ns) / NS_PER_MS < ms) {
        ms = (uint64_t)(next_ns - now_ns) / NS_PER_MS;
    }
    return ms == 0 ? 1 : ms;
}

void network_pass_ms(struct network *network, uint64_t ms) {
    while (ms > 0) {
        uint64_t step = next_step_ms(network, ms);
        machine_jump_ns(network->machine, (int64_t)(step * NS_PER_MS));
        network->now_ms += step;
        network_turn(network);
        ms -= step;
    }
}

/* ---- clients ---- */

void network_open(struct network *network) {
    *network = (struct network){.allocations_left = -1, .now_ms = 1000};
    network->loop.data = network;
    network->machine = machine_open(1, FAULT_NONE);
    EXPECT(network->machine != NULL);
    network->machine->is_prompt = true;
    network->env = &network->machine->env;
    network->memory = network->env->allocator;
    network->env->allocator = (struct allocator){resize, network};
}

void network_close(struct network *network) {
    network->allocations_left = -1;
    network_settle(network);
    EXPECT_INT(network->closing_count, 0);
    for (uint32_t i = 0; i < NETWORK_CLIENTS_MAX; i++) {
        EXPECT(network->clients[i].tcp == NULL);
        forget(&network->clients[i]);
    }
    EXPECT_INT(machine_after_stop(network->machine), 0);
    machine_close(network->machine);
}

bool network_connect(struct network *network, uint32_t *index) {
    if (network->listener == NULL) return false;
    for (uint32_t i = 0; i < NETWORK_CLIENTS_MAX; i++) {
        struct network_client *client = &network->clients[i];
        if (client->is_open || client->tcp != NULL) continue;
        forget(client);
        client->is_open = client->is_waiting = true;
        client->room = SIZE_MAX;
        *index = i;
        network->on_connection(network->listener, 0);
        return true;
    }
    return false;
}

void network_send(struct network *network, uint32_t index, const void *bytes, size_t count) {
    struct network_client *client = &network->clients[index];
    if (!client->is_open || client->has_ended || count == 0) return;
    client->out = realloc(client->out, client->out_count + count);
    EXPECT(client->out != NULL);
    memcpy(client->out + client->out_count, bytes, count);
    client->out_count += count;
}

void network_end(struct network *network, uint32_t index, int error) {
    struct network_client *client = &network->clients[index];
    if (!client->is_open) return;
    client->has_ended = true;
    if (error != 0) client->error = error;
}

void network_leave(struct network *network, uint32_t index) {
    struct network_client *client = &network->clients[index];
    network_end(network, index, UV_ECONNRESET);
    client->is_open = false;
    client->is_waiting = false; /* the accept finds nobody */
    if (client->tcp == NULL) forget(client);
}

void network_set_room(struct network *network, uint32_t index, size_t room) {
    if (network->clients[index].is_open) network->clients[index].room = room;
}
