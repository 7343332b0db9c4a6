/*
 * What stands in for the kernel's vhost and vDPA devices, and its test
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_SWIOTLB_VHOST_SHIM_H
#define TESTS_QTEST_SWIOTLB_VHOST_SHIM_H

/* Environment: the file that gets a line for each thing of interest */
#define SHIM_LOG        "SWIOTLB_VHOST_SHIM_LOG"
/* vDPA devices, which have no names of their own */
#define SHIM_VDPA_BLK   "/dev/vhost-vdpa-swiotlb-blk"
#define SHIM_VDPA_NET   "/dev/vhost-vdpa-swiotlb-net"

/* What the shim looks for in all memory that it gets */
#define SHIM_SECRET     "no back end may see this"
#define SHIM_MARK       "a back end is to see this"

#endif
