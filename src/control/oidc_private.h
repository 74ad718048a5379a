/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of single sign-on share. */
#ifndef CONTROL_OIDC_PRIVATE_H
#define CONTROL_OIDC_PRIVATE_H

#include <openssl/evp.h>

#include "control/action.h"
#include "control/oidc_token.h"
#include "control/session.h"

enum oidc_algorithm { OIDC_RS256, OIDC_ES256, OIDC_ALGORITHM_COUNT };
struct oidc_key {
    enum oidc_algorithm algorithm;
    char id[128]; /* "kid"; may be empty */
    size_t id_size;
    EVP_PKEY *key;
};
struct oidc_keys {
    size_t count;
    struct oidc_key keys[OIDC_KEYS_LIMIT];
};

/* A row of identity_providers, of a living organization. */
struct oidc_provider {
    char id[37], organization_id[37], default_role_id[37]; /* no role: "" */
    char code[65], name[129], issuer[513], client_id[257];
    struct slice client_secret;   /* opened, in the arena; empty: a public client */
    struct slice allowed_domains; /* one a line */
    bool auto_create_users;
};
/* Active ones only. By its code; or by its id when `code` is empty. ERROR_NOT_FOUND. */
enum error_code oidc_provider_find(const struct control_call *call, struct meta_session *session, struct slice code,
                                   const char *id, struct oidc_provider *ret_provider, struct error *error) MUST_CHECK;
/* {"data":[{"code":..,"name":..}]}. Of the organization of that code; when it is empty, and more than one organization has
 * providers, none: who the customers of an installation are is nobody's business. */
enum error_code oidc_provider_list(const struct control_call *call, struct slice organization_code, struct buffer *out,
                                   struct error *error) MUST_CHECK;

/* Whether this is an installation on one machine (no http.public_url, or a loopback one): there http to loopback will do. */
bool oidc_is_local(const struct control_call *call);

/* What a provider publishes about itself (OpenID Connect Discovery). Text lives in the arena. */
struct oidc_endpoints {
    struct slice authorization, token, keys;
    bool secret_in_form; /* the provider does not take the client's secret by HTTP Basic */
};
/* `may_be_plain`: http to a loopback host is good enough. From the cache, or fetched. */
enum error_code oidc_discover(const struct control_call *call, struct slice issuer, bool may_be_plain,
                              struct oidc_endpoints *ret_endpoints, struct error *error) MUST_CHECK;
/* Checks a token against the provider's keys; when the token names a key that the cached ones do not have, they are
 * fetched again, once. */
enum error_code oidc_check_with_provider(const struct control_call *call, const struct oidc_endpoints *endpoints,
                                         bool may_be_plain, struct slice token, const struct oidc_token_rules *rules,
                                         struct oidc_claims *ret_claims, struct error *error) MUST_CHECK;
/* Tests begin with an empty cache. */
void oidc_cache_clear(void);

/* Why somebody was not let in; the word goes to the page (/#error=sso_..) and into the audit event. */
enum oidc_refusal {
    OIDC_ACCEPTED,
    OIDC_EXPIRED,            /* no such login under way, or not of this browser, or too long ago */
    OIDC_DENIED,             /* the provider says no */
    OIDC_UNAVAILABLE,        /* the provider cannot be reached or answers nonsense */
    OIDC_TOKEN_REFUSED,
    OIDC_EMAIL_UNVERIFIED,
    OIDC_NO_ACCOUNT,         /* and none may be made */
    OIDC_ACCOUNT_LOCKED,     /* locked, inactive */
    OIDC_ACCOUNT_PROTECTED,  /* a super administrator: no organization's provider may vouch for one */
    OIDC_ACCOUNT_ELSEWHERE,  /* the address belongs to another organization */
    OIDC_REFUSAL_COUNT
};
const char *oidc_refusal_name(enum oidc_refusal refusal);

/*
 * Finds, links or makes the user of an identity, in the caller's transaction, each with its audit event. *ret_refusal
 * other than OIDC_ACCEPTED: nothing was changed, *ret_user is who it would have been (id "" : nobody).
 */
enum error_code oidc_user_resolve(const struct control_call *call, struct meta_session *session,
                                  const struct oidc_provider *provider, const struct oidc_claims *claims,
                                  struct control_user *ret_user, enum oidc_refusal *ret_refusal,
                                  struct error *error) MUST_CHECK;

#endif
