/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The memory map that a virtual CPU's cached translations belong to; for
 * physmem.c, behind memory-internal.h
 *
 * TCG caches which section of the memory map a page of a virtual CPU leads to
 * by the section's number. QEMU looks numbers up in the map of now. When the
 * map has changed, and until the CPU has flushed what it cached, a number is
 * that of another section, or of none: accesses go astray, or an assertion
 * ends QEMU. So a CPU keeps the map that its numbers are of.
 */

#ifndef HW_VIRTIO_SWIOTLB_VIEW_H
#define HW_VIRTIO_SWIOTLB_VIEW_H

/*
 * swiotlb_view: the map in *@seen; the first time since it was forgotten, that
 * of @as as it is now.
 *
 * Context: the virtual CPU's thread
 */
static inline FlatView *swiotlb_view(FlatView **seen, AddressSpace *as)
{
    if (!*seen) {
        *seen = address_space_get_flatview(as);
    }
    return *seen;
}

/*
 * swiotlb_forget_view: nothing that was cached belongs to *@seen any more.
 *
 * Context: the virtual CPU's thread, or it has none
 */
static inline void swiotlb_forget_view(FlatView **seen)
{
    g_clear_pointer(seen, flatview_unref);
}

#endif
