/* SPDX-License-Identifier: Apache-2.0 */
/* Reads certificates and keys and makes the context that connections begin with. */
#include "listen/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "listen/secure.h"
#include "os/clock.h"

#define HANDSHAKE_TIMEOUT_MS 10000
/* The keys of tickets live as long as the context: who takes one must not open the traffic of months. */
#define TICKET_KEYS_MS (24 * 3600 * 1000LL)
#define PROTOCOLS_SIZE 64

/* What a file looked like. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct listen_tls {
    char *certificate_file;
    char *key_file;
    unsigned char protocols[PROTOCOLS_SIZE]; /* as ALPN has them: length, name, .. */
    size_t protocols_size;
    int64_t handshake_timeout_ms;
    pthread_mutex_t mutex; /* over all below */
    SSL_CTX *context;
    struct stamp stamps[2];
    int64_t made_ms;
};

static struct stamp stamp_of(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) return (struct stamp){0};
    return (struct stamp){status.st_dev, status.st_ino, status.st_size, status.st_mtim};
}

static bool is_same(struct stamp a, struct stamp b)
{
    return a.device == b.device && a.inode == b.inode && a.size == b.size && a.changed.tv_sec == b.changed.tv_sec &&
           a.changed.tv_nsec == b.changed.tv_nsec;
}

/* The best of ours that the client knows. A client that names only others hears so, as RFC 7301 has it. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size, const unsigned char *offered,
                           unsigned int offered_size, void *context)
{
    const struct listen_tls *tls = context;
    unsigned char *found;
    if (SSL_select_next_proto(&found, chosen_size, tls->protocols, (unsigned)tls->protocols_size, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

/* Without it OpenSSL would ask on the terminal. */
static int no_passphrase(char *buffer, int size, int for_writing, void *context)
{
    *(bool *)context = true;
    return -1;
}

static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(code);
    return text ? text : "unknown";
}

static enum error_code check_readable(const char *what, const char *path, struct error *error)
{
    if (access(path, R_OK) == 0) return ERROR_NONE;
    return error_set_errno(error, errno, "the %s %s cannot be read", what, path);
}

static enum error_code load_files(const struct listen_tls *tls, SSL_CTX *context, struct error *error)
{
    enum error_code code = check_readable("certificate", tls->certificate_file, error);
    if (code == ERROR_NONE) code = check_readable("key", tls->key_file, error);
    if (code) return code;
    bool has_passphrase = false;
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &has_passphrase);
    if (SSL_CTX_use_certificate_chain_file(context, tls->certificate_file) != 1)
        return error_set(error, ERROR_INVALID, "the certificate %s is no PEM certificate that can be used: %s",
                         tls->certificate_file, reason());
    ERR_clear_error();
    if (SSL_CTX_use_PrivateKey_file(context, tls->key_file, SSL_FILETYPE_PEM) != 1) {
        if (has_passphrase)
            return error_set(error, ERROR_INVALID, "the key %s has a passphrase: only one without can be used", tls->key_file);
        bool is_other = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
        if (is_other)
            return error_set(error, ERROR_INVALID, "the key %s is not the key of the certificate %s", tls->key_file,
                             tls->certificate_file);
        return error_set(error, ERROR_INVALID, "the key %s is no PEM key that can be used: %s", tls->key_file, reason());
    }
    if (SSL_CTX_check_private_key(context) == 1) return ERROR_NONE;
    return error_set(error, ERROR_INVALID, "the key %s is not the key of the certificate %s", tls->key_file,
                     tls->certificate_file);
}

static enum error_code make_context(struct listen_tls *tls, SSL_CTX **ret_context, struct error *error)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context) return error_set(error, ERROR_MEMORY, "no memory for TLS");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_PRIORITIZE_CHACHA);
    /* Buffers of idle connections are given back: 34 KiB each. 15 KiB are left, measured. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"millrace", 8);
    bool ok = SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
    if (tls->protocols_size) SSL_CTX_set_alpn_select_cb(context, choose_protocol, tls);
    enum error_code code = ok ? load_files(tls, context, error)
                              : error_set(error, ERROR_INTERNAL, "this OpenSSL has none of the ciphers wanted");
    ERR_clear_error();
    if (code) SSL_CTX_free(context);
    else *ret_context = context;
    return code;
}

static void note_files(struct listen_tls *tls)
{
    tls->stamps[0] = stamp_of(tls->certificate_file);
    tls->stamps[1] = stamp_of(tls->key_file);
    tls->made_ms = os_clock_monotonic_ms();
}

enum error_code listen_tls_create(const struct listen_tls_settings *settings, struct listen_tls **ret_tls, struct error *error)
{
    struct listen_tls *tls = calloc(1, sizeof *tls);
    if (!tls) return error_set(error, ERROR_MEMORY, "no memory for TLS");
    pthread_mutex_init(&tls->mutex, NULL);
    tls->certificate_file = strdup(settings->certificate_file);
    tls->key_file = strdup(settings->key_file);
    tls->handshake_timeout_ms = settings->handshake_timeout_ms ? settings->handshake_timeout_ms : HANDSHAKE_TIMEOUT_MS;
    for (const char *const *name = settings->protocols; name && *name; name++) {
        size_t size = strlen(*name);
        ASSERT(tls->protocols_size + 1 + size <= PROTOCOLS_SIZE);
        tls->protocols[tls->protocols_size++] = (unsigned char)size;
        memcpy(tls->protocols + tls->protocols_size, *name, size);
        tls->protocols_size += size;
    }
    enum error_code code = tls->certificate_file && tls->key_file ? ERROR_NONE : error_set(error, ERROR_MEMORY, "no memory for TLS");
    if (code == ERROR_NONE) {
        note_files(tls);
        code = make_context(tls, &tls->context, error);
    }
    if (code) listen_tls_destroy(tls);
    else *ret_tls = tls;
    return code;
}

void listen_tls_destroy(struct listen_tls *tls)
{
    if (!tls) return;
    SSL_CTX_free(tls->context);
    pthread_mutex_destroy(&tls->mutex);
    free(tls->certificate_file);
    free(tls->key_file);
    free(tls);
}

enum error_code listen_tls_refresh(struct listen_tls *tls, bool *ret_changed, struct error *error)
{
    *ret_changed = false;
    bool is_other = !is_same(tls->stamps[0], stamp_of(tls->certificate_file)) || !is_same(tls->stamps[1], stamp_of(tls->key_file));
    if (!is_other && os_clock_monotonic_ms() - tls->made_ms < TICKET_KEYS_MS) return ERROR_NONE;
    note_files(tls); /* before they are read: what changes meanwhile is seen the next time */
    SSL_CTX *made, *old;
    enum error_code code = make_context(tls, &made, error);
    if (code) return code;
    pthread_mutex_lock(&tls->mutex);
    old = tls->context;
    tls->context = made;
    pthread_mutex_unlock(&tls->mutex);
    *ret_changed = X509_cmp(SSL_CTX_get0_certificate(made), SSL_CTX_get0_certificate(old)) != 0;
    SSL_CTX_free(old);
    return ERROR_NONE;
}

int64_t listen_tls_expires_ms(struct listen_tls *tls)
{
    struct tm end = {0};
    pthread_mutex_lock(&tls->mutex);
    ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(tls->context)), &end);
    pthread_mutex_unlock(&tls->mutex);
    return (int64_t)timegm(&end) * 1000;
}

void listen_tls_pin(struct listen_tls *tls, char pin[LISTEN_TLS_PIN_SIZE])
{
    unsigned char *key = NULL, digest[EVP_MAX_MD_SIZE], text[48];
    pthread_mutex_lock(&tls->mutex);
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(SSL_CTX_get0_certificate(tls->context)), &key);
    pthread_mutex_unlock(&tls->mutex);
    ASSERT(size > 0 && EVP_Digest(key, (size_t)size, digest, NULL, EVP_sha256(), NULL) == 1);
    OPENSSL_free(key);
    EVP_EncodeBlock(text, digest, 32); /* 44 bytes */
    snprintf(pin, LISTEN_TLS_PIN_SIZE, "sha256//%s", (const char *)text);
}

struct ssl_st *listen_tls_begin(struct listen_tls *tls)
{
    pthread_mutex_lock(&tls->mutex);
    SSL *ssl = SSL_new(tls->context);
    pthread_mutex_unlock(&tls->mutex);
    return ssl;
}

int64_t listen_tls_handshake_timeout_ms(const struct listen_tls *tls)
{
    return tls->handshake_timeout_ms;
}
