/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The window: what lies inside
 */

#ifndef HW_VIRTIO_SWIOTLB_WINDOW_H
#define HW_VIRTIO_SWIOTLB_WINDOW_H

#include "qemu/atomic.h"

/* Smallest window, in bytes */
#define SWIOTLB_MIN_SIZE (1 * MiB)

/* SwiotlbWindow::base of a closed window. No window is mapped there. */
#define SWIOTLB_CLOSED UINT64_MAX

typedef struct SwiotlbWindow {
    /* Bus address of the first byte, or SWIOTLB_CLOSED; atomic */
    uint64_t base;
    /* Bytes; a power of two; 0 without a window */
    uint64_t size;
} SwiotlbWindow;

/* swiotlb_window_init: a closed window of @size bytes */
void swiotlb_window_init(SwiotlbWindow *window, uint64_t size);

/* swiotlb_window_size_valid: can a window have @size bytes? */
bool swiotlb_window_size_valid(uint64_t size);

/*
 * swiotlb_window_move: the driver now sees the window at bus address @base,
 * or nowhere if that is SWIOTLB_CLOSED.
 *
 * Returns: true if that is a change
 * Context: one thread at a time; any number of others may look
 */
bool swiotlb_window_move(SwiotlbWindow *window, uint64_t base);

/*
 * swiotlb_window_offset: the DMA rule.
 *
 * @addr: bus address
 * @len: bytes, any value; an empty range may also lie right behind the window
 * @offset: set to the offset of @addr in the window
 *
 * Returns: true if and only if all of [@addr, @addr + @len), without
 *          wrap-around, lies inside the window and the window is open
 * Context: any thread
 */
static inline bool swiotlb_window_offset(const SwiotlbWindow *window,
                                         uint64_t addr, uint64_t len,
                                         uint64_t *offset)
{
    uint64_t base = qatomic_read(&window->base);

    /* Subtractions only: a sum could wrap around. */
    if (base == SWIOTLB_CLOSED || addr < base ||
        addr - base > window->size || len > window->size - (addr - base)) {
        return false;
    }

    *offset = addr - base;
    return true;
}

#endif
