/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of matchers and label_replace: RE2's language, matched by PCRE2 with a step limit. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "promql/evaluate.h"
#include "promql/node.h"

/* What PCRE2 understands and RE2 does not: Prometheus refuses it, and so does every store with RE2. */
static const char *const regex_foreign_groups[] = {"(?=", "(?!",  "(?<=", "(?<!", "(?>", "(?|", "(?#",
                                                   "(?R", "(?&",  "(?(",  "(?0",  "(?1", "(?+", "(?-1",
                                                   "(*",  "(?P>", "(?P=", "(?'",  "(?C"};

static const char *regex_foreign_part(struct slice pattern)
{
    bool in_class = false;
    for (size_t i = 0; i < pattern.size; i++) {
        char c = pattern.data[i];
        char next = i + 1 < pattern.size ? pattern.data[i + 1] : 0;
        if (c == '\\') {
            if (next == 'Q') return "\\Q";
            if (!in_class && ((next >= '1' && next <= '9') || (next && strchr("kgKGXRHhVNZ", next))))
                return "a backreference or an escape that RE2 does not have";
            i++;
        } else if (in_class) {
            if (c == ']') in_class = false;
        } else if (c == '[') {
            in_class = true;
            /* A first ']' is a plain character. */
            if (next == '^') i++;
            if (i + 1 < pattern.size && pattern.data[i + 1] == ']') i++;
        } else if (c == '(') {
            struct slice rest = slice_from(pattern, i);
            for (size_t k = 0; k < sizeof regex_foreign_groups / sizeof *regex_foreign_groups; k++)
                if (slice_starts_with(rest, slice_from_string(regex_foreign_groups[k]))) return regex_foreign_groups[k];
        } else if (next == '+' && (c == '*' || c == '+' || c == '?' || c == '}')) {
            return "a possessive repetition";
        }
    }
    return NULL;
}

enum error_code promql_regex_compile(struct slice pattern, void **code, struct error *error)
{
    const char *foreign = regex_foreign_part(pattern);
    if (foreign) return error_set(error, ERROR_INVALID, "error parsing regexp: %s is not supported", foreign);
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
