/* SPDX-License-Identifier: Apache-2.0 */
/* A disk for tests: it forgets what was not synced when the power goes, fills up, and fails when told. */
#ifndef OS_FILE_FAULT_H
#define OS_FILE_FAULT_H

#include "os/file.h"

/*
 * Model: a table of functions over a real folder. All calls reach the real files, so that any reader sees what a running
 * kernel would show; beside that the fault keeps what would be on the platter: the bytes of each file at its last sync,
 * and the names of each folder at its last sync_directory. It never syncs for real: a test's power cut is
 * os_file_fault_crash, which rewrites the folder.
 *
 * What a power cut may leave, as POSIX allows it (and no more):
 *   - bytes that were synced, always; of bytes that were not, any 512-byte sector new, old, zero or another file's
 *   - a creation, rename or removal followed by sync_directory of its folder, always; others may be undone, each on its
 *     own, but never one without the earlier ones of the same file or name. A rename is whole or not at all.
 * After a sync that failed, later syncs of the file succeed without writing what the failed one held: as Linux does.
 *
 * Calls are counted from 1. All functions are safe from any thread. Out of memory stops the program: tests only.
 */
struct os_file_fault;

enum os_file_fault_call {
    OS_FILE_FAULT_CREATE, /* open_append of a file that is not there */
    OS_FILE_FAULT_APPEND,
    OS_FILE_FAULT_TRUNCATE,
    OS_FILE_FAULT_SYNC,
    OS_FILE_FAULT_RENAME,
    OS_FILE_FAULT_UNLINK,
    OS_FILE_FAULT_SYNC_DIRECTORY,
    OS_FILE_FAULT_ANY, /* all of them together */
    OS_FILE_FAULT_CALL_COUNT
};

/* Takes a folder as it is: all in it counts as synced. */
struct os_file_fault *os_file_fault_create(const char *root);
void os_file_fault_destroy(struct os_file_fault *fault);
/* Paths outside the root go to the real file system as they are. */
const struct os_file_system *os_file_fault_files(struct os_file_fault *fault);

uint64_t os_file_fault_count(struct os_file_fault *fault, enum os_file_fault_call call);
/* The calls `nth` to `nth + count - 1` of that kind, counted from now, fail with this errno. Appends write half before. */
void os_file_fault_fail(struct os_file_fault *fault, enum os_file_fault_call call, uint64_t nth, uint64_t count,
                        int error_number);
/* The power goes during call `nth` of that kind, counted from now: it and everything after fails, but for close. Whether
 * that call still did its work is the crash's to choose. */
void os_file_fault_die(struct os_file_fault *fault, enum os_file_fault_call call, uint64_t nth);
bool os_file_fault_is_dead(struct os_file_fault *fault);
/* All files together hold at most so many bytes; at that size nothing can be created or appended (ENOSPC), an append
 * over it writes what fits. Removing and truncating make room. UINT64_MAX at first. */
void os_file_fault_set_capacity(struct os_file_fault *fault, uint64_t bytes);
uint64_t os_file_fault_used(struct os_file_fault *fault);

enum os_file_fault_policy {
    OS_FILE_FAULT_KEEP,       /* everything had reached the disk */
    OS_FILE_FAULT_DROP,       /* nothing that was not synced had */
    OS_FILE_FAULT_NAMES_ONLY, /* names had, bytes had not: files stand empty */
    OS_FILE_FAULT_TORN,       /* each name and each sector as the seed has it */
    OS_FILE_FAULT_POLICY_COUNT
};
/* Rewrites the folder as a power cut now would leave it; the disk then works again, its plans and counts forgotten. No
 * file may be open. */
enum error_code os_file_fault_crash(struct os_file_fault *fault, enum os_file_fault_policy policy, uint64_t seed,
                                    struct error *error);

#endif
