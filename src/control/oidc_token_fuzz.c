/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: a key set on the first line, an identity token on the second: both are read or refused. */
#include "base/buffer.h"
#include "control/oidc_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make(data, size), keys_text = slice_cut(&rest, '\n');
    struct slice token = slice_cut(&rest, '\n');
    struct buffer padded = {0};
    buffer_append_slice(&padded, keys_text);
    buffer_append_zeros(&padded, JSON_PADDING);
    struct oidc_keys *keys = NULL;
    struct arena *arena = arena_create(1 << 20);
    if (!padded.failed && arena && oidc_keys_read(slice_make(padded.data, keys_text.size), &keys, NULL) == ERROR_NONE) {
        /* The times and names of the corpus, so that its tokens go all the way. */
        struct oidc_token_rules rules = {.issuer = SLICE("https://login.example"),
                                         .audience = SLICE("millrace"),
                                         .nonce = SLICE("n-1"),
                                         .now_ms = 1789000000000};
        struct oidc_claims claims;
        if (oidc_token_check(arena, token, keys, &rules, &claims, NULL) == ERROR_NONE) ASSERT(claims.subject.size > 0);
    }
    oidc_keys_destroy(keys);
    arena_destroy(arena);
    buffer_free(&padded);
    return 0;
}
