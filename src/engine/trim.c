/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the process small: pages of the library after starting, and memory after work. */
#include "engine/engine_priv.h"

#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"

/* Loading touches some 150 MB: relocations and initialisers all over the library. They are clean pages of a file, so
 * dropping them from this process loses nothing: the kernel keeps them cached as long as it has no better use for
 * them, and the 30-60 MB that statements need come back by themselves, without reading while they are cached. */
static int drop_segments(struct dl_phdr_info *info, size_t size, void *context)
{
    const char *address = context;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    bool found = false;
    for (int i = 0; i < info->dlpi_phnum && !found; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        const char *start = (const char *)info->dlpi_addr + segment->p_vaddr;
        found = segment->p_type == PT_LOAD && address >= start && address < start + segment->p_memsz;
    }
    if (!found) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W)) continue;
        uintptr_t start = (info->dlpi_addr + segment->p_vaddr + page - 1) & ~(page - 1);
        uintptr_t end = (info->dlpi_addr + segment->p_vaddr + segment->p_memsz) & ~(page - 1);
        if (end <= start) continue;
        /* COLD first: dropped pages that were in use would else count as such for the kernel. Both are only wishes. */
        (void)madvise((void *)start, end - start, MADV_COLD);
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 1;
}

void engine_trim_library(const struct engine_chdb *chdb)
{
    void *address;
    memcpy(&address, &chdb->query, sizeof address);
    dl_iterate_phdr(drop_segments, address);
}

bool engine_trim_is_urgent(const struct engine *engine)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) return false;
    text[size] = 0;
    unsigned long long total, resident, shared;
    if (sscanf(text, "%llu %llu %llu", &total, &resident, &shared) != 3 || resident < shared) return false;
    return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) > engine->settings.memory_limit_bytes;
}

void engine_trim_memory(struct engine *engine, engine_chdb_connection connection)
{
    struct error error;
    if (engine_chdb_run(&engine->chdb, connection, SLICE("SYSTEM JEMALLOC PURGE"), &error))
        log_warn("engine: cannot give memory back: %s", error.message);
}
