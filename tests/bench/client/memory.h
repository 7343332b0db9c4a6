/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Memory that the client shares with a machine
 */

#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include "common.h"

/* A file without a name, which QEMU opens as /proc/self/fd/@fd */
typedef struct SharedFile {
    int fd;
    uint8_t *host;
    uint64_t size;
} SharedFile;

SharedFile shared_file_new(const char *name, uint64_t size);
void shared_file_free(SharedFile *file);

/* A piece of memory as the client sees it and as the device does */
typedef struct Area {
    uint8_t *host;
    uint64_t bus;
} Area;

typedef struct Arena Arena;
struct Arena {
    Area start;
    uint64_t size;
    uint64_t used;
    /* Makes [@bus, @bus + @len) reachable, @offset bytes into the arena */
    void (*map)(void *opaque, uint64_t bus, uint64_t offset, uint64_t len);
    void *opaque;
};

/* Whole pages for the device, mapped by themselves as a driver would do it */
Area arena_alloc(Arena *arena, uint64_t len);

#endif
