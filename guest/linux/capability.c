// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>
#include <linux/pci_regs.h>
#include <linux/sizes.h>
#include <linux/virtio_pci.h>

#include "capability.h"

/* As many as fit */
#define MOST	((VSW_CONFIG_SIZE - PCI_STD_HEADER_SIZEOF) / 4)

#define AT(field)	(offsetof(struct virtio_pci_cap64, field))

/* Where capabilities begin, in the order of their list */
struct list {
	unsigned int n;
	u8 at[MOST];
};

static u32 read16(const u8 *p)
{
	return p[0] | p[1] << 8;
}

static u32 read32(const u8 *p)
{
	return read16(p) | read16(p + 2) << 16;
}

/* The place after that at @at; 0: there is none. */
static unsigned int follow(const u8 *config, unsigned int at)
{
	unsigned int next = config[at] & ~3;

	return next < PCI_STD_HEADER_SIZEOF ? 0 : next;
}

/* A list that is longer than what fits runs in a circle. */
static void read_list(const u8 *config, struct list *list)
{
	unsigned int at;

	list->n = 0;
	if (!(config[PCI_STATUS] & PCI_STATUS_CAP_LIST))
		return;
	for (at = follow(config, PCI_CAPABILITY_LIST); at && list->n < MOST;
	     at = follow(config, at + PCI_CAP_LIST_NEXT))
		list->at[list->n++] = at;
}

static bool is_virtio(const u8 *config, unsigned int pos)
{
	return config[pos] == PCI_CAP_ID_VNDR;
}

static bool is_window(const u8 *config, unsigned int pos)
{
	return is_virtio(config, pos) &&
	       config[pos + AT(cap.cfg_type)] == VIRTIO_PCI_CAP_SWIOTLB;
}

/* Is the capability as long as it says, and long enough? */
static bool is_whole(const u8 *config, unsigned int pos, size_t least)
{
	u8 length = config[pos + AT(cap.cap_len)];

	return length >= least && length <= VSW_CONFIG_SIZE - pos;
}

static void read_cap(const u8 *cap, struct vsw_range *range)
{
	range->bar = cap[AT(cap.bar)];
	range->offset = read32(cap + AT(cap.offset));
	range->size = read32(cap + AT(cap.length));
}

static void read_cap64(const u8 *cap, struct vsw_range *range)
{
	read_cap(cap, range);
	range->offset |= (u64)read32(cap + AT(offset_hi)) << 32;
	range->size |= (u64)read32(cap + AT(length_hi)) << 32;
}

static bool wrong(struct vsw_fault *fault, const char *field, u64 value,
		  const char *reason)
{
	*fault = (struct vsw_fault) { field, value, reason };
	return false;
}

bool vsw_capability_exists(const u8 *config)
{
	struct list list;
	unsigned int i;

	read_list(config, &list);
	for (i = 0; i < list.n; i++) {
		if (is_window(config, list.at[i]))
			return true;
	}
	return false;
}

/* The only capability of the window, or 0 */
static unsigned int find_window(const u8 *config, const struct list *list,
				struct vsw_fault *fault)
{
	unsigned int found = 0;
	unsigned int i;

	for (i = 0; i < list->n; i++) {
		/* In a circle it comes again. */
		if (!is_window(config, list->at[i]) || list->at[i] == found)
			continue;
		if (found) {
			wrong(fault, "cfg_type", VIRTIO_PCI_CAP_SWIOTLB,
			      "more than one capability has it");
			return 0;
		}
		found = list->at[i];
	}
	if (!found)
		wrong(fault, "cfg_type", VIRTIO_PCI_CAP_SWIOTLB,
		      "no capability has it any more");
	return found;
}

static bool check_length(const u8 *config, const struct list *list,
			 unsigned int cap, struct vsw_fault *fault)
{
	u8 length = config[cap + AT(cap.cap_len)];
	unsigned int i;

	if (length < sizeof(struct virtio_pci_cap64))
		return wrong(fault, "cap_len", length, "24 is the least");
	if (!is_whole(config, cap, sizeof(struct virtio_pci_cap64)))
		return wrong(fault, "cap_len", length,
			     "configuration space ends before");
	for (i = 0; i < list->n; i++) {
		if (list->at[i] > cap &&
		    list->at[i] < cap + sizeof(struct virtio_pci_cap64))
			return wrong(fault, "cap_len", length,
				     "another capability begins before its end");
	}
	return true;
}

static u32 read_bar(const u8 *config, unsigned int bar)
{
	return read32(config + PCI_BASE_ADDRESS_0 + 4 * bar);
}

static bool check_bar(const u8 *config, u8 bar, struct vsw_fault *fault)
{
	const u32 is_64 = PCI_BASE_ADDRESS_MEM_TYPE_64;
	const u32 type = PCI_BASE_ADDRESS_SPACE |
			 PCI_BASE_ADDRESS_MEM_TYPE_MASK;
	unsigned int i = 0;

	if (bar >= PCI_STD_NUM_BARS)
		return wrong(fault, "bar", bar, "5 is the last");
	while (i < bar)
		i += (read_bar(config, i) & type) == is_64 ? 2 : 1;
	if (i != bar)
		return wrong(fault, "bar", bar,
			     "that is the upper half of a 64-bit BAR");
	if (read_bar(config, bar) & PCI_BASE_ADDRESS_SPACE_IO)
		return wrong(fault, "bar", bar, "that is an I/O BAR");
	return true;
}

static bool check_range(const struct vsw_range *window,
			struct vsw_fault *fault)
{
	if (window->size < SZ_1M)
		return wrong(fault, "length", window->size,
			     "0x100000 is the least");
	if (window->size % SZ_4K)
		return wrong(fault, "length", window->size,
			     "it has to be a multiple of 0x1000");
	if (window->offset % SZ_4K)
		return wrong(fault, "offset", window->offset,
			     "it has to be a multiple of 0x1000");
	/* What a pointer cannot reach, where it has 32 bits */
	if (window->size > SIZE_MAX)
		return wrong(fault, "length", window->size,
			     "this kernel cannot map as much");
	return true;
}

/* Neither end is computed: it need not fit 64 bits. */
static bool overlap(const struct vsw_range *window,
		    const struct vsw_range *other)
{
	if (window->bar != other->bar || !other->size)
		return false;
	if (window->offset >= other->offset)
		return window->offset - other->offset < other->size;
	return other->offset - window->offset < window->size;
}

/* Registers of the device, as drivers find them; not the window itself */
static bool read_structure(const u8 *config, unsigned int pos,
			   struct vsw_range *range)
{
	const u8 *cap = config + pos;

	if (!is_virtio(config, pos))
		return false;
	switch (cap[AT(cap.cfg_type)]) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
	case VIRTIO_PCI_CAP_ISR_CFG:
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		if (!is_whole(config, pos, sizeof(struct virtio_pci_cap)))
			return false;
		read_cap(cap, range);
		return true;
	case VIRTIO_PCI_CAP_SHARED_MEMORY_CFG:
		if (!is_whole(config, pos, sizeof(struct virtio_pci_cap64)))
			return false;
		read_cap64(cap, range);
		return true;
	}
	return false;
}

static void read_msix(const u8 *at, u64 size, struct vsw_range *range)
{
	u32 place = read32(at);

	range->bar = place & PCI_MSIX_TABLE_BIR;
	range->offset = place & PCI_MSIX_TABLE_OFFSET;
	range->size = size;
}

static bool overlaps_msix(const u8 *config, unsigned int pos,
			  const struct vsw_range *window)
{
	const u8 *cap = config + pos;
	struct vsw_range table, pending;
	unsigned int vectors;

	if (*cap != PCI_CAP_ID_MSIX ||
	    pos + PCI_CAP_MSIX_SIZEOF > VSW_CONFIG_SIZE)
		return false;
	vectors = (read16(cap + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1;
	read_msix(cap + PCI_MSIX_TABLE, vectors * PCI_MSIX_ENTRY_SIZE, &table);
	/* A bit for each vector, in words of 64 */
	read_msix(cap + PCI_MSIX_PBA, DIV_ROUND_UP(vectors, 64) * 8, &pending);
	return overlap(window, &table) || overlap(window, &pending);
}

static bool check_overlaps(const u8 *config, const struct list *list,
			   const struct vsw_range *window,
			   struct vsw_fault *fault)
{
	struct vsw_range other;
	unsigned int i;

	for (i = 0; i < list->n; i++) {
		if (read_structure(config, list->at[i], &other) &&
		    overlap(window, &other))
			return wrong(fault, "offset", window->offset,
				     "registers of the device lie in the window");
		if (overlaps_msix(config, list->at[i], window))
			return wrong(fault, "offset", window->offset,
				     "the MSI-X table lies in the window");
	}
	return true;
}

bool vsw_capability_read(const u8 *config, struct vsw_range *window,
			 struct vsw_fault *fault)
{
	struct list list;
	unsigned int pos;

	read_list(config, &list);
	pos = find_window(config, &list, fault);
	if (!pos || !check_length(config, &list, pos, fault))
		return false;
	read_cap64(config + pos, window);
	return check_bar(config, window->bar, fault) &&
	       check_range(window, fault) &&
	       check_overlaps(config, &list, window, fault);
}

bool vsw_capability_fits(const struct vsw_range *window, u64 size,
			 struct vsw_fault *fault)
{
	if (window->offset >= size)
		return wrong(fault, "offset", window->offset,
			     "the BAR ends before");
	if (window->size > size - window->offset)
		return wrong(fault, "length", window->size,
			     "the BAR ends before the window does");
	return true;
}

bool vsw_capability_structure(const u8 *config, u8 type,
			      struct vsw_range *structure)
{
	struct list list;
	unsigned int i;

	read_list(config, &list);
	for (i = 0; i < list.n; i++) {
		if (read_structure(config, list.at[i], structure) &&
		    config[list.at[i] + AT(cap.cfg_type)] == type &&
		    structure->bar < PCI_STD_NUM_BARS)
			return true;
	}
	return false;
}
