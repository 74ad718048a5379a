/* SPDX-License-Identifier: Apache-2.0 */
/* The provider of the tests: one connection after the other, on a thread of its own. */
#include "control/oidc_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tenant/base64.h"

static void idp_reply(int fd, int status, const char *body)
{
    char answer[10240];
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nLocation: "
                        "http://127.0.0.1:1/\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                        status, strlen(body), body);
    (void)!send(fd, answer, (size_t)size, MSG_NOSIGNAL);
}

static void idp_answer(struct idp *idp, int fd, const char *request)
{
    if (strncmp(request, "GET /.well-known/openid-configuration ", 38) == 0) {
        idp->discoveries++;
        idp_reply(fd, 200, idp->discovery);
    } else if (strncmp(request, "GET /keys ", 10) == 0) {
        idp->key_fetches++;
        idp_reply(fd, 200, idp->keys);
    } else if (strncmp(request, "POST /token ", 12) == 0) {
        idp->exchanges++;
        snprintf(idp->heard, sizeof idp->heard, "%s", request);
        idp_reply(fd, idp->token_status, idp->token);
    } else idp_reply(fd, 404, "{}");
}

static void idp_run(void *context)
{
    struct idp *idp = context;
    int fd;
    while ((fd = accept(idp->listen_fd, NULL, NULL)) >= 0) { /* until the listener is shut down */
        char request[8192] = "";
        size_t size = 0, needed = 0;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 10}, sizeof(struct timeval));
        while (size + 1 < sizeof request) {
            ssize_t got = recv(fd, request + size, sizeof request - 1 - size, 0);
            if (got <= 0) break;
            size += (size_t)got;
            request[size] = 0;
            char *end = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "Content-Length: ");
            if (end && !needed)
                needed = (size_t)(end + 4 - request) + (length && length < end ? strtoul(length + 16, NULL, 10) : 0);
            if (needed && size >= needed) break;
        }
        idp_answer(idp, fd, request);
        close(fd);
    }
}

static void idp_number(struct buffer *out, const char *name, EVP_PKEY *key, const char *parameter)
{
    BIGNUM *number = NULL;
    unsigned char bytes[32];
    assert_int_equal(EVP_PKEY_get_bn_param(key, parameter, &number), 1);
    BN_bn2binpad(number, bytes, sizeof bytes);
    BN_free(number);
    buffer_printf(out, ",\"%s\":\"", name);
    tenant_base64_append(TENANT_BASE64_URL, slice_make(bytes, sizeof bytes), out);
    buffer_append_byte(out, '"');
}

void idp_change_key(struct idp *idp, const char *kid)
{
    struct buffer text = {0};
    EVP_PKEY_free(idp->key);
    idp->key = EVP_EC_gen("P-256");
    buffer_printf(&text, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%s\"", kid);
    idp_number(&text, "x", idp->key, OSSL_PKEY_PARAM_EC_PUB_X);
    idp_number(&text, "y", idp->key, OSSL_PKEY_PARAM_EC_PUB_Y);
    buffer_append_string(&text, "}]}");
    snprintf(idp->keys, sizeof idp->keys, "%.*s", SLICE_ARGS(buffer_slice(&text)));
    buffer_free(&text);
}

void idp_start(struct idp *idp)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    idp->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(idp->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(idp->listen_fd, 8), 0);
    assert_int_equal(getsockname(idp->listen_fd, (struct sockaddr *)&address, &size), 0);
    idp->port = ntohs(address.sin_port);
    idp->token_status = 200;
    snprintf(idp->issuer, sizeof idp->issuer, "http://127.0.0.1:%u", idp->port);
    snprintf(idp->discovery, sizeof idp->discovery,
             "{\"issuer\":\"%s\",\"authorization_endpoint\":\"%s/authorize\",\"token_endpoint\":\"%s/"
             "token\",\"jwks_uri\":\"%s/keys\"}",
             idp->issuer, idp->issuer, idp->issuer, idp->issuer);
    idp_change_key(idp, "k1");
    assert_int_equal(os_thread_start(&idp->thread, "idp", idp_run, idp, NULL), ERROR_NONE);
}

void idp_stop(struct idp *idp)
{
    shutdown(idp->listen_fd, SHUT_RDWR);
    os_thread_join(&idp->thread);
    close(idp->listen_fd);
    EVP_PKEY_free(idp->key);
}

void idp_issue(struct idp *idp, const char *kid, const char *claims)
{
    char header[128];
    struct buffer token = {0};
    unsigned char der[128], raw[64];
    size_t size = sizeof der;
    snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
    tenant_base64_append(TENANT_BASE64_URL, slice_from_string(header), &token);
    buffer_append_byte(&token, '.');
    tenant_base64_append(TENANT_BASE64_URL, slice_from_string(claims), &token);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, idp->key), 1);
    assert_int_equal(EVP_DigestSign(context, der, &size, (unsigned char *)token.data, token.size), 1);
    EVP_MD_CTX_free(context);
    const unsigned char *start = der;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &start, (long)size);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32);
    ECDSA_SIG_free(pair);
    buffer_append_byte(&token, '.');
    tenant_base64_append(TENANT_BASE64_URL, slice_make(raw, sizeof raw), &token);
    snprintf(idp->token, sizeof idp->token, "{\"access_token\":\"x\",\"token_type\":\"Bearer\",\"id_token\":\"%.*s\"}",
             SLICE_ARGS(buffer_slice(&token)));
    buffer_free(&token);
}
