/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that looks whether the certificate was renewed. */
#include "server/certificate.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/thread.h"

#define CERTIFICATE_LOOK_SECONDS 2

struct server_certificate {
    struct listen_tls *tls;
    struct metric *expires;
    struct os_thread thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;
};

/* HTTP/2 first: gRPC needs it, and the page's many small requests share one handshake. */
static const char *const certificate_protocols[] = {"h2", "http/1.1", NULL};

static void certificate_note(struct server_certificate *certificate, const char *what)
{
    int64_t expires_ms = listen_tls_expires_ms(certificate->tls), left_ms = expires_ms - os_clock_wall_ms();
    metric_set(certificate->expires, expires_ms / 1000);
    if (left_ms <= 0) log_warn("tls: the certificate has expired: clients will refuse it");
    else log_info("tls: %s; it is good for another %lld days", what, (long long)(left_ms / 86400000));
}

static void certificate_look(struct server_certificate *certificate)
{
    bool changed;
    struct error error;
    if (listen_tls_refresh(certificate->tls, &changed, &error) != ERROR_NONE)
        log_error("tls: %s; the certificate read before stays in use", error.message);
    else if (changed) certificate_note(certificate, "a new certificate is in use");
}

static void certificate_run(void *context)
{
    struct server_certificate *certificate = context;
    pthread_mutex_lock(&certificate->mutex);
    while (!certificate->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += CERTIFICATE_LOOK_SECONDS;
        if (pthread_cond_timedwait(&certificate->wake, &certificate->mutex, &until) == 0) continue;
        pthread_mutex_unlock(&certificate->mutex);
        certificate_look(certificate);
        pthread_mutex_lock(&certificate->mutex);
    }
    pthread_mutex_unlock(&certificate->mutex);
}

enum error_code server_certificate_start(const struct settings *settings, struct metric_registry *metrics,
                                         struct server_certificate **ret_certificate, struct error *error)
{
    *ret_certificate = NULL;
    bool has_certificate = settings->tls_certificate_file[0], has_key = settings->tls_key_file[0];
    if (!has_certificate && !has_key) return ERROR_NONE;
    if (!has_certificate || !has_key) {
        const char *missing = has_certificate ? "tls.key_file" : "tls.certificate_file";
        return error_set_field(error, ERROR_INVALID, missing, "setting %s is empty: %s is of no use without it", missing,
                               has_certificate ? "tls.certificate_file" : "tls.key_file");
    }
    struct listen_tls_settings tls = {.certificate_file = settings->tls_certificate_file, .key_file = settings->tls_key_file,
                                      .protocols = certificate_protocols};
    struct server_certificate *made = calloc(1, sizeof *made);
    if (!made) return error_set(error, ERROR_MEMORY, "no memory for TLS");
    enum error_code code = listen_tls_create(&tls, &made->tls, error);
    if (code) {
        free(made);
        return code;
    }
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->wake, NULL);
    made->expires = metric_gauge(metrics, "millrace_tls_certificate_expires_timestamp_seconds", "",
                                 "When the certificate in use ends, in seconds since 1970.");
    certificate_note(made, "the certificate is read");
    code = os_thread_start(&made->thread, "certificate", certificate_run, made, error);
    if (code) server_certificate_stop(made);
    else *ret_certificate = made;
    return code;
}

struct listen_tls *server_certificate_tls(struct server_certificate *certificate)
{
    return certificate ? certificate->tls : NULL;
}

void server_certificate_stop(struct server_certificate *certificate)
{
    if (!certificate) return;
    pthread_mutex_lock(&certificate->mutex);
    certificate->stopping = true;
    pthread_cond_signal(&certificate->wake);
    pthread_mutex_unlock(&certificate->mutex);
    os_thread_join(&certificate->thread);
    listen_tls_destroy(certificate->tls);
    pthread_cond_destroy(&certificate->wake);
    pthread_mutex_destroy(&certificate->mutex);
    free(certificate);
}
