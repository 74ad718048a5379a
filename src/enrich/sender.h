/* SPDX-License-Identifier: Apache-2.0 */
/* Tells programs that send events for others (backends, scripts) from the devices of people, by User-Agent alone. */
#ifndef ENRICH_SENDER_H
#define ENRICH_SENDER_H

#include "base/slice.h"

/* True for no User-Agent, for "name/1.2.3", and for texts that name no operating system, browser or device. */
bool sender_is_server(struct slice user_agent);

#endif
