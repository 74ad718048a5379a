/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses are opened, and what happens when one is taken. */
#include "server/address.h"

#include "base/log.h"
#include "os/socket.h"

enum error_code server_addresses_read(const struct settings *settings, struct server_address addresses[SERVER_ADDRESS_COUNT],
                                      struct error *error)
{
    const struct {
        const char *name, *setting, *value;
    } table[SERVER_ADDRESS_COUNT] = {{"ready", "listen", settings->listen},
                                     {"otlp.grpc", "otlp.grpc_listen", settings->otlp_grpc_listen},
                                     {"otlp.http", "otlp.http_listen", settings->otlp_http_listen}};
    for (size_t i = 0; i < SERVER_ADDRESS_COUNT; i++) {
        struct server_address *address = &addresses[i];
        struct error inner = {0};
        *address = (struct server_address){.name = table[i].name, .setting = table[i].setting,
                                           .is_wanted = i == 0 || table[i].value[0]};
        if (!address->is_wanted || os_socket_parse_address(table[i].value, address->host, &address->port, &inner) == ERROR_NONE) continue;
        return error_set_field(error, ERROR_INVALID, address->setting, "setting %s: %s", address->setting, inner.message);
    }
    return ERROR_NONE;
}

enum error_code server_address_open(struct server_address *address, struct os_loop *loop, const struct listen_settings *listen,
                                    struct listen_listener **ret_listener, struct error *error)
{
    *ret_listener = NULL;
    if (!address->is_wanted) return ERROR_NONE;
    struct listen_settings settings = *listen;
    struct error inner = {0};
    settings.host = address->host;
    settings.port = address->port;
    enum error_code code = address->is_open ? ERROR_NONE : os_socket_check_free(address->host, address->port, &inner);
    if (code == ERROR_NONE) code = listen_listener_create(loop, &settings, ret_listener, &inner);
    bool is_default = settings_origin(address->setting) == SETTINGS_DEFAULT && strcmp(address->setting, "listen") != 0;
    if (code != ERROR_NONE && !address->is_open && is_default) {
        log_warn("%s: %s; it is off (choose another address, or set it empty)", address->setting, inner.message);
        address->is_wanted = false;
        return ERROR_NONE;
    }
    if (code != ERROR_NONE)
        return error_set_field(error, code, address->setting, "setting %s: %s", address->setting, inner.message);
    address->port = listen_listener_port(*ret_listener);
    address->is_open = true;
    bool version6 = strchr(address->host, ':') != NULL;
    snprintf(address->url, sizeof address->url, "%s://%s%s%s:%u", listen->tls ? "https" : "http", version6 ? "[" : "", address->host, version6 ? "]" : "",
             address->port);
    return ERROR_NONE;
}
