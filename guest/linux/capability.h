/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a device says of its window and structures, in a copy of its
 * configuration space: a device may answer the same question differently each
 * time, so it is asked once. Nothing here touches the device.
 */
#ifndef VIRTIO_SWIOTLB_CAPABILITY_H
#define VIRTIO_SWIOTLB_CAPABILITY_H

#include <linux/types.h>

#define VIRTIO_PCI_CAP_SWIOTLB	10

#define VSW_CONFIG_SIZE	256

/* A part of a BAR */
struct vsw_range {
	u8 bar;
	u64 offset, size;
};

/* The field that is wrong, its value, and why */
struct vsw_fault {
	const char *field;
	u64 value;
	const char *reason;
};

/* Does the device say that it has a window, rightly or wrongly? */
bool vsw_capability_exists(const u8 *config);

/*
 * Reads where the window is. False: @fault says what is wrong. How large BARs
 * are is not known here, see vsw_capability_fits().
 */
bool vsw_capability_read(const u8 *config, struct vsw_range *window,
			 struct vsw_fault *fault);

/* Does the window fit the BAR of @size bytes? */
bool vsw_capability_fits(const struct vsw_range *window, u64 size,
			 struct vsw_fault *fault);

/* Finds the first structure of a type; false: there is none. */
bool vsw_capability_structure(const u8 *config, u8 type,
			      struct vsw_range *structure);

#endif
