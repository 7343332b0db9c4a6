/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What differs between the QEMU versions we build in; known nowhere else
 */

#ifndef HW_VIRTIO_SWIOTLB_COMPAT_H
#define HW_VIRTIO_SWIOTLB_COMPAT_H

#define SWIOTLB_QEMU_AT_LEAST(major, minor)                                 \
    (QEMU_VERSION_MAJOR > (major) ||                                        \
     (QEMU_VERSION_MAJOR == (major) && QEMU_VERSION_MINOR >= (minor)))

#include "qemu/units.h"
#include "qemu/thread.h"
#include "hw/qdev-properties.h"
#include "system/dma.h"
#include "system/hostmem.h"
#include "system/reset.h"
#if SWIOTLB_QEMU_AT_LEAST(10, 1)
#include "system/address-spaces.h"
#include "system/memory.h"
#else
#include "exec/address-spaces.h"
#include "exec/memory.h"
#endif

/* Where qemu_loadvm_section_start_full() wants its errors */
#if SWIOTLB_QEMU_AT_LEAST(10, 2)
#define SWIOTLB_LOADVM_ERRP errp
#else
#define SWIOTLB_LOADVM_ERRP NULL
#endif

/* The last argument of a class_init function points to this. */
#if SWIOTLB_QEMU_AT_LEAST(10, 1)
#define SWIOTLB_CLASS_DATA const void
#else
#define SWIOTLB_CLASS_DATA void
#endif

/* Where stock vhost code maps the rings of a device without an IOMMU */
#if SWIOTLB_QEMU_AT_LEAST(10, 1)
#define SWIOTLB_VHOST_RINGS_AS(vdev) ((vdev)->dma_as)
#else
#define SWIOTLB_VHOST_RINGS_AS(vdev) (&address_space_memory)
#endif

/* For what is written before it is read, see hw/net/virtio-net.c.cocci */
#ifndef QEMU_UNINITIALIZED
#define QEMU_UNINITIALIZED __attribute__((uninitialized))
#endif

/*
 * Does a vDPA device map guest memory as soon as it is opened, before anybody
 * knows for whom?
 */
#define SWIOTLB_VDPA_MAPS_EARLY SWIOTLB_QEMU_AT_LEAST(10, 1)

#endif
