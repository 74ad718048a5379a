/* SPDX-License-Identifier: Apache-2.0 */
/* From uap-core's words to those that the clients of both products know. */
#ifndef ENRICH_USER_AGENT_NAMES_H
#define ENRICH_USER_AGENT_NAMES_H

#include "base/slice.h"

/* "Mobile Chrome" for uap-core's "Chrome Mobile iOS"; a name that is the same in both comes back as it is. */
struct slice user_agent_browser_name(struct slice family);
struct slice user_agent_os_name(struct slice family);
/* For brands that are no brand ("Generic_Android"): the maker whose models begin so, or empty. */
struct slice user_agent_brand_name(struct slice brand, struct slice model);
/* Empty for models that only repeat the kind of device ("Smartphone", "iOS-Device"). */
struct slice user_agent_model_name(struct slice model);

/* mobile, tablet, smarttv, console, wearable, desktop: by what the text says, then by `os`, `brand` and `model`, all as
 * uap-core has them. Empty when nothing says so, as for most
 * desktops. */
struct slice user_agent_device_type(struct slice text, struct slice os, struct slice brand, struct slice model);
/* Libraries that send requests for programs: "curl/8.4.0 (x86_64-pc-linux-gnu)". */
bool user_agent_is_library(struct slice text);

#endif
