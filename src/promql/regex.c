/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of matchers and label_replace: RE2's language, matched by PCRE2 with a step limit. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "promql/evaluate.h"
#include "promql/node.h"

/*
 * PCRE2 understands more than RE2. What RE2 does not have Prometheus refuses, and so does every store that matches with
 * RE2: it is refused here as well. These walk over one part each; `at` is the place of its first character.
 */

/* Behind "(?": a named group, or flags; else what is wrong. */
static const char *check_group(struct slice pattern, size_t at)
{
    struct slice rest = slice_from(pattern, at);
    if (slice_starts_with(rest, SLICE("(*"))) return "missing argument to repetition operator";
    if (!slice_starts_with(rest, SLICE("(?")) || slice_starts_with(rest, SLICE("(?P<"))) return NULL;
    size_t i = 2;
    while (i < rest.size && strchr("imsU-", rest.data[i]) && rest.data[i]) i++;
    bool ends = i < rest.size && (rest.data[i] == ':' || (rest.data[i] == ')' && i > 2));
    return ends ? NULL : "invalid or unsupported Perl syntax";
}

static const char *check_escape(struct slice pattern, size_t at)
{
    char c = at + 1 < pattern.size ? pattern.data[at + 1] : 0;
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool known = letter ? strchr("afnrtvxAbBzdDsSwWpPQE", c) != NULL : !(c >= '8' && c <= '9');
    /* Octal has more digits; one alone would be a backreference. */
    if (c >= '1' && c <= '7') {
        char next = at + 2 < pattern.size ? pattern.data[at + 2] : 0;
        known = next >= '0' && next <= '7';
    }
    return known ? NULL : "invalid escape sequence";
}

/* A repetition {n}, {n,} or {n,m}: its length, 0 for braces that are none; RE2 counts to 1000. */
static size_t repetition(struct slice pattern, size_t at, bool *too_large)
{
    uint64_t numbers[2] = {0, 0};
    size_t i = at + 1, parts = 0;
    for (; parts < 2; parts++) {
        size_t digits = i;
        while (i < pattern.size && pattern.data[i] >= '0' && pattern.data[i] <= '9') i++;
        if (i == digits && parts == 0) return 0;
        struct slice number = slice_make(pattern.data + digits, i - digits);
        if (number.size && !slice_parse_uint64(number, &numbers[parts])) numbers[parts] = 1001;
        if (parts == 0 && i < pattern.size && pattern.data[i] == ',') i++;
        else break;
    }
    *too_large = numbers[0] > 1000 || numbers[1] > 1000;
    return i < pattern.size && pattern.data[i] == '}' ? i + 1 - at : 0;
}

static const char *regex_foreign_part(struct slice pattern)
{
    bool in_class = false, repeated = false; /* the last part was a repetition */
    for (size_t i = 0; i < pattern.size; i++) {
        const char *problem = NULL;
        char c = pattern.data[i];
        size_t braces = 0;
        bool too_large = false, repeats = false;
        if (c == '\\' && i + 1 < pattern.size && pattern.data[i + 1] == 'Q' && !in_class) {
            ptrdiff_t end = slice_find(slice_from(pattern, i), SLICE("\\E"));
            i = end < 0 ? pattern.size : i + (size_t)end + 1;
        } else if (c == '\\') {
            problem = check_escape(pattern, i++);
        } else if (in_class) {
            if (c == ']') in_class = false;
        } else if (c == '[') {
            in_class = true;
            /* A first ']' is a plain character. */
            if (i + 1 < pattern.size && pattern.data[i + 1] == '^') i++;
            if (i + 1 < pattern.size && pattern.data[i + 1] == ']') i++;
        } else if (c == '(') {
            problem = check_group(pattern, i);
        } else if (c == '*' || c == '+' || c == '?' ||
                   (c == '{' && (braces = repetition(pattern, i, &too_large)) > 0)) {
            if (too_large) problem = "invalid repeat count";
            /* Behind a repetition only '?' means something: lazy. */
            if (repeated && c != '?') problem = "invalid nested repetition operator";
            if (braces) i += braces - 1;
            repeats = !(repeated && c == '?');
        }
        if (problem) return problem;
        repeated = repeats;
    }
    return NULL;
}

enum error_code promql_regex_compile(struct slice pattern, void **code, struct error *error)
{
    const char *foreign = regex_foreign_part(pattern);
    if (foreign) return error_set(error, ERROR_INVALID, "error parsing regexp: %s", foreign);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context) return error_set(error, ERROR_MEMORY, "out of memory");
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    /* Nested groups recurse in the compiler; RE2 allows 1000. */
    pcre2_set_parens_nest_limit(context, 250);
    int number;
    PCRE2_SIZE offset;
    *code = pcre2_compile((PCRE2_SPTR)pattern.data, pattern.size,
                          PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_UTF |
                              PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
                          &number, &offset, context);
    pcre2_compile_context_free(context);
    if (*code) return ERROR_NONE;
    char message[200];
    pcre2_get_error_message(number, (PCRE2_UCHAR *)message, sizeof message);
    return error_set(error, ERROR_INVALID, "error parsing regexp: %s at offset %zu", message, (size_t)offset);
}

void promql_regex_free(void *code) { pcre2_code_free(code); }

enum error_code promql_regex_match(const void *code, struct slice value, size_t *groups, size_t group_limit, bool *fits,
                                   struct error *error)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    enum error_code result = ERROR_NONE;
    *fits = false;
    if (!data || !context) {
        result = error_set(error, ERROR_MEMORY, "out of memory");
    } else {
        pcre2_set_match_limit(context, PROMQL_REGEX_STEP_LIMIT);
        int found = pcre2_match(code, (PCRE2_SPTR)value.data, value.size, 0, 0, data, context);
        *fits = found > 0;
        if (found < 0 && found != PCRE2_ERROR_NOMATCH)
            result = error_set(error, ERROR_INVALID,
                               "a regular expression takes more than %d steps for one value: make it simpler",
                               PROMQL_REGEX_STEP_LIMIT);
        if (*fits && groups) {
            const PCRE2_SIZE *places = pcre2_get_ovector_pointer(data);
            for (size_t i = 0; i < group_limit; i++) {
                groups[2 * i] = i < (size_t)found ? places[2 * i] : SIZE_MAX;
                groups[2 * i + 1] = i < (size_t)found ? places[2 * i + 1] : SIZE_MAX;
            }
        }
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    return result;
}

int promql_regex_group(const void *code, struct slice name)
{
    char text[64]; /* PCRE2 names have at most 32 characters */
    if (name.size >= sizeof text) return -1;
    memcpy(text, name.data, name.size);
    text[name.size] = 0;
    int number = pcre2_substring_number_from_name(code, (PCRE2_SPTR)text);
    return number > 0 ? number : -1;
}

enum error_code promql_matcher_test(const struct promql_matcher *matcher, struct slice value, bool *fits,
                                    struct error *error)
{
    bool is_regex = matcher->match == PROMQL_REGEX || matcher->match == PROMQL_NOT_REGEX;
    if (is_regex) {
        enum error_code code = promql_regex_match(matcher->code, value, NULL, 0, fits, error);
        if (code) return code;
    } else {
        *fits = slice_equal(matcher->value, value);
    }
    if (matcher->match == PROMQL_NOT_EQUAL || matcher->match == PROMQL_NOT_REGEX) *fits = !*fits;
    return ERROR_NONE;
}

enum error_code promql_selector_test(const struct promql_selector *selector, const struct promql_labels *labels,
                                     bool *fits, struct error *error)
{
    *fits = true;
    for (size_t i = 0; *fits && i < selector->matcher_count; i++) {
        const struct promql_matcher *matcher = &selector->matchers[i];
        enum error_code code = promql_matcher_test(matcher, promql_labels_get(labels, matcher->name), fits, error);
        if (code) return code;
    }
    return ERROR_NONE;
}
