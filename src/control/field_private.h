/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader and the writer of fields share. */
#ifndef CONTROL_FIELD_PRIVATE_H
#define CONTROL_FIELD_PRIVATE_H

#include "control/field.h"

/* The upper bound of a field: its own, or its type's. */
int64_t control_field_most(const struct control_field *field);

#endif
