/* SPDX-License-Identifier: Apache-2.0 */
/* From the settings to what mail is sent with. */
#ifndef SERVER_MAIL_SETTINGS_H
#define SERVER_MAIL_SETTINGS_H

#include "base/buffer.h"
#include "control/mail.h"
#include "server/settings.h"

/* The password is read from mail.password_file when that is set; `password` keeps it and must live as long as the
 * result. Nothing is looked at while mail.url is empty. ERROR_INVALID names the setting that is wrong. */
enum error_code mail_settings_read(const struct settings *settings, struct buffer *password,
                                   struct control_mail_settings *ret_mail, struct error *error) MUST_CHECK;

#endif
