/* SPDX-License-Identifier: Apache-2.0 */
/* network.h -- libuv as far as src/http uses it, in memory: the fuzzer is the network and the clock.
 *
 * network.c defines the functions of libuv that the server calls; in a program that is linked with
 * it they take the place of the library's. Also memory that ends when told, for the env above it.
 */
#ifndef TAKT_FUZZ_WITH_NETWORK_H
#define TAKT_FUZZ_WITH_NETWORK_H

#include "machine.h"

#include <uv.h>

#define NETWORK_CLIENTS_MAX 8u
#define NETWORK_HANDLES_MAX 96u
#define NETWORK_WRITES_MAX 64u

struct network_write { /* that the socket has not taken yet */
    uv_write_t *write;
    uv_write_cb done;
    const char *bytes; /* the server keeps them until `done` */
    size_t count;
};

struct network_client {
    uv_tcp_t *tcp; /* the server's end; NULL: not accepted, or closed */
    uv_alloc_cb give;
    uv_read_cb read; /* NULL: the server does not read */
    bool is_open;    /* our end */
    bool is_waiting; /* to be accepted */
    bool has_ended;  /* we have sent our last byte */
    int error;       /* of the next read; 0: none */
    size_t room;     /* so many bytes the socket still takes */
    struct network_write writes[NETWORK_WRITES_MAX];
    uint32_t writes_count;
    uv_shutdown_t *shutdown;
    uv_shutdown_cb on_shut_down;
    char *out; /* sent by us, not yet read */
    size_t out_count;
    char *in; /* what the server has sent, all of it */
    size_t in_count;
    size_t in_capacity;
};

struct network {
    uv_loop_t loop;
    struct machine *machine;  /* its clock goes with this one */
    struct env *env;          /* …its env */
    struct allocator memory;  /* …and its memory */
    int64_t allocations_left; /* negative: no end */
    uint64_t now_ms;
    uv_stream_t *listener;
    uv_connection_cb on_connection;
    uv_timer_t *timer;
    uv_timer_cb on_timer;
    uint64_t timer_due_ms;
    uint64_t timer_repeat_ms;
    uv_idle_t *idle;
    uv_idle_cb on_idle;
    struct network_client clients[NETWORK_CLIENTS_MAX];
    struct {
        uv_handle_t *handle;
        uv_close_cb done;
    } closing[NETWORK_HANDLES_MAX];
    uint32_t closing_count;
};

/* On a simulated machine of its own, whose memory it watches. */
void network_open(struct network *network);
/* Every handle is closed, and all memory has been given back. */
void network_close(struct network *network);

/* A client comes; false: there are too many. The place it was given is *index. */
bool network_connect(struct network *network, uint32_t *index);
/* The server's socket has these bytes; it reads as much as it wants. */
void network_send(struct network *network, uint32_t index, const void *bytes, size_t count);
/* No more bytes will come; with an error, the connection is gone. */
void network_end(struct network *network, uint32_t index, int error);
/* Forget this client: its place is free as soon as the server's end is closed. */
void network_leave(struct network *network, uint32_t index);
void network_set_room(struct network *network, uint32_t index, size_t room);
/* One turn of the loop: what can be written, read and closed is. */
void network_turn(struct network *network);
/* Turns until nothing happens any more; the machine's own included. */
void network_settle(struct network *network);
void network_pass_ms(struct network *network, uint64_t ms);

#endif
