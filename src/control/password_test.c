/* SPDX-License-Identifier: Apache-2.0 */
/* Which passwords are refused and why; one-time passwords against the vectors of RFC 6238. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "control/password.h"
#include "control/totp.h"

static const struct control_password_owner ann = {SLICE("ann.lee+shop@northwind.example"), SLICE("Annabel"), SLICE("Lee")};

static const struct {
    const char *password, *complaint; /* NULL: good */
} cases[] = {
    {"four words do well", NULL},
    {"correct horse battery", NULL},
    {"xk4-plomberie-77", NULL},
    {"\xc3\xa9\xc3\xa9\xc3\xa0\xc3\xbc" "blaumond99", NULL},
    {"qwertzuiopasd-mais-non", NULL},
    {"northwind owes me lunch", NULL},
    {"elevenchars", "at least 12"},
    {"\xc3\xa9\xc3\xa8\xc3\xa9\xc3\xa8\xc3\xa9\xc3\xa8", "at least 12"}, /* 12 bytes, 6 characters */
    {"", "at least 12"},
    {"bad utf8 \xff\xff\xff", "UTF-8"},
    {"aaaaaaaaaaaaaa", "repetition"},
    {"abcabcabcabcab", "repetition"},
    {"123456789012", "run"},
    {"987654321098", "run"},
    {"qwertyuiopas", "run"},
    {"lkjhgfdsapoiuytrewq", "run"},
    {"1qaz2wsx3edc", "run"},
    {"Password1234", "many people"},
    {"P@ssw0rd2026!", "many people"},
    {"passwordpassword", "many people"},
    {"2026Winter2026!", "many people"},
    {"MillraceMillrace1", "many people"},
    {"correcthorsebatterystaple", "many people"},
    {"thisismypassword", "many people"},
    {"ann.lee+shop@northwind.example", "name or e-mail"},
    {"Northwind-2026", "name or e-mail"},
    {"annabel-lee-12", "name or e-mail"},
};

static void judges_passwords(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        enum error_code code = control_password_check(slice_from_string(cases[i].password), &ann, "new", &error);
        if (code != (cases[i].complaint ? ERROR_INVALID : ERROR_NONE) ||
            (cases[i].complaint && !strstr(error.message, cases[i].complaint)))
            fail_msg("%s: %s %s", cases[i].password, error_code_name(code), error.message);
        if (code) {
            assert_string_equal("new", error.field);
            if (cases[i].password[0]) assert_null(strstr(error.message, cases[i].password));
        }
    }
}

static void takes_a_long_sentence_but_not_a_book(void **state)
{
    char text[CONTROL_PASSWORD_LIMIT + 1];
    struct error error;
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + i * i % 23);
    assert_int_equal(ERROR_NONE, control_password_check(slice_make(text, CONTROL_PASSWORD_LIMIT), &ann, "p", &error));
    assert_int_equal(ERROR_INVALID, control_password_check(slice_make(text, CONTROL_PASSWORD_LIMIT + 1), &ann, "p", &error));
}

static void makes_passwords_it_would_take(void **state)
{
    char first[CONTROL_PASSWORD_MADE_SIZE + 1], other[CONTROL_PASSWORD_MADE_SIZE + 1];
    struct error error;
    control_password_make(first);
    control_password_make(other);
    assert_int_equal(CONTROL_PASSWORD_MADE_SIZE, strlen(first));
    assert_string_not_equal(first, other);
    assert_int_equal(ERROR_NONE, control_password_check(slice_from_string(first), NULL, "p", &error));
}

/* RFC 6238, appendix B: SHA-1, 8 digits. */
static void makes_the_codes_of_rfc_6238(void **state)
{
    static const struct { int64_t seconds; uint32_t code; } vectors[] = {
        {59, 94287082}, {1111111109, 7081804}, {1111111111, 14050471}, {1234567890, 89005924},
        {2000000000, 69279037}, {20000000000, 65353130}};
    struct slice secret = SLICE("12345678901234567890");
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        assert_int_equal(vectors[i].code, control_totp_code(secret, vectors[i].seconds / 30, 8));
        char text[8];
        int64_t step = 0;
        snprintf(text, sizeof text, "%06u", vectors[i].code % 1000000);
        assert_true(control_totp_check(secret, slice_from_string(text), vectors[i].seconds * 1000, 0, &step));
        assert_int_equal(vectors[i].seconds / 30, step);
    }
}

static void takes_codes_one_step_off_but_none_before_the_last_used(void **state)
{
    struct slice secret = SLICE("12345678901234567890");
    int64_t now_ms = 1769860800000, now_step = now_ms / 30000, step = 0;
    for (int64_t off = -3; off <= 3; off++) {
        char text[8];
        snprintf(text, sizeof text, "%06u", control_totp_code(secret, now_step + off, 6));
        bool near = off >= -1 && off <= 1;
        assert_int_equal(near, control_totp_check(secret, slice_from_string(text), now_ms, 0, &step));
        if (near) assert_int_equal(now_step + off, step);
        assert_int_equal(near && off > 0, control_totp_check(secret, slice_from_string(text), now_ms, now_step, &step));
    }
    assert_false(control_totp_check(secret, SLICE(""), now_ms, 0, &step));
    assert_false(control_totp_check(secret, SLICE("12345"), now_ms, 0, &step));
}

static void writes_secrets_for_apps(void **state)
{
    struct buffer text = {0}, bytes = {0};
    control_base32_append(SLICE("foobar"), &text);
    assert_true(slice_equal(SLICE("MZXW6YTBOI"), buffer_slice(&text)));
    assert_true(control_base32_decode(buffer_slice(&text), &bytes));
    assert_true(slice_equal(SLICE("foobar"), buffer_slice(&bytes)));
    assert_false(control_base32_decode(SLICE("mzxw"), &bytes));
    buffer_clear(&text);
    control_totp_url_append(SLICE("Millrace"), SLICE("a@b.example"), SLICE("foobar"), &text);
    assert_true(slice_equal(SLICE("otpauth://totp/Millrace:a%40b.example?secret=MZXW6YTBOI&issuer=Millrace&algorithm=SHA1"
                                  "&digits=6&period=30"),
                            buffer_slice(&text)));
    buffer_free(&text);
    buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_passwords),
        cmocka_unit_test(takes_a_long_sentence_but_not_a_book),
        cmocka_unit_test(makes_passwords_it_would_take),
        cmocka_unit_test(makes_the_codes_of_rfc_6238),
        cmocka_unit_test(takes_codes_one_step_off_but_none_before_the_last_used),
        cmocka_unit_test(writes_secrets_for_apps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
