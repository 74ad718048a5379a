/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the mail server's password and checks the settings. */
#include "server/mail_settings.h"

#include "os/file.h"

#define MAIL_PASSWORD_FILE_LIMIT 4096

enum error_code mail_settings_read(const struct settings *settings, struct buffer *password,
                                   struct control_mail_settings *ret_mail, struct error *error)
{
    *ret_mail = (struct control_mail_settings){.url = settings->mail_url,
                                               .from = settings->mail_from,
                                               .user = settings->mail_user,
                                               .password = settings->mail_password,
                                               .ca_file = settings->mail_ca_file};
    if (!settings->mail_url[0]) return ERROR_NONE;
    if (settings->mail_password[0] && settings->mail_password_file[0])
        return error_set_field(error, ERROR_INVALID, "mail.password_file",
                               "give mail.password or mail.password_file, not both");
    if (settings->mail_password_file[0]) {
        enum error_code code = os_file_read(settings->mail_password_file, MAIL_PASSWORD_FILE_LIMIT, password, error);
        if (code != ERROR_NONE) return code;
        ptrdiff_t end = slice_index_of(buffer_slice(password), '\n');
        if (end >= 0) buffer_truncate(password, (size_t)end);
        if (password->size && password->data[password->size - 1] == '\r') buffer_truncate(password, password->size - 1);
        buffer_append_byte(password, 0);
        if (password->failed) return error_set(error, ERROR_MEMORY, "out of memory for the mail server's password");
        ret_mail->password = password->data;
    }
    return control_mail_settings_check(ret_mail, error);
}
