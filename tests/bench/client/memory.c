/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory that the client shares with a machine
 */

#include <sys/mman.h>
#include <unistd.h>
#include "memory.h"

SharedFile shared_file_new(const char *name, uint64_t size)
{
    SharedFile file = { .size = size };

    file.fd = memfd_create(name, 0);
    if (file.fd < 0 || ftruncate(file.fd, size)) {
        die("no memory of %" PRIu64 " bytes to share: %s", size,
            strerror(errno));
    }
    file.host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd,
                     0);
    if (file.host == MAP_FAILED) {
        die("cannot map %" PRIu64 " bytes: %s", size, strerror(errno));
    }
    return file;
}

void shared_file_free(SharedFile *file)
{
    munmap(file->host, file->size);
    close(file->fd);
}

Area arena_alloc(Arena *arena, uint64_t len)
{
    Area area;
    uint64_t offset = arena->used;

    len = (len + PAGE - 1) & ~(PAGE - 1);
    if (len > arena->size - offset) {
        die("%" PRIu64 " MiB do not hold so many requests of that size; use "
            "a smaller --depth", arena->size / MIB);
    }
    area.host = arena->start.host + offset;
    area.bus = arena->start.bus + offset;
    arena->used += len;
    if (arena->map) {
        arena->map(arena->opaque, area.bus, offset, len);
    }
    return area;
}
