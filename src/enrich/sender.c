/* SPDX-License-Identifier: Apache-2.0 */
/* A look for words that only devices of people say; the user agent rules of a later step make it exact. */
#include "enrich/sender.h"

static const char *const sender_device_words[] = {
    "Windows", "Macintosh", "Mac OS", "Darwin/", "iPhone", "iPad", "iOS", "Android", "X11", "Linux", "linux-gnu",
    "CrOS", "Tizen", "PlayStation", "Xbox", "Nintendo", "Mobile", "Model=", "SmartTV", "Firefox/", "Chrome/",
    "Safari/", "Opera",
};

bool sender_is_server(struct slice user_agent)
{
    for (size_t i = 0; i < sizeof sender_device_words / sizeof sender_device_words[0]; i++)
        if (slice_find(user_agent, slice_from_string(sender_device_words[i])) >= 0) return false;
    return true;
}
