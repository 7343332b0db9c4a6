/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A queue that is kept full: as soon as a request is done, it is made again
 */

#ifndef BENCH_QUEUE_H
#define BENCH_QUEUE_H

#include "options.h"
#include "pci.h"
#include "ring.h"

typedef struct Queue Queue;

typedef struct Slot {
    /* A header for the device, and what it answers */
    Area header;
    /* The indirect table */
    Area table;
    Area data;
    Buffer buffers[REQUEST_BUFFERS];
    /* What the last request asked for; the load knows */
    uint64_t asked;
    bool busy;
} Slot;

/* What requests are, and what must come of them */
typedef struct Load {
    /* Buffers of a request */
    int n_buffers;
    void (*init_slot)(Queue *queue, Slot *slot);
    /* Make the next request of a slot. */
    void (*next)(Queue *queue, Slot *slot);
    /* It is done; @len is what the device says that it has written. */
    void (*check)(Queue *queue, Slot *slot, uint32_t len);
} Load;

struct Queue {
    const Options *options;
    const Load *load;
    VirtioPci *dev;
    uint16_t index;
    uint64_t notify;
    Ring ring;
    Slot *slots;
    int busy;
    uint64_t random;
    /* Blocks of the disk, and its contents when they are to be checked */
    uint64_t blocks;
    uint8_t *disk;

    uint64_t done;
    uint64_t kicks;
};

/* A header and a table in cache lines of their own */
#define SLOT_HEADER 64
#define SLOT_BYTES 128

void queue_init(Queue *queue, const Options *options, const Load *load,
                VirtioPci *dev, uint16_t index, uint16_t num, Arena *arena);
void queue_free(Queue *queue);

/* Make requests until @n are under way. */
void queue_fill(Queue *queue, int n);
/*
 * Take what is done and check it; with @again, make as many requests again.
 *
 * Returns: requests that were done
 */
int queue_turn(Queue *queue, bool again);

uint64_t queue_random(Queue *queue);

#endif
