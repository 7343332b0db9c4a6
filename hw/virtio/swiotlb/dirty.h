/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which memory was found dirty; for a header that everything includes
 */

#ifndef HW_VIRTIO_SWIOTLB_DIRTY_H
#define HW_VIRTIO_SWIOTLB_DIRTY_H

#include "exec/cpu-common.h"

/*
 * swiotlb_dirty_offset: where @block starts among all RAM, for code that takes
 * an offset in the block for that. 0, as ever, in a machine without windows.
 *
 * Context: any thread
 */
ram_addr_t swiotlb_dirty_offset(RAMBlock *block);

#endif
