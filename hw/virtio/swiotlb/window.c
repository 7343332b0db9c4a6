/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The window: what lies inside
 *
 * One atomic value says where the window is and whether it is open, so that an
 * I/O thread sees either the old place or the new one, never half of each.
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/host-utils.h"
#include "qemu/units.h"
#include "hw/virtio/swiotlb/window.h"

void swiotlb_window_init(SwiotlbWindow *window, uint64_t size)
{
    window->size = size;
    qatomic_set(&window->base, SWIOTLB_CLOSED);
}

bool swiotlb_window_size_valid(uint64_t size)
{
    return size >= SWIOTLB_MIN_SIZE && is_power_of_2(size);
}

bool swiotlb_window_move(SwiotlbWindow *window, uint64_t base)
{
    uint64_t old = qatomic_xchg(&window->base, base);

    return old != base;
}
