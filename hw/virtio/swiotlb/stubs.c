/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * For targets without virtio: what code that is always there calls
 */

#include "qemu/osdep.h"
#include "hw/virtio/swiotlb.h"
#include "hw/virtio/swiotlb/dirty.h"

ram_addr_t swiotlb_dirty_offset(RAMBlock *block)
{
    return 0;
}

bool swiotlb_section_fits(const char *idstr, bool known, Error **errp)
{
    return true;
}
