/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What split and packed rings have in common
 */

#include <linux/virtio_ring.h>
#include "ring.h"

void ring_init(Ring *ring, bool packed, uint16_t num, int chain, Arena *arena)
{
    *ring = (Ring){
        .format = packed ? &packed_format : &split_format,
        .num = num,
        .chain = chain,
        .desc = arena_alloc(arena, num * sizeof(struct vring_desc)),
        .driver = arena_alloc(arena, PAGE),
        .device = arena_alloc(arena, num * sizeof(struct vring_used_elem) +
                              PAGE),
        .wrap = true,
        .used_wrap = true,
        .length = g_new0(uint8_t, num),
    };
    /* Nobody waits for an interrupt. */
    if (packed) {
        struct vring_packed_desc_event *event = (void *)ring->driver.host;

        event->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
    } else {
        struct vring_avail *avail = (void *)ring->driver.host;

        avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
    }
}

void ring_free(Ring *ring)
{
    g_free(ring->length);
}
