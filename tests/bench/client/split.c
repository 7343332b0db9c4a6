/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Split rings. A request has descriptors of its own that no other uses.
 */

#include <linux/virtio_ring.h>
#include "ring.h"

static struct vring_desc *descriptors(Ring *ring)
{
    return (struct vring_desc *)ring->desc.host;
}

static struct vring_avail *available(Ring *ring)
{
    return (struct vring_avail *)ring->driver.host;
}

static struct vring_used *used(Ring *ring)
{
    return (struct vring_used *)ring->device.host;
}

/* @first: number of the first descriptor in @table */
static void write_chain(struct vring_desc *table, uint16_t first,
                        const Buffer *buffers, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        bool last = i == n - 1;

        table[first + i] = (struct vring_desc){
            .addr = buffers[i].bus,
            .len = buffers[i].len,
            .flags = (buffers[i].device_writes ? VRING_DESC_F_WRITE : 0) |
                     (last ? 0 : VRING_DESC_F_NEXT),
            .next = last ? 0 : first + i + 1,
        };
    }
}

static void make_available(Ring *ring, uint16_t head)
{
    available(ring)->ring[ring->next++ & (ring->num - 1)] = head;
}

static void split_add(Ring *ring, uint16_t slot, const Buffer *buffers, int n)
{
    uint16_t head = slot * ring->chain;

    write_chain(descriptors(ring), head, buffers, n);
    make_available(ring, head);
}

static void split_add_table(Ring *ring, uint16_t slot, uint64_t table, int n)
{
    uint16_t head = slot * ring->chain;

    descriptors(ring)[head] = (struct vring_desc){
        .addr = table,
        .len = n * sizeof(struct vring_desc),
        .flags = VRING_DESC_F_INDIRECT,
    };
    make_available(ring, head);
}

static void split_publish(Ring *ring)
{
    __atomic_store_n(&available(ring)->idx, ring->next, __ATOMIC_RELEASE);
}

static bool split_wants_kick(Ring *ring)
{
    /* After the index is seen, as the device looks in the other order */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return !(__atomic_load_n(&used(ring)->flags, __ATOMIC_RELAXED) &
             VRING_USED_F_NO_NOTIFY);
}

static bool split_take(Ring *ring, uint16_t *slot, uint32_t *len)
{
    struct vring_used_elem *elem;

    if (__atomic_load_n(&used(ring)->idx, __ATOMIC_ACQUIRE) ==
        ring->next_used) {
        return false;
    }
    elem = &used(ring)->ring[ring->next_used++ & (ring->num - 1)];
    if (elem->id >= ring->num || elem->id % ring->chain) {
        die("the device used descriptor %u, which heads no request", elem->id);
    }
    *slot = elem->id / ring->chain;
    *len = elem->len;
    return true;
}

static void split_write_table(uint8_t *table, const Buffer *buffers, int n)
{
    write_chain((struct vring_desc *)table, 0, buffers, n);
}

const RingFormat split_format = {
    .add = split_add,
    .add_table = split_add_table,
    .publish = split_publish,
    .wants_kick = split_wants_kick,
    .take = split_take,
    .write_table = split_write_table,
};
