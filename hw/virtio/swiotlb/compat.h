/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What differs between the QEMU versions we build in; known nowhere else
 */

#ifndef HW_VIRTIO_SWIOTLB_COMPAT_H
#define HW_VIRTIO_SWIOTLB_COMPAT_H

#include "qemu/units.h"
#include "qemu/thread.h"
#include "hw/qdev-properties.h"
#if __has_include("system/memory.h")
#include "system/memory.h"
#include "system/address-spaces.h"
#include "system/dma.h"
#include "system/reset.h"
#include "system/hostmem.h"
#else
#include "exec/memory.h"
#include "exec/address-spaces.h"
#include "system/dma.h"
#include "system/reset.h"
#include "system/hostmem.h"
#endif

#if QEMU_VERSION_MAJOR > 10 || QEMU_VERSION_MINOR >= 1
#define SWIOTLB_CLASS_DATA const void
#else
#define SWIOTLB_CLASS_DATA void
#endif

#endif
