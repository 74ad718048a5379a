/* SPDX-License-Identifier: Apache-2.0 */
/* Passes calls on to the real folder and keeps beside it what a power cut would leave. */
#include "os/file_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512
#define DESCRIPTOR_LIMIT 4096 /* far above what a test opens */
#define FOLDER_DEPTH_LIMIT 8
#define FILE_BYTES_LIMIT (1u << 30)

/* A file as the disk knows it, whatever its names; kept until the end, as a source of stale sectors. */
struct fault_file {
    struct fault_file *next;
    struct buffer current; /* what the kernel shows */
    struct buffer durable; /* what the last sync wrote */
    size_t lost_from;      /* bytes of `current` a failed sync threw away: no later one writes them */
    size_t lost_to;
};
struct fault_name {
    char *path;
    struct fault_file *file;
};
struct fault_names {
    struct fault_name *list;
    size_t count;
};
/* A change of names that no sync_directory has covered yet. */
struct fault_change {
    enum os_file_fault_call call; /* CREATE, RENAME or UNLINK */
    char *from;                   /* RENAME and UNLINK; else NULL */
    char *to;                     /* CREATE and RENAME; else NULL */
    struct fault_file *file;
};
struct fault_plan {
    uint64_t first, last; /* counts of calls; 0: none */
    int error_number;
    uint64_t die_at; /* 0: never */
};

struct os_file_fault {
    struct os_file_system files;
    pthread_mutex_t lock;
    char *root;
    struct fault_file *all;
    struct fault_names names;   /* as the kernel shows them */
    struct fault_names durable; /* as the disk has them */
    struct fault_change *changes;
    size_t change_count;
    struct fault_file *open[DESCRIPTOR_LIMIT];
    uint64_t counts[OS_FILE_FAULT_CALL_COUNT];
    struct fault_plan plans[OS_FILE_FAULT_CALL_COUNT];
    uint64_t capacity;
    bool dead;
};

static void *grow(void *list, size_t count, size_t item_size)
{
    void *grown = realloc(list, (count + 1) * item_size);
    ASSERT(grown);
    return grown;
}

static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    ASSERT(copy);
    return copy;
}

static struct fault_file *find_name(const struct fault_names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->list[i].path, path) == 0) return names->list[i].file;
    }
    return NULL;
}

static void remove_name(struct fault_names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->list[i].path, path) != 0) continue;
        free(names->list[i].path);
        names->list[i] = names->list[--names->count];
        return;
    }
}

static void set_name(struct fault_names *names, const char *path, struct fault_file *file)
{
    remove_name(names, path);
    names->list = grow(names->list, names->count, sizeof *names->list);
    names->list[names->count++] = (struct fault_name){copy_text(path), file};
}

static void clear_names(struct fault_names *names)
{
    while (names->count > 0) free(names->list[--names->count].path);
    free(names->list);
    names->list = NULL;
}

static void copy_names(struct fault_names *to, const struct fault_names *from)
{
    clear_names(to);
    for (size_t i = 0; i < from->count; i++) set_name(to, from->list[i].path, from->list[i].file);
}

static void apply_change(struct fault_names *names, const struct fault_change *change)
{
    if (change->from) remove_name(names, change->from);
    if (change->to) set_name(names, change->to, change->file);
}

static void free_change(struct fault_change *change)
{
    free(change->from);
    free(change->to);
}

/* The change as the kernel shows it now, and one more for the next sync_directory. */
static void make_change(struct os_file_fault *fault, enum os_file_fault_call call, const char *from, const char *to,
                        struct fault_file *file)
{
    struct fault_change change = {call, from ? copy_text(from) : NULL, to ? copy_text(to) : NULL, file};
    apply_change(&fault->names, &change);
    fault->changes = grow(fault->changes, fault->change_count, sizeof *fault->changes);
    fault->changes[fault->change_count++] = change;
}

static bool same_path(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* Whether one cannot be durable without the other that came before it. */
static bool are_related(const struct fault_change *a, const struct fault_change *b)
{
    return a->file == b->file || same_path(a->from, b->from) || same_path(a->from, b->to) || same_path(a->to, b->from) ||
           same_path(a->to, b->to);
}

static bool is_in_folder(const char *path, const char *folder)
{
    if (!path) return false;
    size_t size = (size_t)(strrchr(path, '/') - path);
    return strlen(folder) == size && memcmp(path, folder, size) == 0;
}

static bool is_ours(const struct os_file_fault *fault, const char *path)
{
    size_t size = strlen(fault->root);
    return strncmp(path, fault->root, size) == 0 && (path[size] == '/' || path[size] == 0);
}

static struct fault_file *make_file(struct os_file_fault *fault)
{
    struct fault_file *file = calloc(1, sizeof *file);
    ASSERT(file);
    file->next = fault->all;
    fault->all = file;
    return file;
}

static void copy_bytes(struct buffer *to, struct slice from)
{
    buffer_clear(to);
    buffer_append_slice(to, from);
    ASSERT(!to->failed);
}

/* A file that is there and that no call has made: all of it counts as synced. */
static struct fault_file *adopt_file(struct os_file_fault *fault, const char *path)
{
    struct fault_file *file = make_file(fault);
    ASSERT(os_file_read(path, FILE_BYTES_LIMIT, &file->current, NULL) == ERROR_NONE);
    copy_bytes(&file->durable, buffer_slice(&file->current));
    set_name(&fault->names, path, file);
    set_name(&fault->durable, path, file);
    return file;
}

static void adopt_folder(struct os_file_fault *fault, const char *folder, int depth)
{
    struct arena *arena = arena_create(0);
    ASSERT(arena && depth < FOLDER_DEPTH_LIMIT);
    char **names;
    size_t count;
    ASSERT(os_directory_list(folder, arena, &names, &count, NULL) == ERROR_NONE);
    for (size_t i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat status;
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (stat(path, &status) != 0) continue;
        if (S_ISDIR(status.st_mode)) {
            adopt_folder(fault, path, depth + 1);
        } else if (S_ISREG(status.st_mode)) {
            adopt_file(fault, path);
        }
    }
    arena_destroy(arena);
}

static uint64_t used_bytes(const struct os_file_fault *fault)
{
    uint64_t used = 0;
    for (size_t i = 0; i < fault->names.count; i++) used += fault->names.list[i].file->current.size;
    return used;
}

/* Counts one call of this kind (also among all): 0, or the errno it fails with. */
static int count_one(struct os_file_fault *fault, enum os_file_fault_call call)
{
    uint64_t number = ++fault->counts[call];
    const struct fault_plan *plan = &fault->plans[call];
    if (plan->die_at && number >= plan->die_at) fault->dead = true;
    return plan->first && number >= plan->first && number <= plan->last ? plan->error_number : 0;
}

enum fault_outcome { OUTCOME_GOES_ON, OUTCOME_FAILS, OUTCOME_DIES, OUTCOME_IS_DEAD };

/* What becomes of a call. DIES: this is the one during which the power goes. The lock is held. */
static enum fault_outcome begin_call(struct os_file_fault *fault, enum os_file_fault_call call, struct error *error)
{
    if (fault->dead) {
        error_set_errno(error, EIO, "the disk has no power");
        return OUTCOME_IS_DEAD;
    }
    int of_kind = count_one(fault, call);
    int of_any = count_one(fault, OS_FILE_FAULT_ANY);
    if (fault->dead) {
        error_set_errno(error, EIO, "the disk has lost power");
        return OUTCOME_DIES;
    }
    int number = of_kind ? of_kind : of_any;
    if (number == 0) return OUTCOME_GOES_ON;
    error_set_errno(error, number, "the disk fails as planned");
    return OUTCOME_FAILS;
}

static enum error_code failure(int error_number, struct error *error)
{
    struct error local;
    return error_set_errno(error ? error : &local, error_number, "the disk fails");
}

static enum error_code outcome_code(enum fault_outcome outcome, struct error *error)
{
    if (outcome == OUTCOME_GOES_ON) return ERROR_NONE;
    return error ? error->code : failure(EIO, NULL);
}

static enum error_code fault_open_append(void *context, const char *path, int *ret_fd, struct error *error)
{
    struct os_file_fault *fault = context;
    if (!is_ours(fault, path)) return os_file_system_real.open_append(NULL, path, ret_fd, error);
    enum error_code code = ERROR_NONE;
    pthread_mutex_lock(&fault->lock);
    struct fault_file *file = find_name(&fault->names, path);
    if (!file && os_file_exists(path)) file = adopt_file(fault, path);
    if (fault->dead) {
        code = failure(EIO, error);
    } else if (!file) {
        enum fault_outcome outcome = begin_call(fault, OS_FILE_FAULT_CREATE, error);
        if (outcome == OUTCOME_GOES_ON && used_bytes(fault) >= fault->capacity) {
            code = failure(ENOSPC, error);
        } else if (outcome != OUTCOME_FAILS) {
            code = os_file_system_real.open_append(NULL, path, ret_fd, error);
            file = make_file(fault);
            if (!code) make_change(fault, OS_FILE_FAULT_CREATE, NULL, path, file);
            if (!code && outcome == OUTCOME_DIES) os_file_system_real.close(NULL, *ret_fd);
        }
        if (!code) code = outcome_code(outcome, error);
    } else {
        code = os_file_system_real.open_append(NULL, path, ret_fd, error);
    }
    if (!code) {
        ASSERT(*ret_fd < DESCRIPTOR_LIMIT);
        fault->open[*ret_fd] = file;
    }
    pthread_mutex_unlock(&fault->lock);
    return code;
}

static enum error_code fault_open_read(void *context, const char *path, int *ret_fd, struct error *error)
{
    struct os_file_fault *fault = context;
    pthread_mutex_lock(&fault->lock);
    enum error_code code = fault->dead ? failure(EIO, error) : os_file_system_real.open_read(NULL, path, ret_fd, error);
    pthread_mutex_unlock(&fault->lock);
    return code;
}

static enum error_code fault_append(void *context, int fd, const struct iovec *parts, int part_count, struct error *error)
{
    struct os_file_fault *fault = context;
    struct buffer bytes = {0};
    for (int i = 0; i < part_count; i++) buffer_append(&bytes, parts[i].iov_base, parts[i].iov_len);
    ASSERT(!bytes.failed && fd >= 0 && fd < DESCRIPTOR_LIMIT);
    pthread_mutex_lock(&fault->lock);
    struct fault_file *file = fault->open[fd];
    enum fault_outcome outcome = begin_call(fault, OS_FILE_FAULT_APPEND, error);
    enum error_code code = outcome_code(outcome, error);
    uint64_t used = used_bytes(fault), room = used < fault->capacity ? fault->capacity - used : 0;
    if (outcome == OUTCOME_IS_DEAD) buffer_clear(&bytes);
    if (outcome == OUTCOME_FAILS) buffer_truncate(&bytes, bytes.size / 2);
    if (file && bytes.size > room) {
        buffer_truncate(&bytes, (size_t)room);
        if (!code) code = failure(ENOSPC, error);
    }
    struct iovec part = {bytes.data, bytes.size};
    if (bytes.size > 0) {
        enum error_code real = os_file_system_real.append(NULL, fd, &part, 1, error);
        if (real) code = real;
        if (file && !real) buffer_append_slice(&file->current, buffer_slice(&bytes));
        ASSERT(!file || !file->current.failed);
    }
    pthread_mutex_unlock(&fault->lock);
    buffer_free(&bytes);
    return code;
}

static enum error_code fault_sync(void *context, int fd, struct error *error)
{
    struct os_file_fault *fault = context;
    ASSERT(fd >= 0 && fd < DESCRIPTOR_LIMIT);
    pthread_mutex_lock(&fault->lock);
    struct fault_file *file = fault->open[fd];
    enum fault_outcome outcome = begin_call(fault, OS_FILE_FAULT_SYNC, error);
    if (file && outcome == OUTCOME_GOES_ON) {
        copy_bytes(&file->durable, buffer_slice(&file->current));
        size_t to = file->lost_to < file->durable.size ? file->lost_to : file->durable.size;
        if (file->lost_from < to) memset(file->durable.data + file->lost_from, 0, to - file->lost_from);
    } else if (file && outcome == OUTCOME_FAILS) {
        size_t same = 0;
        while (same < file->current.size && same < file->durable.size && file->current.data[same] == file->durable.data[same])
            same++;
        if (file->lost_to == 0 || same < file->lost_from) file->lost_from = same;
        file->lost_to = file->current.size;
    }
    pthread_mutex_unlock(&fault->lock);
    return outcome_code(outcome, error);
}

static enum error_code fault_truncate(void *context, int fd, off_t size, struct error *error)
{
    struct os_file_fault *fault = context;
    ASSERT(fd >= 0 && fd < DESCRIPTOR_LIMIT && size >= 0);
    pthread_mutex_lock(&fault->lock);
    struct fault_file *file = fault->open[fd];
    enum fault_outcome outcome = begin_call(fault, OS_FILE_FAULT_TRUNCATE, error);
    enum error_code code = ERROR_NONE;
    if (outcome == OUTCOME_GOES_ON || outcome == OUTCOME_DIES) {
        code = os_file_system_real.truncate(NULL, fd, size, error);
        if (!code && file) {
            size_t wanted = (size_t)size;
            if (wanted > file->current.size) buffer_append_zeros(&file->current, wanted - file->current.size);
            buffer_truncate(&file->current, wanted);
            if (wanted < file->lost_to) file->lost_to = wanted;
            if (file->lost_to <= file->lost_from) file->lost_from = file->lost_to = 0;
        }
    }
    pthread_mutex_unlock(&fault->lock);
    return code ? code : outcome_code(outcome, error);
}

static void fault_close(void *context, int fd)
{
    struct os_file_fault *fault = context;
    pthread_mutex_lock(&fault->lock);
    if (fd >= 0 && fd < DESCRIPTOR_LIMIT) fault->open[fd] = NULL;
    os_file_system_real.close(NULL, fd);
    pthread_mutex_unlock(&fault->lock);
}

/* Renames and removals: `to` is NULL for a removal. */
static enum error_code change_names(struct os_file_fault *fault, const char *from, const char *to, struct error *error)
{
    enum os_file_fault_call call = to ? OS_FILE_FAULT_RENAME : OS_FILE_FAULT_UNLINK;
    pthread_mutex_lock(&fault->lock);
    struct fault_file *file = find_name(&fault->names, from);
    if (!file && os_file_exists(from)) file = adopt_file(fault, from);
    if (to && !find_name(&fault->names, to) && os_file_exists(to)) adopt_file(fault, to);
    enum fault_outcome outcome = begin_call(fault, call, error);
    enum error_code code = ERROR_NONE;
    if (outcome == OUTCOME_GOES_ON || outcome == OUTCOME_DIES) {
        code = to ? os_file_system_real.rename(NULL, from, to, error) : os_file_system_real.unlink(NULL, from, error);
        if (!code) make_change(fault, call, from, to, file);
    }
    pthread_mutex_unlock(&fault->lock);
    return code ? code : outcome_code(outcome, error);
}

static enum error_code fault_rename(void *context, const char *from, const char *to, struct error *error)
{
    return change_names(context, from, to, error);
}

static enum error_code fault_unlink(void *context, const char *path, struct error *error)
{
    return change_names(context, path, NULL, error);
}

static enum error_code fault_sync_directory(void *context, const char *path, struct error *error)
{
    struct os_file_fault *fault = context;
    if (!is_ours(fault, path)) return os_file_system_real.sync_directory(NULL, path, error);
    pthread_mutex_lock(&fault->lock);
    enum fault_outcome outcome = begin_call(fault, OS_FILE_FAULT_SYNC_DIRECTORY, error);
    if (outcome == OUTCOME_GOES_ON && fault->change_count > 0) {
        bool *is_covered = calloc(fault->change_count, sizeof *is_covered);
        ASSERT(is_covered);
        for (size_t i = fault->change_count; i-- > 0;) {
            const struct fault_change *change = &fault->changes[i];
            is_covered[i] = is_in_folder(change->from, path) || is_in_folder(change->to, path);
            for (size_t j = i + 1; j < fault->change_count && !is_covered[i]; j++) {
                is_covered[i] = is_covered[j] && are_related(change, &fault->changes[j]);
            }
        }
        size_t left = 0;
        for (size_t i = 0; i < fault->change_count; i++) {
            if (is_covered[i]) {
                apply_change(&fault->durable, &fault->changes[i]);
                free_change(&fault->changes[i]);
            } else {
                fault->changes[left++] = fault->changes[i];
            }
        }
        fault->change_count = left;
        free(is_covered);
    }
    pthread_mutex_unlock(&fault->lock);
    return outcome_code(outcome, error);
}

struct os_file_fault *os_file_fault_create(const char *root)
{
    struct os_file_fault *fault = calloc(1, sizeof *fault);
    ASSERT(fault);
    fault->root = copy_text(root);
    fault->capacity = UINT64_MAX;
    pthread_mutex_init(&fault->lock, NULL);
    fault->files = (struct os_file_system){
        fault, fault_open_append, fault_open_read, fault_append, fault_sync, fault_truncate, fault_close, fault_rename,
        fault_unlink, fault_sync_directory,
    };
    adopt_folder(fault, root, 0);
    return fault;
}

static void forget_changes(struct os_file_fault *fault)
{
    for (size_t i = 0; i < fault->change_count; i++) free_change(&fault->changes[i]);
    fault->change_count = 0;
}

void os_file_fault_destroy(struct os_file_fault *fault)
{
    if (!fault) return;
    while (fault->all) {
        struct fault_file *next = fault->all->next;
        buffer_free(&fault->all->current);
        buffer_free(&fault->all->durable);
        free(fault->all);
        fault->all = next;
    }
    forget_changes(fault);
    free(fault->changes);
    clear_names(&fault->names);
    clear_names(&fault->durable);
    free(fault->root);
    pthread_mutex_destroy(&fault->lock);
    free(fault);
}

const struct os_file_system *os_file_fault_files(struct os_file_fault *fault)
{
    return &fault->files;
}

uint64_t os_file_fault_count(struct os_file_fault *fault, enum os_file_fault_call call)
{
    pthread_mutex_lock(&fault->lock);
    uint64_t count = fault->counts[call];
    pthread_mutex_unlock(&fault->lock);
    return count;
}

void os_file_fault_fail(struct os_file_fault *fault, enum os_file_fault_call call, uint64_t nth, uint64_t count,
                        int error_number)
{
    ASSERT(nth > 0 && count > 0);
    pthread_mutex_lock(&fault->lock);
    struct fault_plan *plan = &fault->plans[call];
    plan->first = fault->counts[call] + nth;
    plan->last = plan->first + count - 1;
    plan->error_number = error_number;
    pthread_mutex_unlock(&fault->lock);
}

void os_file_fault_die(struct os_file_fault *fault, enum os_file_fault_call call, uint64_t nth)
{
    ASSERT(nth > 0);
    pthread_mutex_lock(&fault->lock);
    fault->plans[call].die_at = fault->counts[call] + nth;
    pthread_mutex_unlock(&fault->lock);
}

bool os_file_fault_is_dead(struct os_file_fault *fault)
{
    pthread_mutex_lock(&fault->lock);
    bool dead = fault->dead;
    pthread_mutex_unlock(&fault->lock);
    return dead;
}

void os_file_fault_set_capacity(struct os_file_fault *fault, uint64_t bytes)
{
    pthread_mutex_lock(&fault->lock);
    fault->capacity = bytes;
    pthread_mutex_unlock(&fault->lock);
}

uint64_t os_file_fault_used(struct os_file_fault *fault)
{
    pthread_mutex_lock(&fault->lock);
    uint64_t used = used_bytes(fault);
    pthread_mutex_unlock(&fault->lock);
    return used;
}

/* splitmix64: the same seed gives the same crash. */
static uint64_t draw(uint64_t *state)
{
    uint64_t value = *state += 0x9e3779b97f4a7c15;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

/* A sector that once belonged to another file; zeros when there is none. */
static void fill_stale(const struct os_file_fault *fault, uint64_t *random, char *to, size_t size)
{
    memset(to, 0, size);
    size_t count = 0;
    for (const struct fault_file *file = fault->all; file; file = file->next) count++;
    size_t wanted = draw(random) % count;
    const struct fault_file *file = fault->all;
    while (wanted-- > 0) file = file->next;
    if (file->current.size == 0) return;
    size_t from = draw(random) % file->current.size / SECTOR * SECTOR;
    size_t left = file->current.size - from;
    memcpy(to, file->current.data + from, left < size ? left : size);
}

/* A size between the old and the new one; every sector that is not the same in both: new, old, zero or stale. */
static void tear(const struct os_file_fault *fault, const struct fault_file *file, uint64_t *random, struct buffer *out)
{
    size_t current = file->current.size, durable = file->durable.size;
    size_t least = current < durable ? current : durable, most = current < durable ? durable : current;
    size_t size = least + draw(random) % (most - least + 1);
    if (draw(random) % 2) size = current; /* sizes often reach the disk before the bytes do */
    for (size_t at = 0; at < size; at += SECTOR) {
        char sector[SECTOR];
        size_t end = at + SECTOR < size ? SECTOR : size - at;
        unsigned choice = (unsigned)(draw(random) % 4);
        if (choice == 3) fill_stale(fault, random, sector, SECTOR);
        for (size_t i = 0; i < end; i++) {
            bool has_new = at + i < current, has_old = at + i < durable;
            char new_byte = has_new ? file->current.data[at + i] : 0, old_byte = has_old ? file->durable.data[at + i] : 0;
            if (has_new && has_old && new_byte == old_byte) {
                sector[i] = new_byte; /* it was synced */
            } else if (choice == 0) {
                sector[i] = new_byte;
            } else if (choice == 1) {
                sector[i] = old_byte;
            } else if (choice == 2) {
                sector[i] = 0;
            }
        }
        buffer_append(out, sector, end);
    }
}

static void crash_content(const struct os_file_fault *fault, const struct fault_file *file,
                          enum os_file_fault_policy policy, uint64_t *random, struct buffer *out)
{
    buffer_clear(out);
    if (policy == OS_FILE_FAULT_TORN) {
        unsigned choice = (unsigned)(draw(random) % 4);
        policy = choice == 0 ? OS_FILE_FAULT_KEEP : choice == 1 ? OS_FILE_FAULT_DROP : OS_FILE_FAULT_TORN;
    }
    if (policy == OS_FILE_FAULT_TORN) {
        tear(fault, file, random, out);
    } else {
        buffer_append_slice(out, buffer_slice(policy == OS_FILE_FAULT_KEEP ? &file->current : &file->durable));
    }
    ASSERT(!out->failed);
}

/* The names that the power cut leaves, into fault->durable. */
static void crash_names(struct os_file_fault *fault, enum os_file_fault_policy policy, uint64_t *random)
{
    bool *is_kept = calloc(fault->change_count + 1, sizeof *is_kept);
    ASSERT(is_kept);
    for (size_t i = 0; i < fault->change_count; i++) {
        is_kept[i] = policy == OS_FILE_FAULT_TORN ? draw(random) % 2 == 0 : policy != OS_FILE_FAULT_DROP;
        for (size_t j = 0; j < i && is_kept[i]; j++) {
            if (!is_kept[j] && are_related(&fault->changes[i], &fault->changes[j])) is_kept[i] = false;
        }
        if (is_kept[i]) apply_change(&fault->durable, &fault->changes[i]);
    }
    free(is_kept);
    forget_changes(fault);
}

static enum error_code write_whole(const char *path, struct slice content, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return error_set_errno(error, errno, "cannot open %s", path);
    struct iovec part = {(void *)(uintptr_t)content.data, content.size};
    enum error_code code = content.size ? os_file_system_real.append(NULL, fd, &part, 1, error) : ERROR_NONE;
    close(fd);
    return code;
}

enum error_code os_file_fault_crash(struct os_file_fault *fault, enum os_file_fault_policy policy, uint64_t seed,
                                    struct error *error)
{
    enum error_code code = ERROR_NONE;
    uint64_t random = seed;
    struct buffer content = {0};
    pthread_mutex_lock(&fault->lock);
    for (size_t i = 0; i < DESCRIPTOR_LIMIT; i++) ASSERT(!fault->open[i]);
    crash_names(fault, policy, &random);
    for (size_t i = 0; i < fault->names.count; i++) {
        const char *path = fault->names.list[i].path;
        if (!find_name(&fault->durable, path) && unlink(path) != 0) code = error_set_errno(error, errno, "cannot remove %s", path);
    }
    for (size_t i = 0; i < fault->durable.count && !code; i++) {
        struct fault_file *file = fault->durable.list[i].file;
        crash_content(fault, file, policy, &random, &content);
        code = write_whole(fault->durable.list[i].path, buffer_slice(&content), error);
        copy_bytes(&file->current, buffer_slice(&content));
        copy_bytes(&file->durable, buffer_slice(&content));
        file->lost_from = file->lost_to = 0;
    }
    copy_names(&fault->names, &fault->durable);
    memset(fault->counts, 0, sizeof fault->counts);
    memset(fault->plans, 0, sizeof fault->plans);
    fault->dead = false;
    pthread_mutex_unlock(&fault->lock);
    buffer_free(&content);
    return code;
}
