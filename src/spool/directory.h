/* SPDX-License-Identifier: Apache-2.0 */
/* The spool's folder: who may use it, the names and numbers of segments, quarantine, and what a restart finds. */
#ifndef SPOOL_DIRECTORY_H
#define SPOOL_DIRECTORY_H

#include "base/arena.h"
#include "block/block.h"
#include "os/file.h"
#include "spool/segment.h"

/*
 * Model
 *   lock                          held with flock(2) by the one process that uses the folder
 *   number                        text: this folder's node and the highest number that may have been used
 *   <20 digits>.segment           segments, open or sealed
 *   quarantine/<20 digits>.segment and .reason
 *   replay/<20 digits>.segment    taken out of quarantine by a person: the spool takes them back
 * A segment's number is node << 40 | counter. The counter is reserved in steps, so that one replaced file serves many
 * segments; numbers reserved and not used before a stop are skipped. The node is random: when the whole folder is lost and
 * made anew, its numbers still do not meet those the event store has seen (chance 1 in 32,767).
 */
#define SPOOL_PATH_LIMIT 4096
#define SPOOL_NODE_SHIFT 40
#define SPOOL_NUMBER_STEP 64

struct spool_directory {
    const struct os_file_system *files;
    char path[SPOOL_PATH_LIMIT];
    int lock_fd;
    uint64_t node;
    uint64_t directory_id;
    uint64_t next_counter;
    uint64_t reserved_counter; /* counters below it may be given out without touching the disk */
};

/* Makes the folder when absent, locks it, reads or makes `number`. ERROR_CONFLICT when another process holds the lock. */
enum error_code spool_directory_open(struct spool_directory *directory, const char *path,
                                     const struct os_file_system *files, struct error *error) MUST_CHECK;
/* Gives the lock back. Safe on a directory that failed to open. */
void spool_directory_close(struct spool_directory *directory);

/* A new segment's file, its header written but not synced (the first group's sync covers it), its name durable. */
enum error_code spool_directory_create_segment(struct spool_directory *directory, int64_t now_ms, uint64_t *ret_number,
                                               int *ret_fd, struct error *error) MUST_CHECK;
/* The first `size` bytes of a segment (UINT64_MAX: all). ERROR_CORRUPT when the file is shorter than asked for. */
enum error_code spool_directory_read_segment(struct spool_directory *directory, uint64_t number, uint64_t size,
                                             struct buffer *out, struct error *error) MUST_CHECK;
enum error_code spool_directory_remove_segment(struct spool_directory *directory, uint64_t number, struct error *error);
/* Writes the reason and how many rows can be read, then moves the segment beside it. */
enum error_code spool_directory_quarantine(struct spool_directory *directory, uint64_t number, const char *reason,
                                           uint64_t rows, struct error *error) MUST_CHECK;
/* Sum of the rows that the reasons in quarantine/ name. */
enum error_code spool_directory_quarantined_rows(struct spool_directory *directory, uint64_t *ret_rows,
                                                 struct error *error) MUST_CHECK;
/* Changes whenever a name in quarantine/ came or went; 0 when that cannot be told. */
int64_t spool_directory_quarantine_changed_ns(struct spool_directory *directory);

struct spool_found_segment {
    uint64_t number;
    uint64_t rows;
    uint64_t bytes;
    int64_t created_ms;
};
struct spool_recovery {
    struct spool_found_segment *segments; /* in the arena, by number */
    size_t count;
    size_t quarantined;
    uint64_t cut_bytes; /* of torn tails: nothing in them was acknowledged */
};
/*
 * Takes the oldest segment below `below` out of replay/ and judges it as recovery would: it waits for the store
 * (*ret_keep), or is back in quarantine. ERROR_NOT_FOUND when there is none.
 */
enum error_code spool_directory_take_back(struct spool_directory *directory, uint64_t below,
                                          const struct block_schema *const *schemas, size_t schema_count, bool *ret_keep,
                                          struct spool_found_segment *ret_found, struct error *error) MUST_CHECK;
/*
 * Looks at every segment in the folder and in replay/. Torn tails are cut, segments without a whole group are removed, corrupt ones and
 * those with unknown tables go to quarantine. ERROR_INVALID for a segment of a newer format, which stays as it is.
 */
enum error_code spool_directory_recover(struct spool_directory *directory, const struct block_schema *const *schemas,
                                        size_t schema_count, struct arena *arena, struct spool_recovery *ret_recovery,
                                        struct error *error) MUST_CHECK;

#endif
