/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the first line is the Authorization header, the second the cookies, the third an Origin, the rest rules. */
#include "tenant/authorization.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make(data, size), key_id, secret;
    struct slice authorization = slice_cut(&rest, '\n'), cookie = slice_cut(&rest, '\n'), origin = slice_cut(&rest, '\n');
    struct tenant_credentials credentials;
    struct error error;
    if (tenant_authorization_parse(authorization, cookie, &credentials, &error) == ERROR_NONE) {
        ASSERT((credentials.kind == TENANT_CREDENTIALS_NONE) == (credentials.text.size == 0));
        if (tenant_key_split(credentials.text, &key_id, &secret))
            ASSERT(key_id.size > 0 && (secret.size == 0 || secret.size == TENANT_KEY_SECRET_SIZE));
    }
    struct arena *arena = arena_create(0);
    struct tenant_key key = {0};
    if (arena && tenant_key_rules_read(arena, rest, rest, &key)) {
        tenant_origin_fits(key.origins, key.origin_count, origin);
        ASSERT(!tenant_origin_fits(key.origins, key.origin_count, SLICE("null")));
    }
    arena_destroy(arena);
    return 0;
}
