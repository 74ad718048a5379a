/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL between a stream and its socket. */
#include "listen/secure.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "listen/listen.h"

struct listen_secure {
    SSL *ssl;
    struct listen_stream *stream;
    bool socket_ended;
    bool is_broken; /* nothing more may be written */
};

static int socket_write(BIO *bio, const char *data, int size)
{
    struct listen_secure *secure = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    return listen_stream_raw_write(secure->stream, slice_make(data, (size_t)size)) ? size : -1;
}

static int socket_read(BIO *bio, char *into, int size)
{
    struct listen_secure *secure = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got = listen_stream_raw_read(secure->stream, into, (size_t)size);
    if (got > 0) return (int)got;
    if (got == 0) secure->socket_ended = true;
    else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) BIO_set_retry_read(bio);
    return got < 0 ? -1 : 0;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    struct listen_secure *secure = BIO_get_data(bio);
    if (command == BIO_CTRL_EOF) return secure->socket_ended;
    return command == BIO_CTRL_FLUSH; /* nothing is held back here */
}

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "millrace stream");
    if (!method) return;
    BIO_meth_set_write(method, socket_write);
    BIO_meth_set_read(method, socket_read);
    BIO_meth_set_ctrl(method, socket_control);
}

struct listen_secure *listen_secure_create(struct listen_tls *tls, struct listen_stream *stream)
{
    pthread_once(&method_once, make_method);
    struct listen_secure *secure = calloc(1, sizeof *secure);
    SSL *ssl = secure && method ? listen_tls_begin(tls) : NULL;
    BIO *bio = ssl ? BIO_new(method) : NULL;
    if (!bio) {
        SSL_free(ssl);
        free(secure);
        return NULL;
    }
    secure->ssl = ssl;
    secure->stream = stream;
    BIO_set_data(bio, secure);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    return secure;
}

void listen_secure_destroy(struct listen_secure *secure)
{
    if (!secure) return;
    SSL_free(secure->ssl); /* and the BIO */
    free(secure);
}

bool listen_secure_is_ready(const struct listen_secure *secure)
{
    return SSL_is_init_finished(secure->ssl);
}

/* Browsers say no more than "cannot connect" otherwise. */
static void answer_plain_http(struct listen_secure *secure)
{
    listen_stream_raw_write(secure->stream, SLICE("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 36\r\n"
                                                  "Connection: close\r\n\r\nThis address speaks TLS: use https.\n"));
}

static enum listen_secure_result broken(struct listen_secure *secure)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) return LISTEN_SECURE_GONE;
    const char *text = ERR_reason_error_string(code);
    log_debug("tls: %s: %s", listen_stream_peer(secure->stream), text ? text : "unknown");
    secure->is_broken = true;
    if (reason == SSL_R_HTTP_REQUEST) answer_plain_http(secure);
    return LISTEN_SECURE_BROKEN;
}

enum listen_secure_result listen_secure_read(struct listen_secure *secure, void *into, size_t size, size_t *ret_got)
{
    ASSERT(size >= LISTEN_SECURE_RECORD_BYTES);
    ERR_clear_error(); /* of another connection on this thread */
    if (SSL_read_ex(secure->ssl, into, size, ret_got) == 1) return LISTEN_SECURE_DATA;
    enum listen_secure_result result;
    switch (SSL_get_error(secure->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: result = LISTEN_SECURE_WAIT; break;
    case SSL_ERROR_ZERO_RETURN: result = LISTEN_SECURE_END; break;
    case SSL_ERROR_SSL: result = broken(secure); break;
    default: result = LISTEN_SECURE_GONE; break;
    }
    ERR_clear_error();
    return result;
}

bool listen_secure_write(struct listen_secure *secure, struct slice bytes)
{
    size_t written = 0;
    ERR_clear_error();
    return !secure->is_broken && SSL_write_ex(secure->ssl, bytes.data, bytes.size, &written) == 1 && written == bytes.size;
}

void listen_secure_close(struct listen_secure *secure)
{
    if (secure->is_broken || !listen_secure_is_ready(secure)) return;
    ERR_clear_error();
    SSL_shutdown(secure->ssl);
    ERR_clear_error();
}
