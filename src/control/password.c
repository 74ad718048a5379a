/* SPDX-License-Identifier: Apache-2.0 */
/* Judges passwords by what guessers try: lists, words with digits around, runs, repetitions, the owner's names. */
#include "control/password.h"

#include "base/embedded.h"
#include "base/uuid.h"
#include "control/control.h"

extern const struct embedded_file control_passwords[];

/* Characters that must be left when the owner's names are taken out. */
#define PASSWORD_OWN_LEAST 6
/* A repetition of up to so many bytes is one piece, said often. */
#define PASSWORD_PERIOD_LIMIT 4

static bool password_is_letter(char c) { return c >= 'a' && c <= 'z'; }

/* The list's words are compared with signs that stand for letters read as those: p@$$w0rd. */
static char password_unmask(char c)
{
    switch (c) {
    case '@': return 'a';
    case '0': return 'o';
    case '3': return 'e';
    case '1': return 'i';
    case '!': return 'i';
    case '$': return 's';
    case '5': return 's';
    default: return c;
    }
}

static bool password_is_repetition(struct slice text)
{
    for (size_t period = 1; period <= PASSWORD_PERIOD_LIMIT; period++) {
        size_t i = period;
        while (i < text.size && text.data[i] == text.data[i - period]) i++;
        if (i >= text.size) return true;
    }
    return false;
}

static bool password_is_run(struct slice text)
{
    static const char *const rows[] = {
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "0123456789012345678901234567890123456789",
        "qwertyuiopasdfghjklzxcvbnmqwertyuiop", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
        "qazwsxedcrfvtgbyhnujmikolp", "`1234567890-=qwertyuiop[]asdfghjkl;'zxcvbnm,./"};
    char backwards[CONTROL_PASSWORD_LIMIT];
    for (size_t i = 0; i < text.size; i++) backwards[text.size - 1 - i] = text.data[i];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice row = slice_from_string(rows[i]);
        if (slice_find(row, text) >= 0 || slice_find(row, slice_make(backwards, text.size)) >= 0) return true;
    }
    return false;
}

/* Whether `text` is `word` once or more, one after the other. */
static bool password_is_word_again(struct slice text, struct slice word)
{
    if (text.size == 0 || text.size % word.size) return false;
    for (size_t i = 0; i < text.size; i += word.size)
        if (memcmp(text.data + i, word.data, word.size) != 0) return false;
    return true;
}

static struct slice password_core(struct slice text)
{
    while (text.size && !password_is_letter(text.data[0])) text = slice_from(text, 1);
    while (text.size && !password_is_letter(text.data[text.size - 1])) text.size--;
    return text;
}

static bool password_is_common(struct slice lower)
{
    char unmasked_bytes[CONTROL_PASSWORD_LIMIT];
    struct slice core = password_core(lower), unmasked = {unmasked_bytes, core.size};
    for (size_t i = 0; i < core.size; i++) unmasked_bytes[i] = password_unmask(core.data[i]);
    struct slice rest = {(const char *)control_passwords[0].data, control_passwords[0].size};
    while (rest.size) {
        struct slice word = slice_trim(slice_cut(&rest, '\n'));
        if (word.size == 0 || word.data[0] == '#') continue;
        if (slice_equal(lower, word)) return true;
        if (password_core(word).size == word.size &&
            (password_is_word_again(core, word) || password_is_word_again(unmasked, word)))
            return true;
    }
    return false;
}

/* Takes every occurrence of a word of three bytes or more out of `text`, in place. */
static void password_take_out(char *text, size_t *size, struct slice word)
{
    char lower[256];
    if (word.size < 3 || word.size > sizeof lower) return;
    for (size_t i = 0; i < word.size; i++)
        lower[i] = word.data[i] >= 'A' && word.data[i] <= 'Z' ? (char)(word.data[i] - 'A' + 'a') : word.data[i];
    ptrdiff_t at;
    while ((at = slice_find(slice_make(text, *size), slice_make(lower, word.size))) >= 0) {
        memmove(text + at, text + at + word.size, *size - (size_t)at - word.size);
        *size -= word.size;
    }
}

#define PASSWORD_OWN_WORDS 16
static bool password_is_owner(struct slice lower, const struct control_password_owner *owner)
{
    char left[CONTROL_PASSWORD_LIMIT];
    size_t size = lower.size, count = 5;
    struct slice domain = owner->email, local = slice_cut(&domain, '@'), rest = domain;
    struct slice words[PASSWORD_OWN_WORDS] = {owner->email, domain, slice_cut(&rest, '.'), owner->first_name, owner->last_name};
    words[count++] = local;
    while (local.size && count < PASSWORD_OWN_WORDS) { /* ann.lee+shop: its parts too */
        size_t end = 0;
        while (end < local.size && !strchr(".+-_", local.data[end])) end++;
        words[count++] = slice_first(local, end);
        local = slice_from(local, end + 1);
    }
    memcpy(left, lower.data, size);
    /* The longest first: of "annabel" nothing may be left because "ann" was taken out. */
    for (size_t done = 0; done < count; done++) {
        size_t longest = 0;
        for (size_t i = 1; i < count; i++)
            if (words[i].size > words[longest].size) longest = i;
        password_take_out(left, &size, words[longest]);
        words[longest].size = 0;
    }
    return size < PASSWORD_OWN_LEAST;
}

enum error_code control_password_check(struct slice password, const struct control_password_owner *owner,
                                       const char *field, struct error *error)
{
    size_t characters = 0;
    for (size_t i = 0; i < password.size; i++) characters += ((unsigned char)password.data[i] & 0xC0) != 0x80;
    if (!slice_is_utf8(password) || slice_index_of(password, 0) >= 0)
        return error_set_field(error, ERROR_INVALID, field, "a password must be UTF-8 text");
    if (characters < CONTROL_PASSWORD_LEAST)
        return error_set_field(error, ERROR_INVALID, field,
                               "a password must have at least %d characters; four words do well", CONTROL_PASSWORD_LEAST);
    if (password.size > CONTROL_PASSWORD_LIMIT)
        return error_set_field(error, ERROR_INVALID, field, "a password must have at most %d bytes",
                               CONTROL_PASSWORD_LIMIT);
    char bytes[CONTROL_PASSWORD_LIMIT];
    for (size_t i = 0; i < password.size; i++) {
        char c = password.data[i];
        bytes[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    struct slice lower = slice_make(bytes, password.size);
    if (password_is_repetition(lower) || password_is_run(lower))
        return error_set_field(error, ERROR_INVALID, field,
                               "this password is one run or repetition of characters; four words do well");
    if (password_is_common(lower))
        return error_set_field(error, ERROR_INVALID, field,
                               "this password is one that many people choose; four words of your own do well");
    if (owner && password_is_owner(lower, owner))
        return error_set_field(error, ERROR_INVALID, field,
                               "this password is made of your name or e-mail address; four other words do well");
    return ERROR_NONE;
}

void control_random_text(char *out, size_t count)
{
    static const char digits[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"; /* 32: five bits of a byte choose fairly */
    _Static_assert(sizeof digits == 33, "thirty-two digits");
    uuid_random_bytes(out, count);
    for (size_t i = 0; i < count; i++) out[i] = digits[(unsigned char)out[i] & 31];
}

void control_password_make(char out[CONTROL_PASSWORD_MADE_SIZE + 1])
{
    control_random_text(out, CONTROL_PASSWORD_MADE_SIZE);
    out[CONTROL_PASSWORD_MADE_SIZE] = 0;
}
