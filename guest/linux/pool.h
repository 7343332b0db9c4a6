/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The allocator of one window. It deals in offsets from the window's start and
 * never looks at what the window holds. Every function may be called from any
 * context unless it says otherwise. Slots are taken and freed by slot.h.
 */
#ifndef VIRTIO_SWIOTLB_POOL_H
#define VIRTIO_SWIOTLB_POOL_H

#include <linux/dma-direction.h>
#include <linux/types.h>

struct vsw_pool;

#define VSW_NO_SLOT	((size_t)-1)

/* Devices that share a window are told apart by numbers below this. */
#define VSW_OWNERS	256

/*
 * What a slot is for. A ring has no buffer of the guest: dir is DMA_NONE. Who
 * looks for slots finds those of the owner that is set, and no others.
 */
struct vsw_slot {
	phys_addr_t buffer;
	size_t size;
	enum dma_data_direction dir;
	unsigned int owner;
};

/* While I/O goes on, the parts need not be of the same instant. */
struct vsw_pool_stats {
	/* Slots in use now */
	unsigned long rings, mapped;
	/*
	 * What they take of the window, what is taken together with free
	 * slots that caches and cut blocks hold, and the most that has been
	 * (of each area, added up)
	 */
	size_t used_bytes, taken_bytes, peak_bytes;
	/* Since the pool was made */
	u64 copied_in, copied_out;
	unsigned long full, locks, batches;
};

/* Both sleep. @size is a multiple of 4 KiB. */
struct vsw_pool *vsw_pool_create(size_t size);
void vsw_pool_destroy(struct vsw_pool *pool);

/*
 * Finds the slot that is in use at @offset, which may lie inside it: @at is
 * then how far from its start. False: there is none.
 */
bool vsw_pool_find(struct vsw_pool *pool, size_t offset, struct vsw_slot *slot,
		   size_t *at);

/* Is a buffer mapped that is the same as @slot's, in the same direction? Slow. */
bool vsw_pool_holds(struct vsw_pool *pool, const struct vsw_slot *slot);

/* Frees any slot of @owner, as it is. False: @offset is not the start of one. */
bool vsw_pool_free(struct vsw_pool *pool, size_t offset, unsigned int owner);

typedef void (*vsw_slot_fn)(const struct vsw_slot *slot, size_t offset,
			    void *data);

/* Calls @fn, which may free it, for each slot of an owner. Slow. */
void vsw_pool_each(struct vsw_pool *pool, unsigned int owner, vsw_slot_fn fn,
		   void *data);

/* Looks at every block that is taken. */
void vsw_pool_stats(struct vsw_pool *pool, struct vsw_pool_stats *stats);

/* The bytes that no slot can be larger than */
size_t vsw_pool_max_slot(const struct vsw_pool *pool);

/*
 * What drivers have to keep to so that any single request can be mapped once
 * all the others are done: the bytes of one mapping, and those of one request
 * in one direction.
 */
size_t vsw_pool_max_mapping(const struct vsw_pool *pool);
size_t vsw_pool_max_request(const struct vsw_pool *pool);

#endif
