/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A queue that is kept full: as soon as a request is done, it is made again
 */

#include "queue.h"

void queue_init(Queue *queue, const Options *options, const Load *load,
                VirtioPci *dev, uint16_t index, uint16_t num, Arena *arena)
{
    Area small;
    int i;

    *queue = (Queue){
        .options = options,
        .load = load,
        .dev = dev,
        .index = index,
        .slots = g_new0(Slot, options->depth),
        .random = 0x9e3779b97f4a7c15 * (index + 1),
    };
    if (options->depth * load->n_buffers > num) {
        die("a queue of %u descriptors does not hold %d requests", num,
            options->depth);
    }
    ring_init(&queue->ring, options->packed, num, load->n_buffers, arena);
    queue->notify = virtio_pci_queue(dev, index, num, queue->ring.desc.bus,
                                     queue->ring.driver.bus,
                                     queue->ring.device.bus);
    small = arena_alloc(arena, options->depth * SLOT_BYTES);
    for (i = 0; i < options->depth; i++) {
        Slot *slot = &queue->slots[i];

        slot->header = (Area){ small.host + i * SLOT_BYTES,
                               small.bus + i * SLOT_BYTES };
        slot->table = (Area){ slot->header.host + SLOT_HEADER,
                              slot->header.bus + SLOT_HEADER };
        slot->data = arena_alloc(arena, options->size);
        load->init_slot(queue, slot);
    }
}

void queue_free(Queue *queue)
{
    ring_free(&queue->ring);
    g_free(queue->slots);
}

uint64_t queue_random(Queue *queue)
{
    queue->random ^= queue->random << 13;
    queue->random ^= queue->random >> 7;
    queue->random ^= queue->random << 17;
    return queue->random;
}

static void submit(Queue *queue, int number)
{
    Slot *slot = &queue->slots[number];
    const RingFormat *format = queue->ring.format;
    int n = queue->load->n_buffers;

    queue->load->next(queue, slot);
    if (queue->options->indirect) {
        format->write_table(slot->table.host, slot->buffers, n);
        format->add_table(&queue->ring, number, slot->table.bus, n);
    } else {
        format->add(&queue->ring, number, slot->buffers, n);
    }
    slot->busy = true;
    queue->busy++;
}

static void publish(Queue *queue)
{
    queue->ring.format->publish(&queue->ring);
    if (queue->ring.format->wants_kick(&queue->ring)) {
        qtest_post(queue->dev->qtest, queue->notify, 2, queue->index);
        queue->kicks++;
    }
}

void queue_fill(Queue *queue, int n)
{
    int i;

    for (i = 0; i < queue->options->depth && queue->busy < n; i++) {
        if (!queue->slots[i].busy) {
            submit(queue, i);
        }
    }
    publish(queue);
}

int queue_turn(Queue *queue, bool again)
{
    uint16_t number;
    uint32_t len;
    int n;

    for (n = 0; queue->ring.format->take(&queue->ring, &number, &len); n++) {
        Slot *slot = &queue->slots[number];

        if (number >= queue->options->depth || !slot->busy) {
            die("the device used request %u, which it does not have", number);
        }
        queue->load->check(queue, slot, len);
        slot->busy = false;
        queue->busy--;
        queue->done++;
        if (again) {
            submit(queue, number);
        }
    }
    if (n && again) {
        publish(queue);
    }
    return n;
}
