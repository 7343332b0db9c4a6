/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-blk: a header, the data and a status byte
 */

#include <linux/virtio_blk.h>
#include "load.h"

#define SECTOR 512
#define STATUS_OFFSET 32
#define NO_STATUS 0xff

static void set_request(Slot *slot, uint32_t type, uint64_t sector)
{
    *(struct virtio_blk_outhdr *)slot->header.host =
        (struct virtio_blk_outhdr){ .type = type, .sector = sector };
    slot->header.host[STATUS_OFFSET] = NO_STATUS;
    slot->buffers[1].device_writes = type == VIRTIO_BLK_T_IN;
}

static void check_answer(Slot *slot, uint32_t len)
{
    uint32_t want = 1 + (slot->buffers[1].device_writes ?
                         slot->buffers[1].len : 0);

    if (slot->header.host[STATUS_OFFSET] != VIRTIO_BLK_S_OK) {
        die("the disk answers with status %u",
            slot->header.host[STATUS_OFFSET]);
    }
    if (len != want) {
        die("the disk says that it wrote %u bytes instead of %u", len, want);
    }
}

static void blk_init_slot(Queue *queue, Slot *slot)
{
    slot->buffers[0] = (Buffer){
        .bus = slot->header.bus,
        .len = sizeof(struct virtio_blk_outhdr),
    };
    slot->buffers[1] = (Buffer){
        .bus = slot->data.bus,
        .len = queue->options->size,
    };
    slot->buffers[2] = (Buffer){
        .bus = slot->header.bus + STATUS_OFFSET,
        .len = 1,
        .device_writes = true,
    };
}

/* Both ends of the buffer, which stand for all of it */
static uint64_t *first_word(Slot *slot)
{
    return (uint64_t *)slot->data.host;
}

static uint64_t *last_word(Slot *slot)
{
    return (uint64_t *)(slot->data.host + slot->buffers[1].len) - 1;
}

static void blk_next(Queue *queue, Slot *slot)
{
    uint64_t block = queue_random(queue) % queue->blocks;

    set_request(slot, VIRTIO_BLK_T_IN, block * (queue->options->size / SECTOR));
    if (queue->options->zeroes) {
        *first_word(slot) = *last_word(slot) = UINT64_MAX;
    }
}

static void blk_check(Queue *queue, Slot *slot, uint32_t len)
{
    check_answer(slot, len);
    if (queue->options->zeroes && (*first_word(slot) || *last_word(slot))) {
        die("the disk did not fill a buffer that it should have read to");
    }
}

const Load blk_load = {
    .n_buffers = 3,
    .init_slot = blk_init_slot,
    .next = blk_next,
    .check = blk_check,
};

static void fill_randomly(Queue *queue, Slot *slot)
{
    uint64_t *word = (uint64_t *)slot->data.host;
    int i;

    for (i = 0; i < queue->options->size / 8; i++) {
        word[i] = queue_random(queue);
    }
}

/* A slot has blocks of its own: no request changes what another reads. */
static uint64_t own_block(Queue *queue, Slot *slot)
{
    uint64_t depth = queue->options->depth;
    uint64_t slots = depth * queue->options->queues;
    uint64_t row = queue_random(queue) % (queue->blocks / slots);

    return row * slots + queue->index * depth + (slot - queue->slots);
}

static void blk_data_next(Queue *queue, Slot *slot)
{
    uint64_t block = own_block(queue, slot);
    bool is_write = queue_random(queue) & 1;

    slot->asked = block * queue->options->size;
    set_request(slot, is_write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
                slot->asked / SECTOR);
    fill_randomly(queue, slot);
}

static void blk_data_check(Queue *queue, Slot *slot, uint32_t len)
{
    check_answer(slot, len);
    if (memcmp(queue->disk + slot->asked, slot->data.host,
               queue->options->size)) {
        die("the disk %s other data at 0x%" PRIx64 " than it should",
            slot->buffers[1].device_writes ? "read" : "wrote", slot->asked);
    }
}

const Load blk_data_load = {
    .n_buffers = 3,
    .init_slot = blk_init_slot,
    .next = blk_data_next,
    .check = blk_data_check,
};

void blk_data_fill(SharedFile *disk)
{
    uint64_t *word = (uint64_t *)disk->host;
    uint64_t i;

    for (i = 0; i < disk->size / 8; i++) {
        word[i] = (i + 1) * 0x9e3779b97f4a7c15;
    }
}
