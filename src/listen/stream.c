/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: reads for the protocol, queues what it writes, and closes so that the peer gets the last answer. */
#include "listen/listen_priv.h"
#include "listen/secure.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a closing stream waits for its output to move, and then for the peer to close its side. */
#define CLOSE_WAIT_MS 5000
/* Reads per turn and stream, so that one fast sender does not starve the others. */
#define READS_PER_TURN 4
/* An output buffer that grew larger is given back when it is empty. */
#define OUTPUT_KEPT_BYTES 65536

/*
 * HANDSHAKE --ready--> OPEN (without TLS at once)
 * OPEN --close()--> CLOSING --output has left--> LINGERING --peer closed, 5 s--> DEAD
 *   \------ abort(), error, hang-up (from any state) ------------------------------/
 */
enum stream_state {
    STREAM_HANDSHAKE, /* of TLS; the protocol does not know of it yet */
    STREAM_OPEN,      /* the protocol gets callbacks */
    STREAM_CLOSING,   /* output is leaving; nothing is read */
    STREAM_LINGERING, /* our side is shut; input is thrown away */
    STREAM_DEAD,      /* the descriptor is closed; `closed` is still to be called */
};

struct listen_stream {
    struct listen_listener *listener;
    struct listen_stream *previous;
    struct listen_stream *next;
    const struct listen_protocol *protocol;
    void *protocol_state;
    struct os_watch watch;
    enum stream_state state;
    bool paused;
    bool peer_closed;  /* told to the protocol in any form */
    bool all_received; /* read() has returned 0 */
    bool in_callback;
    struct os_timer timer;
    int64_t deadline_ms; /* 0: none. The timer may fire earlier: moving it for every request would cost more. */
    struct listen_secure *secure; /* NULL without TLS */
    struct buffer output;         /* as it goes to the socket */
    uint64_t sent_bytes;
    size_t output_sent; /* bytes at the front of `output` that have left */
    char peer[OS_SOCKET_ADDRESS_SIZE];
};

static struct os_loop *loop_of(const struct listen_stream *stream)
{
    return stream->listener->loop;
}

static void update_watch(struct listen_stream *stream)
{
    uint32_t events = stream->output.size > 0 ? OS_LOOP_WRITE : 0;
    switch (stream->state) {
    case STREAM_HANDSHAKE: events |= OS_LOOP_READ; break;
    case STREAM_OPEN:
        if (!stream->paused && !stream->all_received) events |= OS_LOOP_READ;
        /* While nothing is read only this tells that the client went away. */
        if (stream->paused && !stream->peer_closed) events |= OS_LOOP_PEER_CLOSED;
        break;
    case STREAM_CLOSING: break;
    case STREAM_LINGERING:
        if (!stream->all_received) events |= OS_LOOP_READ;
        break;
    case STREAM_DEAD: return;
    }
    if (events == stream->watch.events) return;
    stream->watch.events = events;
    os_loop_watch_update(loop_of(stream), &stream->watch);
}

/* The descriptor goes at once; the protocol is told by the caller of the current callback, or by the timer. */
static void die(struct listen_stream *stream)
{
    if (stream->state == STREAM_DEAD) return;
    stream->state = STREAM_DEAD;
    os_loop_unwatch(loop_of(stream), &stream->watch);
    close(stream->watch.fd);
    stream->watch.fd = -1;
    stream->watch.events = 0;
    buffer_free(&stream->output);
    stream->output_sent = 0;
    if (!stream->in_callback) os_loop_timer_start(loop_of(stream), &stream->timer, 0);
}

/* Shuts our side and waits for the peer to do the same: closing with unread input would reset the connection. */
static void linger(struct listen_stream *stream)
{
    if (stream->all_received || shutdown(stream->watch.fd, SHUT_WR) != 0) {
        die(stream);
        return;
    }
    stream->state = STREAM_LINGERING;
    os_loop_timer_start(loop_of(stream), &stream->timer, CLOSE_WAIT_MS);
    update_watch(stream);
}

/* Sends from memory; returns how much left, or dies. */
static size_t send_bytes(struct listen_stream *stream, struct slice bytes)
{
    size_t sent = 0;
    while (sent < bytes.size) {
        ssize_t result = send(stream->watch.fd, bytes.data + sent, bytes.size - sent, MSG_NOSIGNAL);
        if (result > 0) {
            sent += (size_t)result;
            stream->sent_bytes += (uint64_t)result;
        } else if (result < 0 && errno == EINTR) {
            continue;
        } else {
            if (result < 0 && errno != EAGAIN && errno != EWOULDBLOCK) die(stream);
            break;
        }
    }
    return sent;
}

static void flush_output(struct listen_stream *stream)
{
    size_t sent = send_bytes(stream, slice_from(buffer_slice(&stream->output), stream->output_sent));
    if (stream->state == STREAM_DEAD) return;
    stream->output_sent += sent;
    if (stream->output_sent < stream->output.size) {
        if (stream->state == STREAM_CLOSING && sent > 0)
            os_loop_timer_start(loop_of(stream), &stream->timer, CLOSE_WAIT_MS);
        return;
    }
    stream->output_sent = 0;
    if (stream->output.capacity > OUTPUT_KEPT_BYTES) buffer_free(&stream->output);
    else buffer_clear(&stream->output);
    if (stream->state == STREAM_CLOSING) {
        linger(stream);
        return;
    }
    update_watch(stream);
    if (stream->state == STREAM_OPEN && stream->protocol->drained) stream->protocol->drained(stream->protocol_state);
}

/* From here on nothing is read; what is in the output still leaves. */
static void begin_close(struct listen_stream *stream)
{
    stream->state = STREAM_CLOSING;
    stream->deadline_ms = 0;
    if (stream->output.size == 0) {
        linger(stream);
        return;
    }
    os_loop_timer_start(loop_of(stream), &stream->timer, CLOSE_WAIT_MS);
    update_watch(stream);
}

static void tell_peer_closed(struct listen_stream *stream)
{
    stream->peer_closed = true;
    update_watch(stream);
    if (stream->protocol->peer_closed)
        stream->protocol->peer_closed(stream->protocol_state, stream->all_received);
    else if (stream->all_received)
        listen_stream_close(stream);
}

/* Calls the protocol's `opened`; false when it wants no such connection. */
static bool open_protocol(struct listen_stream *stream)
{
    stream->state = STREAM_OPEN;
    stream->protocol_state = stream->protocol->opened(stream->listener->settings.protocol_context, stream);
    return stream->protocol_state && stream->state != STREAM_DEAD;
}

/* The same as read_once through TLS. */
static bool read_secure(struct listen_stream *stream)
{
    char *buffer = stream->listener->read_buffer;
    size_t got = 0;
    enum listen_secure_result result = listen_secure_read(stream->secure, buffer, LISTEN_READ_BYTES, &got);
    if (stream->state == STREAM_DEAD) return false; /* by what TLS had to write */
    if (stream->state == STREAM_HANDSHAKE && listen_secure_is_ready(stream->secure)) {
        os_loop_timer_stop(loop_of(stream), &stream->timer);
        if (!open_protocol(stream)) {
            die(stream);
            return false;
        }
    }
    switch (result) {
    case LISTEN_SECURE_DATA:
        if (stream->state == STREAM_OPEN) stream->protocol->received(stream->protocol_state, slice_make(buffer, got));
        return got == LISTEN_SECURE_RECORD_BYTES;
    case LISTEN_SECURE_WAIT: break;
    case LISTEN_SECURE_END:
        stream->all_received = true;
        if (stream->state == STREAM_OPEN) tell_peer_closed(stream);
        else if (stream->state == STREAM_HANDSHAKE) die(stream);
        break;
    case LISTEN_SECURE_BROKEN:
        if (stream->state == STREAM_OPEN || stream->state == STREAM_HANDSHAKE) begin_close(stream);
        break;
    case LISTEN_SECURE_GONE: die(stream); break;
    }
    return false;
}

/* Whether to go on reading in this turn. */
static bool read_once(struct listen_stream *stream)
{
    /* What comes after our own close is thrown away as it is. */
    if (stream->secure && stream->state != STREAM_LINGERING) return read_secure(stream);
    char *buffer = stream->listener->read_buffer;
    ssize_t got = recv(stream->watch.fd, buffer, LISTEN_READ_BYTES, 0);
    if (got < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) die(stream);
        return false;
    }
    if (got == 0) {
        stream->all_received = true;
        if (stream->state == STREAM_LINGERING) die(stream);
        else tell_peer_closed(stream);
        return false;
    }
    if (stream->state == STREAM_OPEN)
        stream->protocol->received(stream->protocol_state, slice_make(buffer, (size_t)got));
    return got == LISTEN_READ_BYTES;
}

static void stream_ready(struct os_watch *watch, uint32_t events)
{
    struct listen_stream *stream = (struct listen_stream *)((char *)watch - offsetof(struct listen_stream, watch));
    stream->in_callback = true;
    bool readable = (events & OS_LOOP_READ) && (watch->events & OS_LOOP_READ);
    if (readable) {
        for (int i = 0; i < READS_PER_TURN; i++)
            if (!read_once(stream) || !(watch->events & OS_LOOP_READ)) break;
    } else if (events & OS_LOOP_HANGUP) {
        die(stream); /* after the last byte was read: a hang-up stays readable until then */
    }
    if ((events & OS_LOOP_PEER_CLOSED) && stream->state == STREAM_OPEN && !stream->peer_closed)
        tell_peer_closed(stream);
    if ((events & OS_LOOP_WRITE) && stream->state != STREAM_DEAD && stream->output.size > 0) flush_output(stream);
    stream->in_callback = false;
    if (stream->state == STREAM_DEAD) listen_stream_destroy(stream);
}

static void timer_fired(struct os_timer *timer)
{
    struct listen_stream *stream = (struct listen_stream *)((char *)timer - offsetof(struct listen_stream, timer));
    if (stream->state != STREAM_OPEN) {
        listen_stream_destroy(stream);
        return;
    }
    if (stream->deadline_ms == 0) return;
    int64_t left_ms = stream->deadline_ms - os_loop_now_ms(loop_of(stream));
    if (left_ms > 0) {
        os_loop_timer_start(loop_of(stream), timer, left_ms);
        return;
    }
    stream->deadline_ms = 0;
    stream->in_callback = true;
    stream->protocol->timed_out(stream->protocol_state);
    stream->in_callback = false;
    if (stream->state == STREAM_DEAD) listen_stream_destroy(stream);
}

static enum error_code begin_secure(struct listen_stream *stream, struct error *error)
{
    struct listen_tls *tls = stream->listener->settings.tls;
    stream->secure = listen_secure_create(tls, stream);
    if (!stream->secure) {
        listen_stream_destroy(stream);
        return error_set(error, ERROR_MEMORY, "no memory for a connection");
    }
    stream->state = STREAM_HANDSHAKE;
    os_loop_timer_start(loop_of(stream), &stream->timer, listen_tls_handshake_timeout_ms(tls));
    return ERROR_NONE;
}

enum error_code listen_stream_create(struct listen_listener *listener, int fd, const char *peer, struct error *error)
{
    struct listen_stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        close(fd);
        return error_set(error, ERROR_MEMORY, "no memory for a connection");
    }
    stream->listener = listener;
    stream->protocol = listener->settings.protocol;
    stream->watch = (struct os_watch){.fd = fd, .events = OS_LOOP_READ, .ready = stream_ready};
    stream->timer.fire = timer_fired;
    snprintf(stream->peer, sizeof stream->peer, "%s", peer);
    enum error_code code = os_loop_watch(listener->loop, &stream->watch, error);
    if (code) {
        close(fd);
        free(stream);
        return code;
    }
    stream->next = listener->streams;
    if (stream->next) stream->next->previous = stream;
    listener->streams = stream;
    listener->count++;
    if (listener->settings.tls) return begin_secure(stream, error);
    stream->in_callback = true;
    bool opened = open_protocol(stream);
    stream->in_callback = false;
    if (opened) return ERROR_NONE;
    listen_stream_destroy(stream);
    return error_set(error, ERROR_UNAVAILABLE, "the protocol refused the connection");
}

void listen_streams_stopping(struct listen_listener *listener)
{
    for (struct listen_stream *stream = listener->streams; stream; stream = stream->next)
        if (stream->state == STREAM_OPEN && stream->protocol->stopping) stream->protocol->stopping(stream->protocol_state);
}

void listen_stream_destroy(struct listen_stream *stream)
{
    struct listen_listener *listener = stream->listener;
    stream->in_callback = true; /* whatever `closed` calls, the stream is freed here */
    die(stream);
    os_loop_timer_stop(listener->loop, &stream->timer);
    if (stream->protocol_state) stream->protocol->closed(stream->protocol_state);
    os_loop_timer_stop(listener->loop, &stream->timer);
    if (stream->previous) stream->previous->next = stream->next;
    else listener->streams = stream->next;
    if (stream->next) stream->next->previous = stream->previous;
    listener->count--;
    listen_secure_destroy(stream->secure);
    free(stream);
}

bool listen_stream_raw_write(struct listen_stream *stream, struct slice bytes)
{
    if (stream->state == STREAM_DEAD) return false;
    if (stream->output.size == 0) {
        size_t sent = send_bytes(stream, bytes);
        if (stream->state == STREAM_DEAD) return false;
        if (sent == bytes.size) return true;
        bytes = slice_from(bytes, sent);
    } else if (stream->output_sent > stream->output.size / 2) {
        buffer_consume(&stream->output, stream->output_sent);
        stream->output_sent = 0;
    }
    buffer_append_slice(&stream->output, bytes);
    if (stream->output.failed) {
        die(stream); /* an answer with a hole would be worse */
        return false;
    }
    update_watch(stream);
    return true;
}

ssize_t listen_stream_raw_read(struct listen_stream *stream, void *into, size_t size)
{
    return recv(stream->watch.fd, into, size, 0);
}

void listen_stream_write(struct listen_stream *stream, struct slice bytes)
{
    if (stream->state != STREAM_OPEN || bytes.size == 0) return;
    if (!stream->secure) (void)listen_stream_raw_write(stream, bytes);
    else if (!listen_secure_write(stream->secure, bytes)) die(stream);
}

size_t listen_stream_pending(const struct listen_stream *stream)
{
    return stream->output.size - stream->output_sent;
}

uint64_t listen_stream_sent(const struct listen_stream *stream)
{
    return stream->sent_bytes;
}

void listen_stream_pause(struct listen_stream *stream)
{
    stream->paused = true;
    update_watch(stream);
}

void listen_stream_resume(struct listen_stream *stream)
{
    stream->paused = false;
    update_watch(stream);
}

void listen_stream_close(struct listen_stream *stream)
{
    if (stream->state != STREAM_OPEN) return;
    if (stream->secure) listen_secure_close(stream->secure);
    if (stream->state != STREAM_DEAD) begin_close(stream);
}

void listen_stream_abort(struct listen_stream *stream)
{
    if (stream->state == STREAM_DEAD) return;
    /* Nothing is promised to the peer any more; a reset tells it that what it got is not the whole. */
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(stream->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    die(stream);
}

void listen_stream_set_deadline(struct listen_stream *stream, int64_t milliseconds)
{
    if (stream->state != STREAM_OPEN) return;
    if (milliseconds <= 0) {
        stream->deadline_ms = 0;
        return;
    }
    stream->deadline_ms = os_loop_now_ms(loop_of(stream)) + milliseconds;
    if (stream->timer.heap_index == 0 || stream->timer.due_us / 1000 > stream->deadline_ms)
        os_loop_timer_start(loop_of(stream), &stream->timer, milliseconds);
}

void listen_stream_hand_to(struct listen_stream *stream, const struct listen_protocol *protocol, void *state)
{
    stream->protocol = protocol;
    stream->protocol_state = state;
}

const char *listen_stream_peer(const struct listen_stream *stream)
{
    return stream->peer;
}

struct os_loop *listen_stream_loop(const struct listen_stream *stream)
{
    return loop_of(stream);
}
