/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An area is a range of the window's blocks of 4 KiB, and a lock. It hands out
 *
 * runs    of blocks, and
 * units   of a block that is cut into pieces of one power of two, from 64
 *         bytes to half a block: request headers, status bytes and indirect
 *         tables are many and small.
 *
 * What it handed out is known by a place: the offset from the window's start,
 * in units of 64 bytes. Whose it is then, and whether anybody uses it, is not
 * the area's business. Places are handed out and taken back in batches, so that
 * the lock is taken once for many (see cache.h).
 */
#ifndef VIRTIO_SWIOTLB_AREA_H
#define VIRTIO_SWIOTLB_AREA_H

#include <linux/bitops.h>
#include <linux/cache.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#define VSW_BLOCK_SHIFT		12
#define VSW_BLOCK		BIT(VSW_BLOCK_SHIFT)
#define VSW_UNIT_SHIFT		6
#define VSW_UNITS		(VSW_BLOCK >> VSW_UNIT_SHIFT)
#define VSW_NO_PLACE		U32_MAX

/* Classes: 64, 128, ... 2048 bytes; 1, 2, ... 8 blocks. Others are longer. */
#define VSW_SMALL_CLASSES	(VSW_BLOCK_SHIFT - VSW_UNIT_SHIFT)
#define VSW_SMALL_MAX		(VSW_BLOCK / 2)
#define VSW_RUN_CLASSES		8
#define VSW_CLASSES		(VSW_SMALL_CLASSES + VSW_RUN_CLASSES)

/* What a slot holds. Who may write it, and when, is the pool's matter. */
struct vsw_record {
	phys_addr_t buffer;
	u32 size;
	u32 state;
};

/* A block that is cut into pieces. Freed by RCU, as vsw_record_at() wants. */
struct vsw_cut {
	struct list_head link;
	struct rcu_head rcu;
	unsigned int index;
	unsigned int class;
	unsigned int taken;
	DECLARE_BITMAP(used, VSW_UNITS);
	struct vsw_record record[];
};

struct vsw_block {
	struct vsw_cut __rcu *cut;
	/* Of the run that starts here */
	struct vsw_record record;
	/* How many blocks after its run's first; not reset when it is freed */
	u32 back;
};

struct vsw_area {
	/* Set once */
	struct vsw_block *block;
	unsigned int start, blocks;
	unsigned long *busy;
	/* Nearly full: caches are to keep nothing. Changes rarely. */
	bool tight;

	/* Guards all that follows, the bitmap, and cut blocks but for records */
	spinlock_t lock ____cacheline_aligned_in_smp;
	/* No free block before this one */
	unsigned int first;
	unsigned int taken, peak;
	/* Cut blocks with free pieces, by class */
	struct list_head partial[VSW_SMALL_CLASSES];
	/* How often the lock was taken, how often for a batch */
	unsigned long locks, batches;
};

/* The class of a slot for @size bytes; VSW_CLASSES or more: none. */
static inline size_t vsw_class(size_t size)
{
	if (size <= BIT(VSW_UNIT_SHIFT))
		return 0;
	if (size <= VSW_SMALL_MAX)
		return fls_long(size - 1) - VSW_UNIT_SHIFT;
	return VSW_SMALL_CLASSES - 1 + DIV_ROUND_UP(size, VSW_BLOCK);
}

/* What a slot of a class, even of one beyond VSW_CLASSES, takes of the window */
static inline size_t vsw_class_bytes(size_t class)
{
	if (class < VSW_SMALL_CLASSES)
		return BIT(VSW_UNIT_SHIFT) << class;
	return (class - VSW_SMALL_CLASSES + 1) << VSW_BLOCK_SHIFT;
}

/*
 * @block: all of the window's; the area is [start, start + blocks) of them.
 * Sleeps. What failed is undone by vsw_area_exit(), as for an area of zeros.
 */
int vsw_area_init(struct vsw_area *area, struct vsw_block *block,
		  unsigned int start, unsigned int blocks);
void vsw_area_exit(struct vsw_area *area);

/* Takes up to @n places of one class; returns how many. */
unsigned int vsw_area_take(struct vsw_area *area, unsigned int class,
			   u32 *place, unsigned int n);
void vsw_area_give(struct vsw_area *area, unsigned int class, const u32 *place,
		   unsigned int n);

/* One run of any length; @align: to the power of two that holds it. */
u32 vsw_area_take_run(struct vsw_area *area, unsigned int blocks, bool align);
void vsw_area_give_run(struct vsw_area *area, u32 place, unsigned int blocks);

/* Without a lock: is there certainly nothing of that class? */
static inline bool vsw_area_exhausted(const struct vsw_area *area,
				      unsigned int class)
{
	return READ_ONCE(area->taken) == area->blocks &&
	       (class >= VSW_SMALL_CLASSES ||
		list_empty(&area->partial[class]));
}

/* The record of a place that the caller holds */
static inline struct vsw_record *vsw_record_of(struct vsw_block *block,
					       u32 place, size_t class)
{
	struct vsw_cut *cut;

	block += place / VSW_UNITS;
	if (class >= VSW_SMALL_CLASSES)
		return &block->record;
	cut = rcu_dereference_protected(block->cut, true);
	return &cut->record[(place % VSW_UNITS) >> class];
}

/*
 * The record of what was handed out around @offset, below the window's size;
 * @at: how far inside it that is. The caller either holds the place or is
 * inside an RCU read-side critical section, and has then got a record that is
 * valid memory, whatever its block was or is used for.
 */
static inline struct vsw_record *vsw_record_at(struct vsw_block *block,
					       size_t offset, size_t *at)
{
	unsigned int in_block = offset & (VSW_BLOCK - 1);
	unsigned int shift, piece;
	struct vsw_cut *cut;
	u32 back;

	block += offset >> VSW_BLOCK_SHIFT;
	/* True: see above for who may ask. */
	cut = rcu_dereference_check(block->cut, true);
	if (cut) {
		shift = VSW_UNIT_SHIFT + cut->class;
		piece = in_block >> shift;
		*at = in_block - (piece << shift);
		return &cut->record[piece];
	}
	back = READ_ONCE(block->back);
	*at = ((size_t)back << VSW_BLOCK_SHIFT) + in_block;
	return &(block - back)->record;
}

#endif
