/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu_swiotlb.h: which devices of QEMU can have a window
 */

#ifndef QEMU_SWIOTLB_H
#define QEMU_SWIOTLB_H

#include "domain_conf.h"
#include "qemu_capabilities.h"

int qemuValidateSwiotlb(const virDomainDeviceDef *dev, virQEMUCaps *qemuCaps);

/* Is what a live disk is to become the same in this? */
bool qemuSwiotlbDiskChangeSupported(const virDomainDiskDef *disk,
                                    const virDomainDiskDef *orig_disk);

#endif /* QEMU_SWIOTLB_H */
