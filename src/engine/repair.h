/* SPDX-License-Identifier: Apache-2.0 */
/* Takes entries out of the engine's deduplication logs that name parts which never came to be. */
#ifndef ENGINE_REPAIR_H
#define ENGINE_REPAIR_H

#include <stddef.h>
#include "base/error.h"
#include "base/slice.h"

/*
 * Model: the engine writes an insert's token into deduplication_logs/deduplication_log_N.txt of the table before it
 * publishes the part. Killed between the two, the token stays and the same insert is swallowed for ever after. So
 * before the directory is opened after an unclean end, each line "1 <TAB> part <TAB> block id" is kept only if a
 * directory of the table covers the part: same partition, minimum block <= part's block <= maximum block. Lines that
 * are torn or not of that form go too: the engine would refuse to load the table.
 */

/* `directory` is the engine's path (the one that contains store/). Must not be open. *ret_removed counts lines. */
enum error_code engine_repair_deduplication_logs(const char *directory, size_t *ret_removed,
                                                 struct error *error) MUST_CHECK;

/* "all_3_7_1" or "all_3_7_1_9" gives "all", 3, 7; false for any other name. */
bool engine_repair_parse_part(struct slice name, struct slice *partition, uint64_t *minimum, uint64_t *maximum);

#endif
