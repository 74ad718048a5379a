/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of settings, files and the machine. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "control/transfer.h"
#include "listen/tls.h"
#include "os/socket.h"
#include "server/doctor.h"
#include "server/mail_settings.h"

#define DOCTOR_GIB (1024.0 * 1024 * 1024)
#define DOCTOR_DAY_MS 86400000LL
/* Those that renew by themselves do so a month before the end: less says that it did not work. */
#define DOCTOR_RENEW_DAYS 14

/* ---- files ---- */

/* Says so when others than the owner may read it. True when it is there and nobody can. */
static bool doctor_check_private(struct doctor_finding *finding, const char *what, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        doctor_say(finding, DOCTOR_FAIL, "%s %s: %s", what, path, strerror(errno));
        doctor_advise(finding, "check the setting and the rights of the user that runs millrace");
        return false;
    }
    if (status.st_mode & 077) {
        doctor_say(finding, DOCTOR_FAIL, "%s %s is open to other users of this machine (mode %03o)", what, path,
                   (unsigned)status.st_mode & 0777);
        doctor_advise(finding, "chmod %s %s", S_ISDIR(status.st_mode) ? "700" : "600", path);
        return false;
    }
    if (status.st_uid != geteuid()) {
        doctor_say(finding, DOCTOR_WARN, "%s %s belongs to the user with number %u, and this is %u", what, path,
                   (unsigned)status.st_uid, (unsigned)geteuid());
        doctor_advise(finding, "run doctor as the user that runs the server, or give it the file");
        return false;
    }
    doctor_say(finding, DOCTOR_OK, "%s is readable by its owner alone", what);
    return true;
}

static void check_data_folder(const struct doctor *doctor, struct doctor_finding *finding)
{
    (void)doctor_check_private(finding, "the data folder", doctor->settings->data);
}

static void check_secret_file(const struct doctor *doctor, struct doctor_finding *finding)
{
    char path[4200];
    const struct settings *settings = doctor->settings;
    if (settings->security_secret_file[0]) {
        (void)doctor_check_private(finding, "the secret", settings->security_secret_file);
        return;
    }
    snprintf(path, sizeof path, "%s/secret", settings->data);
    if (access(path, F_OK) == 0) (void)doctor_check_private(finding, "the secret", path);
    else if (settings->meta_url[0]) {
        doctor_say(finding, DOCTOR_WARN, "the secret lies in the metadata database, beside what it seals");
        doctor_advise(
            finding,
            "set security.secret_file, the same on all servers, so that a copy of the database alone opens nothing");
    } else doctor_say(finding, DOCTOR_OK, "there is no secret yet: the server makes it at its first start");
}

static void check_password_files(const struct doctor *doctor, struct doctor_finding *finding)
{
    const struct settings *settings = doctor->settings;
    const char *const paths[] = {settings->store_password_file, settings->mail_password_file};
    doctor_say(finding, DOCTOR_OK, "no password stands in a setting or in an open file");
    for (size_t i = 0; i < 2; i++)
        if (paths[i][0] && !doctor_check_private(finding, "the password file", paths[i])) return;
    if (settings->store_password[0] || settings->mail_password[0]) {
        doctor_say(finding, DOCTOR_WARN,
                   "%s is given as a setting, where it is seen in process lists, environments and configuration files",
                   settings->store_password[0] ? "store.password" : "mail.password");
        doctor_advise(finding, "use %s", settings->store_password[0] ? "store.password_file" : "mail.password_file");
    }
}

static void check_disk_space(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct statvfs disk;
    if (statvfs(doctor->settings->data, &disk) != 0) {
        doctor_say(finding, DOCTOR_WARN, "the disk of %s cannot be looked at: %s", doctor->settings->data,
                   strerror(errno));
        doctor_advise(finding, "check the setting data");
        return;
    }
    double free_bytes = (double)disk.f_bavail * (double)disk.f_frsize,
           all_bytes = (double)disk.f_blocks * (double)disk.f_frsize;
    double share = all_bytes > 0 ? free_bytes / all_bytes : 0;
    enum doctor_level level = free_bytes < DOCTOR_GIB || share < 0.03 ? DOCTOR_FAIL
                              : share < 0.10                          ? DOCTOR_WARN
                                                                      : DOCTOR_OK;
    doctor_say(finding, level, "%.1f GiB (%.0f %%) of the data folder's disk are free", free_bytes / DOCTOR_GIB,
               share * 100);
    if (level != DOCTOR_OK) doctor_advise(finding, "make room: with a full disk events are refused");
}

/* ---- the network ---- */

static bool doctor_is_loopback_host(const char *host)
{
    char url[300];
    snprintf(url, sizeof url, strchr(host, ':') ? "http://[%s]/" : "http://%s/", host);
    return control_transfer_is_loopback(slice_from_string(url));
}

/* The first address that is wrong or that others reach; NULL: none. */
static const char *doctor_open_address(const struct settings *settings, bool *is_wrong, struct error *error)
{
    const char *const addresses[] = {settings->listen, settings->otlp_grpc_listen, settings->otlp_http_listen};
    *is_wrong = false;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        char host[256];
        uint16_t port;
        if (i > 0 && !addresses[i][0]) continue;
        *is_wrong = os_socket_parse_address(addresses[i], host, &port, error) != ERROR_NONE;
        if (*is_wrong || !doctor_is_loopback_host(host)) return addresses[i];
    }
    return NULL;
}

static void check_listen(const struct doctor *doctor, struct doctor_finding *finding)
{
    const struct settings *settings = doctor->settings;
    struct error error = {0};
    bool is_wrong;
    const char *address = doctor_open_address(settings, &is_wrong, &error);
    if (is_wrong) {
        doctor_say(finding, DOCTOR_FAIL, "%s", error.message);
        doctor_advise(finding, "set listen to HOST:PORT");
    } else if (!address)
        doctor_say(finding, DOCTOR_OK, "only this machine reaches the server (%s)", settings->listen);
    else if (settings->tls_certificate_file[0])
        doctor_say(finding, DOCTOR_OK, "listens on %s, and speaks TLS", address);
    else if (slice_starts_with(slice_from_string(settings->public_url), SLICE("https://")))
        doctor_say(finding, DOCTOR_OK, "listens on %s; TLS is the work of what stands in front (%s)", address,
                   settings->public_url);
    else {
        doctor_say(finding, DOCTOR_FAIL,
                   "listens on %s without TLS, and http.public_url is not https: passwords and keys may travel in the open",
                   address);
        doctor_advise(finding, "set tls.certificate_file and tls.key_file; or listen on loopback behind a proxy that speaks "
                               "TLS, and set http.public_url to its https address");
    }
}

static void check_certificate(const struct doctor *doctor, struct doctor_finding *finding)
{
    const struct settings *settings = doctor->settings;
    struct listen_tls_settings files = {.certificate_file = settings->tls_certificate_file, .key_file = settings->tls_key_file};
    struct listen_tls *tls = NULL;
    struct error error = {0};
    if (!files.certificate_file[0] && !files.key_file[0]) {
        doctor_say(finding, DOCTOR_OK, "the server speaks no TLS itself");
        return;
    }
    if (listen_tls_create(&files, &tls, &error) != ERROR_NONE) {
        doctor_say(finding, DOCTOR_FAIL, "%s", error.message);
        doctor_advise(finding, "set both tls.certificate_file and tls.key_file to files that belong together");
        return;
    }
    int64_t days = (listen_tls_expires_ms(tls) - doctor->now_ms) / DOCTOR_DAY_MS;
    bool is_over = listen_tls_expires_ms(tls) <= doctor->now_ms;
    listen_tls_destroy(tls);
    if (!doctor_check_private(finding, "the key", files.key_file)) return;
    if (is_over) doctor_say(finding, DOCTOR_FAIL, "the certificate has expired: clients refuse it");
    else if (days < DOCTOR_RENEW_DAYS)
        doctor_say(finding, DOCTOR_WARN, "the certificate ends in %lld days", (long long)days);
    else doctor_say(finding, DOCTOR_OK, "the certificate is good for another %lld days", (long long)days);
    if (is_over || days < DOCTOR_RENEW_DAYS) doctor_advise(finding, "renew it: the server takes the new file without a restart");
}

static void check_public_url(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct slice url = slice_from_string(doctor->settings->public_url);
    if (url.size == 0) {
        doctor_say(finding, DOCTOR_WARN,
                   "http.public_url is empty: mails hold no links and single sign-on works on this machine only");
        doctor_advise(finding, "set http.public_url to the address people type");
    } else if (slice_starts_with(url, SLICE("https://")))
        doctor_say(finding, DOCTOR_OK, "people come by %s", doctor->settings->public_url);
    else if (control_transfer_is_loopback(url))
        doctor_say(finding, DOCTOR_OK, "people come by %s, on this machine", doctor->settings->public_url);
    else {
        doctor_say(finding, DOCTOR_FAIL, "http.public_url is not https: cookies are not kept to encrypted connections");
        doctor_advise(finding, "put a proxy that speaks TLS in front, and set http.public_url to https://...");
    }
}

static void check_trusted_proxies(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct slice rest = slice_from_string(doctor->settings->trusted_proxies);
    while (rest.size) {
        struct slice part = slice_trim(slice_cut(&rest, ','));
        if (!slice_ends_with(part, SLICE("/0"))) continue;
        doctor_say(finding, DOCTOR_FAIL, "http.trusted_proxies holds %.*s: every client may say which address it has",
                   SLICE_ARGS(part));
        doctor_advise(finding, "name the addresses of your proxies; limits and keys' address rules depend on it");
        return;
    }
    doctor_say(finding, DOCTOR_OK, "forwarding headers are believed from %s",
               doctor->settings->trusted_proxies[0] ? doctor->settings->trusted_proxies : "nobody");
}

static void check_engine_listen(const struct doctor *doctor, struct doctor_finding *finding)
{
    char host[256];
    uint16_t port;
    const char *address = doctor->settings->engine_listen;
    if (!address[0]) doctor_say(finding, DOCTOR_OK, "the event store can be reached through its private socket only");
    else {
        bool is_local = os_socket_parse_address(address, host, &port, NULL) == ERROR_NONE &&
                        doctor_is_loopback_host(host);
        doctor_say(finding, is_local ? DOCTOR_WARN : DOCTOR_FAIL,
                   "engine.listen is %s: %s may read and change the events of all tenants, without a password", address,
                   is_local ? "every program on this machine" : "everybody who reaches it");
        doctor_advise(finding, "leave engine.listen empty; `millrace sql` needs no port");
    }
}

static void check_store_url(const struct doctor *doctor, struct doctor_finding *finding)
{
    const struct settings *settings = doctor->settings;
    bool has_password = settings->store_password[0] || settings->store_password_file[0];
    struct slice rest = slice_from_string(settings->store_url);
    if (!rest.size) doctor_say(finding, DOCTOR_OK, "events lie in the embedded event store");
    else doctor_say(finding, DOCTOR_OK, "the way to the event store is encrypted or does not leave this machine");
    while (rest.size) {
        struct slice host = slice_trim(slice_cut(&rest, ','));
        if (slice_index_of(host, '@') >= 0) {
            doctor_say(finding, DOCTOR_FAIL, "store.url holds a user or a password");
            doctor_advise(finding, "use store.user and store.password_file");
            return;
        }
        if (!slice_starts_with(host, SLICE("http://")) || control_transfer_is_loopback(host)) continue;
        doctor_say(finding, has_password ? DOCTOR_FAIL : DOCTOR_WARN,
                   "store.url is plain http: events%s cross the network in the open",
                   has_password ? " and the password" : "");
        doctor_advise(finding, "use https in store.url (port 8443), with store.ca_file for certificates of your own");
    }
}

static bool doctor_text_has(struct slice text, const char *needle)
{
    return slice_find(text, slice_from_string(needle)) >= 0;
}

static void check_meta_url(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct slice text = slice_from_string(doctor->settings->meta_url), rest = text;
    if (!text.size) {
        doctor_say(finding, DOCTOR_OK, "the metadata lies in the data folder");
        return;
    }
    ptrdiff_t scheme = slice_find(rest, SLICE("://"));
    rest = slice_from(rest, scheme < 0 ? 0 : (size_t)scheme + 3);
    struct slice query = rest, authority = slice_cut(&query, '?');
    authority = slice_cut(&authority, '/');
    ptrdiff_t at = slice_index_of(authority, '@');
    struct slice user = slice_first(authority, at < 0 ? 0 : (size_t)at), host = slice_from(authority, (size_t)(at + 1));
    char host_url[300];
    snprintf(host_url, sizeof host_url, "http://%.*s/", (int)(host.size < 256 ? host.size : 256), host.data);
    bool is_local = (host.size == 0 && (doctor_text_has(query, "host=/") || doctor_text_has(query, "host=%2F") ||
                                        !doctor_text_has(query, "host="))) ||
                    control_transfer_is_loopback(slice_from_string(host_url));
    bool is_checked = doctor_text_has(query, "sslmode=verify-full"),
         is_encrypted = is_checked || doctor_text_has(query, "sslmode=require") ||
                        doctor_text_has(query, "sslmode=verify-ca");
    if (!is_local && !is_encrypted) {
        doctor_say(finding, DOCTOR_FAIL, "meta.url leads to another machine and does not insist on TLS");
        doctor_advise(finding, "add sslmode=verify-full&sslrootcert=FILE to meta.url");
    } else if (!is_local && !is_checked) {
        doctor_say(finding, DOCTOR_WARN, "meta.url insists on TLS but does not check whom it speaks to");
        doctor_advise(finding, "use sslmode=verify-full with sslrootcert in meta.url");
    } else if (slice_index_of(user, ':') >= 0 || doctor_text_has(query, "password=")) {
        doctor_say(
            finding, DOCTOR_WARN,
            "meta.url holds the password, where it is seen in process lists, environments and configuration files");
        doctor_advise(finding, "leave it out and use libpq's password file (~/.pgpass, mode 600), or a Unix socket "
                               "with peer authentication");
    } else doctor_say(finding, DOCTOR_OK, "meta.url holds no password, and the way there is safe");
}

static void check_mail(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct buffer password = {0};
    struct control_mail_settings mail;
    struct error error = {0};
    if (!doctor->settings->mail_url[0]) {
        doctor_say(finding, DOCTOR_WARN, "no mail can be sent: people cannot reset their passwords themselves");
        doctor_advise(finding, "set mail.url and mail.from");
    } else if (mail_settings_read(doctor->settings, &password, &mail, &error) != ERROR_NONE) {
        doctor_say(finding, DOCTOR_FAIL, "%s", error.message);
        doctor_advise(finding, "correct the setting %s", error.field[0] ? error.field : "mail.url");
    } else if (!doctor->settings->public_url[0]) {
        doctor_say(finding, DOCTOR_FAIL, "mail is set up, but its links lead nowhere without http.public_url");
        doctor_advise(finding, "set http.public_url");
    } else doctor_say(finding, DOCTOR_OK, "mail goes out by %s", doctor->settings->mail_url);
    if (password.data) explicit_bzero(password.data, password.size);
    buffer_free(&password);
}

static void check_telemetry(const struct doctor *doctor, struct doctor_finding *finding)
{
    const struct settings *settings = doctor->settings;
    struct slice endpoint = slice_from_string(settings->telemetry_endpoint);
    if (!endpoint.size && !settings->telemetry_key[0])
        doctor_say(finding, DOCTOR_OK, "the server keeps its own metrics and log lines to itself (telemetry.key is empty)");
    else if (!endpoint.size) doctor_say(finding, DOCTOR_OK, "the server stores its own metrics and log lines in itself");
    else if (slice_starts_with(endpoint, SLICE("https://")) || control_transfer_is_loopback(endpoint))
        doctor_say(finding, DOCTOR_OK, "the server sends its own metrics and log lines to %s", settings->telemetry_endpoint);
    else {
        doctor_say(finding, DOCTOR_FAIL, "telemetry.endpoint is plain http: log lines%s cross the network in the open",
                   settings->telemetry_key[0] ? " and the key" : "");
        doctor_advise(finding, "use https in telemetry.endpoint");
    }
}

static void check_system_user(const struct doctor *doctor, struct doctor_finding *finding)
{
    if (geteuid() != 0) doctor_say(finding, DOCTOR_OK, "runs as an ordinary user");
    else {
        doctor_say(finding, DOCTOR_WARN, "runs as root");
        doctor_advise(finding, "run the server as a user of its own");
    }
}

const struct doctor_check doctor_setting_checks[] = {
    {"data folder", check_data_folder},
    {"secret", check_secret_file},
    {"passwords", check_password_files},
    {"disk space", check_disk_space},
    {"system user", check_system_user},
    {"listen", check_listen},
    {"certificate", check_certificate},
    {"public url", check_public_url},
    {"trusted proxies", check_trusted_proxies},
    {"engine.listen", check_engine_listen},
    {"store.url", check_store_url},
    {"meta.url", check_meta_url},
    {"mail", check_mail},
    {"telemetry", check_telemetry},
    {0},
};
