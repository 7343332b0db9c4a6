/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Packed rings. A request's number is its slot; it takes the next descriptors.
 */

#include <linux/virtio_ring.h>
#include "ring.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED (1u << VRING_PACKED_DESC_F_USED)

static struct vring_packed_desc *descriptors(Ring *ring)
{
    return (struct vring_packed_desc *)ring->desc.host;
}

static uint16_t buffer_flags(const Buffer *buffer)
{
    return buffer->device_writes ? VRING_DESC_F_WRITE : 0;
}

/* Flags of a descriptor that is made available in a round of the ring */
static uint16_t available_flags(bool wrap)
{
    return wrap ? AVAIL : USED;
}

static void advance(Ring *ring, uint16_t *index, bool *wrap, int n)
{
    *index += n;
    if (*index >= ring->num) {
        *index -= ring->num;
        *wrap = !*wrap;
    }
}

static void packed_add(Ring *ring, uint16_t slot, const Buffer *buffers, int n)
{
    struct vring_packed_desc *first = &descriptors(ring)[ring->next];
    uint16_t first_flags = 0;
    int i;

    for (i = 0; i < n; i++) {
        struct vring_packed_desc *desc = &descriptors(ring)[ring->next];
        uint16_t flags = buffer_flags(&buffers[i]) |
                         (i == n - 1 ? 0 : VRING_DESC_F_NEXT) |
                         available_flags(ring->wrap);

        desc->addr = buffers[i].bus;
        desc->len = buffers[i].len;
        desc->id = slot;
        if (i) {
            desc->flags = flags;
        } else {
            first_flags = flags;
        }
        advance(ring, &ring->next, &ring->wrap, 1);
    }
    ring->length[slot] = n;
    __atomic_store_n(&first->flags, first_flags, __ATOMIC_RELEASE);
}

static void packed_add_table(Ring *ring, uint16_t slot, uint64_t table, int n)
{
    struct vring_packed_desc *desc = &descriptors(ring)[ring->next];
    uint16_t flags = VRING_DESC_F_INDIRECT | available_flags(ring->wrap);

    desc->addr = table;
    desc->len = n * sizeof(*desc);
    desc->id = slot;
    ring->length[slot] = 1;
    advance(ring, &ring->next, &ring->wrap, 1);
    __atomic_store_n(&desc->flags, flags, __ATOMIC_RELEASE);
}

/* Every request is published by the flags of its first descriptor. */
static void packed_publish(Ring *ring)
{
}

static bool packed_wants_kick(Ring *ring)
{
    struct vring_packed_desc_event *event = (void *)ring->device.host;

    /* After the flags are seen, as the device looks in the other order */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(&event->flags, __ATOMIC_RELAXED) !=
           VRING_PACKED_EVENT_FLAG_DISABLE;
}

static bool packed_take(Ring *ring, uint16_t *slot, uint32_t *len)
{
    struct vring_packed_desc *desc = &descriptors(ring)[ring->next_used];
    uint16_t flags = __atomic_load_n(&desc->flags, __ATOMIC_ACQUIRE);
    bool is_avail = flags & AVAIL;
    bool is_used = flags & USED;

    if (is_avail != ring->used_wrap || is_used != ring->used_wrap) {
        return false;
    }
    if (desc->id >= ring->num || !ring->length[desc->id]) {
        die("the device used buffer %u, which is no request", desc->id);
    }
    *slot = desc->id;
    *len = desc->len;
    advance(ring, &ring->next_used, &ring->used_wrap, ring->length[desc->id]);
    ring->length[*slot] = 0;
    return true;
}

static void packed_write_table(uint8_t *table, const Buffer *buffers, int n)
{
    struct vring_packed_desc *desc = (struct vring_packed_desc *)table;
    int i;

    for (i = 0; i < n; i++) {
        desc[i] = (struct vring_packed_desc){
            .addr = buffers[i].bus,
            .len = buffers[i].len,
            .flags = buffer_flags(&buffers[i]),
        };
    }
}

const RingFormat packed_format = {
    .add = packed_add,
    .add_table = packed_add_table,
    .publish = packed_publish,
    .wants_kick = packed_wants_kick,
    .take = packed_take,
    .write_table = packed_write_table,
};
