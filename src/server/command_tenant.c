/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace tenant`: creates and lists tenants, makes and revokes keys; a running server notices within a second. */
#include "base/json_writer.h"
#include "meta/migrate_meta.h"
#include "server/commands.h"
#include "server/places.h"
#include "tenant/tenancy.h"

struct tenant_print {
    bool json;
    struct buffer out;
    struct json_writer writer;
};

static void tenant_print_field(struct json_writer *writer, const char *name, const char *value)
{
    json_writer_key(writer, name);
    json_writer_string(writer, slice_from_string(value));
}

static void tenant_print_flush(struct tenant_print *print)
{
    fwrite(print->out.data, 1, print->out.size, stdout);
    if (print->json) putchar('\n');
    buffer_free(&print->out);
}

static enum error_code tenant_create(struct meta_database *database, const struct options *options, struct tenant_print *print,
                                     struct error *error)
{
    struct tenancy_new_tenant made;
    enum error_code code = tenancy_tenant_create(database, slice_from_string(options->positional[1]), &made, error);
    if (code != ERROR_NONE) return code;
    if (print->json) {
        json_writer_object_begin(&print->writer);
        tenant_print_field(&print->writer, "tenant", made.tenant.id);
        tenant_print_field(&print->writer, "name", made.tenant.name);
        tenant_print_field(&print->writer, "code", made.tenant.code);
        tenant_print_field(&print->writer, "write_key", made.write_key.text);
        tenant_print_field(&print->writer, "secret_key", made.secret_key.text);
        json_writer_object_end(&print->writer);
    } else {
        buffer_printf(&print->out,
                      "tenant      %s (%s)\nwrite key   %s   sends events; safe to publish in a page\n"
                      "secret key  %s   sends and asks; shown only now\n",
                      made.tenant.id, made.tenant.code, made.write_key.text, made.secret_key.text);
    }
    return ERROR_NONE;
}

static enum error_code tenant_list_row(void *context, const struct tenancy_tenant *tenant, struct error *error)
{
    struct tenant_print *print = context;
    if (!print->json) {
        buffer_printf(&print->out, "%s  %-8s  %-24s %s\n", tenant->id, tenant->active ? "active" : "inactive", tenant->code, tenant->name);
        return ERROR_NONE;
    }
    json_writer_object_begin(&print->writer);
    tenant_print_field(&print->writer, "tenant", tenant->id);
    tenant_print_field(&print->writer, "code", tenant->code);
    tenant_print_field(&print->writer, "name", tenant->name);
    json_writer_key(&print->writer, "active");
    json_writer_bool(&print->writer, tenant->active);
    json_writer_object_end(&print->writer);
    return ERROR_NONE;
}

static enum error_code tenant_list(struct meta_database *database, const struct options *options, struct tenant_print *print,
                                   struct error *error)
{
    if (print->json) json_writer_array_begin(&print->writer);
    enum error_code code = tenancy_tenant_list(database, tenant_list_row, print, error);
    if (print->json) json_writer_array_end(&print->writer);
    return code;
}

static enum error_code tenant_revoke(struct meta_database *database, const struct options *options, struct tenant_print *print,
                                     struct error *error)
{
    enum error_code code = tenancy_key_revoke(database, slice_from_string(options->positional[1]), SLICE("revoked from the command line"), error);
    if (code != ERROR_NONE) return code;
    if (print->json) buffer_append_string(&print->out, "{\"revoked\":true}");
    else buffer_append_string(&print->out, "revoked; running servers refuse it within a second\n");
    return ERROR_NONE;
}

static const struct {
    const char *name;
    size_t arguments;
    enum error_code (*run)(struct meta_database *, const struct options *, struct tenant_print *, struct error *);
} tenant_actions[] = {{"create", 2, tenant_create}, {"list", 1, tenant_list}, {"revoke-key", 2, tenant_revoke}};

int command_tenant(int argc, char **argv)
{
    struct tenant_print print = {0};
    print.writer.out = &print.out;
    const struct option flags[] = {
        {"json", NULL, NULL, &print.json, "print JSON"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace tenant create NAME | list | revoke-key KEY  --data DIR [--json]",
        .description = "Works with and without a running server. Keys are shown once, when they are made.",
        .options = flags, .positional_names = "create NAME, list or revoke-key KEY", .positional_least = 1, .positional_most = 2,
        .takes_settings = true};
    struct settings settings;
    struct options options;
    struct error error;
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    size_t action = 0, count = sizeof tenant_actions / sizeof tenant_actions[0];
    while (action < count && strcmp(tenant_actions[action].name, options.positional[0]) != 0) action++;
    if (action == count || tenant_actions[action].arguments != options.positional_count) {
        error_set(&error, ERROR_INVALID, "usage: %s", table.usage);
        return command_fail(&error);
    }
    char metadata[PATH_MAX];
    struct meta_database *database = NULL;
    code = places_find_metadata(&settings, metadata, &error);
    if (code == ERROR_NONE) code = meta_open_service(metadata, META_SERVICE_CORE, NULL, NULL, &database, &error);
    if (code == ERROR_NONE) code = tenant_actions[action].run(database, &options, &print, &error);
    if (code == ERROR_NONE) tenant_print_flush(&print);
    meta_close(database);
    return code == ERROR_NONE ? EXIT_DONE : command_fail(&error);
}
