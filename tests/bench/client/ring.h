/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtqueue in shared memory, split or packed
 */

#ifndef BENCH_RING_H
#define BENCH_RING_H

#include "memory.h"

typedef struct Buffer {
    uint64_t bus;
    uint32_t len;
    bool device_writes;
} Buffer;

/* The most buffers that a request has */
#define REQUEST_BUFFERS 3

typedef struct Ring Ring;

/* How the two formats differ. All count in descriptors of the ring. */
typedef struct RingFormat {
    /* Add a request; the device may see it from now on. */
    void (*add)(Ring *ring, uint16_t slot, const Buffer *buffers, int n);
    /* The same with @n descriptors in a table at @table */
    void (*add_table)(Ring *ring, uint16_t slot, uint64_t table, int n);
    /* Let the device see all that was added. */
    void (*publish)(Ring *ring);
    /* Does the device want to be notified? */
    bool (*wants_kick)(Ring *ring);
    /* Take a request that is done, if there is one. */
    bool (*take)(Ring *ring, uint16_t *slot, uint32_t *len);
    /* Write @buffers to a table. */
    void (*write_table)(uint8_t *table, const Buffer *buffers, int n);
} RingFormat;

struct Ring {
    const RingFormat *format;
    uint16_t num;
    /* Descriptors of a request that has no table */
    int chain;
    Area desc;
    Area driver;
    Area device;
    /* Split: where the next request goes; packed: the next descriptor */
    uint16_t next;
    uint16_t next_used;
    /* Packed: wrap counters, and descriptors of each slot */
    bool wrap;
    bool used_wrap;
    uint8_t *length;
};

extern const RingFormat split_format;
extern const RingFormat packed_format;

/* @chain: buffers of a request, whether they are in a table or not */
void ring_init(Ring *ring, bool packed, uint16_t num, int chain, Arena *arena);
void ring_free(Ring *ring);

#endif
