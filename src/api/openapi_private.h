/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files that write the OpenAPI document share. */
#ifndef API_OPENAPI_PRIVATE_H
#define API_OPENAPI_PRIVATE_H

#include "api/openapi.h"

void openapi_text(struct json_writer *json, const char *key, const char *text);
/* `text` is one complete JSON value. */
void openapi_raw(struct json_writer *json, const char *key, const char *text);

enum openapi_use { OPENAPI_REQUEST, OPENAPI_CREATE, OPENAPI_UPDATE };
/* The schema of an object with these fields, as they may be sent. */
void openapi_fields_schema(struct json_writer *json, const struct control_field *fields, enum openapi_use use);
/* The schema of an answer to a list of rows. */
void openapi_list_schema(struct json_writer *json, const struct query_list *list);
void openapi_components(struct json_writer *json, const struct api_openapi_source *source);

#endif
