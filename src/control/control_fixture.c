/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of control/ share. */
#include "control/control_fixture.h"

int control_fixture_setup(void **state)
{
    struct control_fixture *fixture = calloc(1, sizeof *fixture);
    struct meta_session *session = NULL;
    fixture->backend = *state;
    fixture->backend->create(fixture->location);
    memset(fixture->control.secret, 7, sizeof fixture->control.secret);
    if (control_open(fixture->location, &fixture->control, &fixture->error)) fail_msg("%s", fixture->error.message);
    fixture->parser = json_parser_create();
    fixture->reader = json_parser_create();
    fixture->call = (struct control_call){.control = &fixture->control, .arena = arena_create(0),
                                          .actor = {.ip_address = SLICE_EMPTY, .user_agent = SLICE_EMPTY},
                                          .now_ms = INT64_C(1769860800000)};
    assert_int_equal(meta_session_begin(fixture->control.core, 0, &session, &fixture->error), ERROR_NONE);
    assert_int_equal(meta_begin(session, &fixture->error), ERROR_NONE);
    if (control_defaults_ensure(&fixture->call, session, &fixture->defaults, &fixture->error))
        fail_msg("%s", fixture->error.message);
    assert_int_equal(meta_commit(session, &fixture->error), ERROR_NONE);
    meta_session_end(session);
    *state = fixture;
    return 0;
}

int control_fixture_teardown(void **state)
{
    struct control_fixture *fixture = *state;
    control_close(&fixture->control);
    fixture->backend->destroy(fixture->location);
    arena_destroy(fixture->call.arena);
    json_parser_destroy(fixture->parser);
    json_parser_destroy(fixture->reader);
    buffer_free(&fixture->out);
    for (size_t i = 0; i < fixture->text_count; i++) free(fixture->texts[i]);
    free(fixture);
    return 0;
}

struct json_value control_fixture_json(struct control_fixture *fixture, const char *text)
{
    struct json_value root;
    size_t size = strlen(text);
    assert_true(size + JSON_PADDING <= sizeof fixture->padded);
    memcpy(fixture->padded, text, size);
    assert_int_equal(json_parse(fixture->parser, slice_make(fixture->padded, size), &root, &fixture->error),
                     ERROR_NONE);
    return root;
}

enum error_code control_fixture_create(struct control_fixture *fixture, const struct control_resource *resource,
                                       const char *body)
{
    buffer_clear(&fixture->out);
    fixture->error = (struct error){0};
    return control_resource_create(&fixture->call, resource, control_fixture_json(fixture, body), &fixture->out,
                                   &fixture->error);
}

enum error_code control_fixture_update(struct control_fixture *fixture, const struct control_resource *resource,
                                       const char *id, const char *body)
{
    buffer_clear(&fixture->out);
    fixture->error = (struct error){0};
    return control_resource_update(&fixture->call, resource, slice_from_string(id), control_fixture_json(fixture, body),
                                   &fixture->out, &fixture->error);
}

enum error_code control_fixture_get(struct control_fixture *fixture, const struct control_resource *resource,
                                    const char *id)
{
    buffer_clear(&fixture->out);
    fixture->error = (struct error){0};
    return control_resource_get(&fixture->call, resource, slice_from_string(id), &fixture->out, &fixture->error);
}

static struct json_value fixture_answer(struct control_fixture *fixture)
{
    struct json_value root;
    size_t size = fixture->out.size;
    buffer_append_zeros(&fixture->out, JSON_PADDING);
    if (json_parse(fixture->reader, slice_make(fixture->out.data, size), &root, &fixture->error))
        fail_msg("not JSON: %.*s", (int)size, fixture->out.data);
    buffer_truncate(&fixture->out, size);
    return root;
}

size_t control_fixture_list(struct control_fixture *fixture, const struct control_resource *resource,
                            struct control_page page)
{
    struct json_value data;
    buffer_clear(&fixture->out);
    fixture->error = (struct error){0};
    if (control_resource_list(&fixture->call, resource, &page, &fixture->out, &fixture->error))
        fail_msg("%s", fixture->error.message);
    assert_true(json_object_get(fixture_answer(fixture), SLICE("data"), &data));
    return json_array_size(data);
}

static const char *fixture_text(struct control_fixture *fixture, struct json_value object, const char *name)
{
    struct json_value value;
    struct buffer text = {0};
    if (!json_object_get(object, slice_from_string(name), &value)) fail_msg("no %s", name);
    if (json_value_type(value) == JSON_STRING) buffer_append_slice(&text, json_value_string(value));
    else json_value_write(value, &text);
    buffer_append_byte(&text, 0);
    assert_true(fixture->text_count < 256);
    return fixture->texts[fixture->text_count++] = text.data;
}

const char *control_fixture_member(struct control_fixture *fixture, const char *name)
{
    return fixture_text(fixture, fixture_answer(fixture), name);
}

const char *control_fixture_row_member(struct control_fixture *fixture, size_t row, const char *name)
{
    struct json_value data, child;
    struct slice key;
    assert_true(json_object_get(fixture_answer(fixture), SLICE("data"), &data));
    struct json_iterator iterator = json_iterate(data);
    for (size_t i = 0; json_next(&iterator, &key, &child); i++)
        if (i == row) return fixture_text(fixture, child, name);
    fail_msg("no row %zu", row);
    return NULL;
}

static enum error_code fixture_take_number(void *context, const struct meta_row *row, struct error *error)
{
    *(int64_t *)context = meta_row_integer(row, 0);
    return ERROR_NONE;
}

static int64_t fixture_query(struct control_fixture *fixture, struct meta_database *database, const char *sql,
                             const struct meta_value *parameters, size_t count)
{
    struct meta_session *session;
    int64_t number = -1;
    assert_int_equal(meta_session_begin(database, 0, &session, &fixture->error), ERROR_NONE);
    if (meta_query(session, sql, parameters, count, fixture_take_number, &number, &fixture->error))
        fail_msg("%s", fixture->error.message);
    meta_session_end(session);
    return number;
}

int64_t control_fixture_number(struct control_fixture *fixture, const char *sql)
{
    return fixture_query(fixture, fixture->control.core, sql, NULL, 0);
}

void control_fixture_execute(struct control_fixture *fixture, const char *sql)
{
    struct meta_session *session;
    assert_int_equal(meta_session_begin(fixture->control.core, 0, &session, &fixture->error), ERROR_NONE);
    if (meta_execute_script(session, sql, &fixture->error)) fail_msg("%s", fixture->error.message);
    meta_session_end(session);
}

int control_fixture_audited(struct control_fixture *fixture, struct meta_database *database, const char *action)
{
    char pattern[128];
    snprintf(pattern, sizeof pattern, "%%\"action\":\"%s\"%%", action);
    return (int)fixture_query(fixture, database, "select count(*) from audit_outbox where event like $1",
                              META_PARAMETERS(meta_string(pattern)));
}
