/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys for tests. */
#include "listen/tls_fixture.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/error.h"

EVP_PKEY *listen_tls_fixture_key(const char *path, const char *passphrase)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    FILE *file = fopen(path, "w");
    ASSERT(file != NULL);
    ASSERT(PEM_write_PrivateKey(file, key, passphrase ? EVP_aes_128_cbc() : NULL, (const unsigned char *)passphrase,
                                          passphrase ? (int)strlen(passphrase) : 0, NULL, NULL) == 1);
    fclose(file);
    return key;
}

void listen_tls_fixture_certificate(const char *path, EVP_PKEY *key, const char *name, time_t end)
{
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_time_adj(X509_getm_notBefore(certificate), -365 * 86400L, &end);
    X509_time_adj(X509_getm_notAfter(certificate), 0, &end);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    ASSERT(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = fopen(path, "w");
    ASSERT(file != NULL);
    ASSERT(PEM_write_X509(file, certificate) == 1);
    fclose(file);
    X509_free(certificate);
}
