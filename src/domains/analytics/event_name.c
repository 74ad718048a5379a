/* SPDX-License-Identifier: Apache-2.0 */
/* Reserved names, and pieces of attacks that no event is called after. */
#include "domains/analytics/event_name.h"

/* Lower case; looked for anywhere in the name, in any case. */
static const char *const attack_pieces[] = {
    "../", "..\\", "${", "#{", "%{", "{{", "<script", "<!doctype", "<?php", "<%", "javascript:", "union select",
    "union all select", "' or '", "\" or \"", "or 1=1", "sleep(", "waitfor delay", "information_schema",
    "/etc/passwd", "/etc/shadow", "/proc/self", "win.ini", "boot.ini", "cmd.exe", "powershell", "/bin/sh",
    "/bin/bash", "wget http", "curl http", "bcc:", "content-type:", "/cgi-bin/", "/.env", "/.git", "/wp-",
    "/phpmyadmin", "xmlrpc.php", "jndi:", "ldap://", "file://", "php://", "%00",
};

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c; }

/* "/x.php", also before a query. */
static bool is_php_path(struct slice name)
{
    ptrdiff_t at = name.size > 0 && name.data[0] == '/' ? slice_find(name, SLICE(".php")) : -1;
    if (at < 0) return false;
    struct slice rest = slice_from(name, (size_t)at + 4);
    return rest.size == 0 || rest.data[0] == '?' || rest.data[0] == '/';
}

const char *event_name_refusal(struct slice name)
{
    char text[EVENT_NAME_LIMIT_OPENPANEL_BYTES];
    if (name.size == 0) return "must not be empty";
    if (name.size > sizeof text) return "must not be longer than 80 bytes";
    if (slice_equal(name, SLICE("session_start")) || slice_equal(name, SLICE("session_end")))
        return "is reserved: the server makes session_start and session_end itself";
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '\r' || name.data[i] == '\n') return "must not hold line breaks";
        text[i] = lower(name.data[i]);
    }
    struct slice lowered = slice_make(text, name.size);
    if (is_php_path(lowered)) return "looks like a scanner's probe";
    for (size_t i = 0; i < sizeof attack_pieces / sizeof attack_pieces[0]; i++)
        if (slice_find(lowered, slice_from_string(attack_pieces[i])) >= 0) return "looks like a scanner's probe";
    return NULL;
}
