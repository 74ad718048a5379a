/* SPDX-License-Identifier: Apache-2.0 */
/* Derived keys, seals, tokens and Argon2 against published vectors, damage and crowds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <argon2.h>
#include <stdatomic.h>

#include "os/clock.h"
#include "os/thread.h"
#include "tenant/base64.h"
#include "tenant/secret.h"
#include "tenant/secret_priv.h"

static const unsigned char secret[TENANT_SECRET_SIZE] = "an installation's secret bytes ";

static void to_hex(const unsigned char *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void derives_as_rfc_5869_says(void **state)
{
    unsigned char key[80], salt[80], info[80], out[82];
    char hex[165];
    memset(key, 0x0b, 22);
    for (int i = 0; i < 13; i++) salt[i] = (unsigned char)i;
    for (int i = 0; i < 10; i++) info[i] = (unsigned char)(0xf0 + i);
    secret_hkdf(slice_make(key, 22), slice_make(salt, 13), slice_make(info, 10), out, 42);
    to_hex(out, 42, hex);
    assert_string_equal("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865", hex);
    secret_hkdf(slice_make(key, 22), SLICE_EMPTY, SLICE_EMPTY, out, 42);
    to_hex(out, 42, hex);
    assert_string_equal("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8", hex);
    for (int i = 0; i < 80; i++) {
        key[i] = (unsigned char)i;
        salt[i] = (unsigned char)(0x60 + i);
        info[i] = (unsigned char)(0xb0 + i);
    }
    secret_hkdf(slice_make(key, 80), slice_make(salt, 80), slice_make(info, 80), out, 82);
    to_hex(out, 82, hex);
    assert_string_equal("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87", hex);
}

static void gives_each_purpose_its_own_key(void **state)
{
    unsigned char a[TENANT_SECRET_SIZE], again[TENANT_SECRET_SIZE], b[TENANT_SECRET_SIZE], other[TENANT_SECRET_SIZE];
    unsigned char other_secret[TENANT_SECRET_SIZE] = {1};
    tenant_secret_derive(secret, "jwt", a);
    tenant_secret_derive(secret, "jwt", again);
    tenant_secret_derive(secret, "jwt2", b);
    tenant_secret_derive(other_secret, "jwt", other);
    assert_memory_equal(a, again, sizeof a);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, other, sizeof a);
}

static void opens_what_it_sealed(void **state)
{
    char text[300];
    memset(text, 'x', sizeof text);
    for (size_t size = 0; size <= sizeof text; size = size * 2 + 1) {
        struct buffer sealed = {0}, again = {0}, open = {0};
        struct error error;
        tenant_secret_seal(secret, "totp", slice_make(text, size), &sealed);
        tenant_secret_seal(secret, "totp", slice_make(text, size), &again);
        assert_true(slice_starts_with(buffer_slice(&sealed), SLICE("s1:")));
        assert_false(slice_equal(buffer_slice(&sealed), buffer_slice(&again)));
        buffer_append_string(&open, "before ");
        assert_int_equal(ERROR_NONE, tenant_secret_open(secret, "totp", buffer_slice(&sealed), &open, &error));
        assert_true(slice_equal(slice_make(text, size), slice_from(buffer_slice(&open), 7)));
        buffer_free(&sealed);
        buffer_free(&again);
        buffer_free(&open);
    }
}

static void refuses_any_changed_byte_another_purpose_and_another_secret(void **state)
{
    struct buffer sealed = {0}, open = {0};
    struct error error;
    unsigned char other[TENANT_SECRET_SIZE] = {1};
    tenant_secret_seal(secret, "totp", SLICE("a text that is secret"), &sealed);
    assert_int_equal(ERROR_CORRUPT, tenant_secret_open(secret, "mail", buffer_slice(&sealed), &open, &error));
    assert_int_equal(ERROR_CORRUPT, tenant_secret_open(other, "totp", buffer_slice(&sealed), &open, &error));
    for (size_t i = 0; i < sealed.size; i++) {
        char kept = sealed.data[i];
        sealed.data[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(ERROR_CORRUPT, tenant_secret_open(secret, "totp", buffer_slice(&sealed), &open, &error));
        sealed.data[i] = kept;
    }
    for (size_t size = 0; size < sealed.size; size++)
        assert_int_equal(ERROR_CORRUPT,
                         tenant_secret_open(secret, "totp", slice_first(buffer_slice(&sealed), size), &open, &error));
    assert_int_equal(0, open.size);
    assert_int_equal(ERROR_NONE, tenant_secret_open(secret, "totp", buffer_slice(&sealed), &open, &error));
    buffer_free(&sealed);
    buffer_free(&open);
}

static void makes_tokens_that_differ(void **state)
{
    char a[TENANT_TOKEN_SIZE + 1], b[TENANT_TOKEN_SIZE + 1], hash[65];
    struct buffer bytes = {0};
    tenant_token_make(a);
    tenant_token_make(b);
    assert_string_not_equal(a, b);
    assert_int_equal(TENANT_TOKEN_SIZE, strlen(a));
    assert_true(tenant_base64_decode(TENANT_BASE64_URL, slice_from_string(a), &bytes));
    assert_int_equal(32, bytes.size);
    buffer_free(&bytes);
    tenant_token_hash(SLICE("abc"), hash);
    assert_string_equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hash);
    assert_true(tenant_secret_equal(SLICE("same"), SLICE("same")));
    assert_false(tenant_secret_equal(SLICE("same"), SLICE("samf")));
    assert_false(tenant_secret_equal(SLICE("same"), SLICE("sam")));
    assert_true(tenant_secret_equal(SLICE_EMPTY, SLICE_EMPTY));
}

static void reads_base64_in_one_way_only(void **state)
{
    static const struct { const char *text, *bytes; } good[] = {
        {"", ""}, {"Zg", "f"}, {"Zm8", "fo"}, {"Zm9v", "foo"}, {"Zm9vYg", "foob"}, {"Zm9vYmE", "fooba"}, {"Zm9vYmFy", "foobar"}};
    static const char *const bad[] = {"Z", "Zg==", "Zh", "Zm9", "Zm9v\n", "Zm9vY", "Z.", "+/+/"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct buffer out = {0}, text = {0};
        assert_true(tenant_base64_decode(TENANT_BASE64_URL, slice_from_string(good[i].text), &out));
        assert_true(slice_equal(slice_from_string(good[i].bytes), buffer_slice(&out)));
        tenant_base64_append(TENANT_BASE64_PLAIN, buffer_slice(&out), &text);
        assert_true(slice_equal(slice_from_string(good[i].text), buffer_slice(&text)));
        buffer_free(&out);
        buffer_free(&text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buffer out = {0};
        if (tenant_base64_decode(TENANT_BASE64_URL, slice_from_string(bad[i]), &out)) fail_msg("read %s", bad[i]);
        assert_int_equal(0, out.size);
        buffer_free(&out);
    }
}

static void agrees_with_the_reference_argon2(void **state)
{
    struct error error;
    bool fits;
    /* From the tests of the reference implementation. */
    static const char published[] = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    assert_int_equal(ERROR_NONE, tenant_argon2_verify(published, SLICE("password"), &fits, &error));
    assert_true(fits);
    assert_int_equal(ERROR_NONE, tenant_argon2_verify(published, SLICE("passwore"), &fits, &error));
    assert_false(fits);
    /* Both ways against the library's own encoding. */
    char phc[TENANT_PHC_LIMIT];
    assert_int_equal(ERROR_NONE, tenant_argon2_hash(TENANT_ARGON2_PASSWORD, SLICE("correct horse"), phc, &error));
    assert_true(slice_starts_with(slice_from_string(phc), SLICE("$argon2id$v=19$m=65536,t=3,p=4$")));
    assert_int_equal(ARGON2_OK, argon2id_verify(phc, "correct horse", 13));
    assert_int_equal(ERROR_NONE, tenant_argon2_verify(phc, SLICE("correct horse"), &fits, &error));
    assert_true(fits);
    assert_int_equal(ERROR_NONE, tenant_argon2_hash(TENANT_ARGON2_KEY, SLICE("key"), phc, &error));
    assert_true(slice_starts_with(slice_from_string(phc), SLICE("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_int_equal(ARGON2_OK, argon2id_verify(phc, "key", 3));
    char theirs[256];
    assert_int_equal(ARGON2_OK, argon2id_hash_encoded(1, 512, 2, "other", 5, "saltsaltsalt", 12, 24, theirs, sizeof theirs));
    assert_int_equal(ERROR_NONE, tenant_argon2_verify(theirs, SLICE("other"), &fits, &error));
    assert_true(fits);
}

static void fits_nothing_to_an_unreadable_hash(void **state)
{
    static const char *const texts[] = {
        "", "$", "plain", "$argon2i$v=19$m=512,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=999999999,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=512,t=1,p=1$c29tZXNhbHQ$", "$argon2id$v=19$m=8,t=1,p=4$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"};
    struct error error;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        bool fits = true;
        assert_int_equal(ERROR_NONE, tenant_argon2_verify(texts[i], SLICE_EMPTY, &fits, &error));
        assert_false(fits);
    }
}

static long resident_kib(void)
{
    long pages = 0, total = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(2, fscanf(file, "%ld %ld", &total, &pages));
    fclose(file);
    return pages * 4;
}

static void gives_its_memory_back(void **state)
{
    struct error error;
    bool fits;
    long before = resident_kib();
    for (int i = 0; i < 3; i++) assert_int_equal(ERROR_NONE, tenant_argon2_verify("", SLICE("x"), &fits, &error));
    assert_in_range(resident_kib(), 0, before + 16 * 1024);
}

struct crowd {
    struct secret_gate gate;
    atomic_int inside, most, entered, refused;
};

static void crowd_run(void *context)
{
    struct crowd *crowd = context;
    for (int i = 0; i < 200; i++) {
        if (!secret_gate_enter(&crowd->gate, 5000)) {
            atomic_fetch_add(&crowd->refused, 1);
            continue;
        }
        int now = atomic_fetch_add(&crowd->inside, 1) + 1, most = atomic_load(&crowd->most);
        while (now > most && !atomic_compare_exchange_weak(&crowd->most, &most, now)) {
        }
        atomic_fetch_add(&crowd->entered, 1);
        sched_yield();
        atomic_fetch_sub(&crowd->inside, 1);
        secret_gate_leave(&crowd->gate);
    }
}

static void lets_only_so_many_in_at_once(void **state)
{
    struct crowd crowd = {.gate = SECRET_GATE(2)};
    struct os_thread threads[6] = {0};
    struct error error;
    for (int i = 0; i < 6; i++) assert_int_equal(ERROR_NONE, os_thread_start(&threads[i], "crowd", crowd_run, &crowd, &error));
    for (int i = 0; i < 6; i++) os_thread_join(&threads[i]);
    assert_int_equal(1200, crowd.entered);
    assert_int_equal(0, crowd.refused);
    assert_in_range(crowd.most, 1, 2);
}

static void gives_up_waiting_at_the_deadline(void **state)
{
    struct secret_gate gate = SECRET_GATE(1);
    assert_true(secret_gate_enter(&gate, 0));
    int64_t start = os_clock_monotonic_ms();
    assert_false(secret_gate_enter(&gate, 30));
    assert_in_range(os_clock_monotonic_ms() - start, 29, 5000);
    secret_gate_leave(&gate);
    assert_true(secret_gate_enter(&gate, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derives_as_rfc_5869_says),
        cmocka_unit_test(gives_each_purpose_its_own_key),
        cmocka_unit_test(opens_what_it_sealed),
        cmocka_unit_test(refuses_any_changed_byte_another_purpose_and_another_secret),
        cmocka_unit_test(makes_tokens_that_differ),
        cmocka_unit_test(reads_base64_in_one_way_only),
        cmocka_unit_test(agrees_with_the_reference_argon2),
        cmocka_unit_test(fits_nothing_to_an_unreadable_hash),
        cmocka_unit_test(gives_its_memory_back),
        cmocka_unit_test(lets_only_so_many_in_at_once),
        cmocka_unit_test(gives_up_waiting_at_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
