// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window is cut into blocks of 4 KiB. A slot of more than half a block is
 * a run of blocks. Smaller slots share a block with others of the same power
 * of two, from 64 bytes on: request headers, status bytes and indirect tables
 * are many and small.
 *
 * Three areas keep the directions out of each other's way: however many
 * buffers wait to receive, there is room to send, and the other way round.
 *
 *	0         1/4                    3/4         1
 *	| receive |        shared        |   send    |
 *
 * Each direction fills its own area first, rings start in the shared one.
 */
#include <linux/bitmap.h>
#include <linux/bits.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "pool.h"

#define BLOCK_SHIFT	12
#define POOL_BLOCK	BIT(BLOCK_SHIFT)
#define SMALL_SHIFT	6
#define SMALL_CLASSES	(BLOCK_SHIFT - SMALL_SHIFT)
#define SMALL_MAX	(POOL_BLOCK / 2)

/* The segments that a request of full length is expected to have */
#define SEGMENTS	256
#define MAPPING_MAX	BIT(20)

enum area_id { AREA_RECEIVE, AREA_SHARED, AREA_SEND, AREAS };

/* A block of small slots */
struct small {
	struct list_head link;
	unsigned int block;
	unsigned int shift;
	unsigned int used_slots;
	struct list_head *partial;
	DECLARE_BITMAP(used, POOL_BLOCK >> SMALL_SHIFT);
	struct vsw_slot slot[];
};

struct block {
	enum { BLOCK_FREE, BLOCK_RUN, BLOCK_SMALL } use;
	union {
		/* BLOCK_RUN: how many blocks after the run's first */
		unsigned int back;
		/* BLOCK_SMALL */
		struct small *small;
	};
	/* BLOCK_RUN: in the run's first block */
	struct vsw_slot slot;
};

struct area {
	unsigned int start, end;
	/* Blocks with free slots, by the slots' size */
	struct list_head partial[SMALL_CLASSES];
};

struct vsw_pool {
	/* Guards all that follows */
	spinlock_t lock;
	unsigned int blocks;
	unsigned long *busy;
	struct block *block;
	struct area area[AREAS];
	struct vsw_pool_stats stats;
};

static const enum area_id ring_areas[AREAS] = {
	AREA_SHARED, AREA_RECEIVE, AREA_SEND
};

static const enum area_id send_areas[] = { AREA_SEND, AREA_SHARED };
static const enum area_id receive_areas[] = { AREA_RECEIVE, AREA_SHARED };

struct vsw_pool *vsw_pool_create(size_t size)
{
	unsigned int blocks = size >> BLOCK_SHIFT;
	unsigned int start[AREAS + 1] = { 0, blocks / 4, blocks - blocks / 4,
					  blocks };
	struct vsw_pool *pool;
	unsigned int i, j;

	pool = kzalloc(sizeof(*pool), GFP_KERNEL);
	if (!pool)
		return NULL;
	pool->busy = bitmap_zalloc(blocks, GFP_KERNEL);
	pool->block = kvcalloc(blocks, sizeof(*pool->block), GFP_KERNEL);
	if (!pool->busy || !pool->block) {
		vsw_pool_destroy(pool);
		return NULL;
	}

	spin_lock_init(&pool->lock);
	pool->blocks = blocks;
	for (i = 0; i < AREAS; i++) {
		pool->area[i].start = start[i];
		pool->area[i].end = start[i + 1];
		for (j = 0; j < SMALL_CLASSES; j++)
			INIT_LIST_HEAD(&pool->area[i].partial[j]);
	}
	return pool;
}

void vsw_pool_destroy(struct vsw_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->blocks; i++) {
		if (pool->block[i].use == BLOCK_SMALL)
			kfree(pool->block[i].small);
	}
	kvfree(pool->block);
	bitmap_free(pool->busy);
	kfree(pool);
}

static size_t offset_of(unsigned int block)
{
	return (size_t)block << BLOCK_SHIFT;
}

static void count(struct vsw_pool *pool, const struct vsw_slot *slot, int n)
{
	if (slot->dir == DMA_NONE) {
		pool->stats.rings += n;
		pool->stats.ring_bytes += n * (ssize_t)slot->size;
	} else {
		pool->stats.mapped += n;
		pool->stats.mapped_bytes += n * (ssize_t)slot->size;
	}
}

static void take_blocks(struct vsw_pool *pool, unsigned int start,
			unsigned int n)
{
	bitmap_set(pool->busy, start, n);
	pool->stats.used_bytes += offset_of(n);
	pool->stats.peak_bytes = max(pool->stats.peak_bytes,
				     pool->stats.used_bytes);
}

static void give_blocks(struct vsw_pool *pool, unsigned int start,
			unsigned int n)
{
	unsigned int i;

	for (i = start; i < start + n; i++)
		pool->block[i].use = BLOCK_FREE;
	bitmap_clear(pool->busy, start, n);
	pool->stats.used_bytes -= offset_of(n);
}

static size_t alloc_run(struct vsw_pool *pool, const struct area *area,
			const struct vsw_slot *slot)
{
	unsigned long n = DIV_ROUND_UP(slot->size, POOL_BLOCK);
	unsigned long align = 0;
	unsigned long start, i;

	/* Coherent memory is aligned to the power of two that holds it. */
	if (slot->dir == DMA_NONE)
		align = roundup_pow_of_two(n) - 1;
	start = bitmap_find_next_zero_area(pool->busy, area->end, area->start,
					   n, align);
	if (start >= area->end)
		return VSW_NO_SLOT;

	take_blocks(pool, start, n);
	for (i = 0; i < n; i++) {
		pool->block[start + i].use = BLOCK_RUN;
		pool->block[start + i].back = i;
	}
	pool->block[start].slot = *slot;
	return offset_of(start);
}

static struct small *new_small(struct vsw_pool *pool, struct area *area,
			       unsigned int shift)
{
	unsigned int slots = POOL_BLOCK >> shift;
	struct small *small;
	unsigned int block;

	block = find_next_zero_bit(pool->busy, area->end, area->start);
	if (block >= area->end)
		return NULL;
	small = kzalloc(struct_size(small, slot, slots),
			GFP_ATOMIC | __GFP_NOWARN);
	if (!small)
		return NULL;

	small->block = block;
	small->shift = shift;
	small->partial = &area->partial[shift - SMALL_SHIFT];
	list_add(&small->link, small->partial);
	take_blocks(pool, block, 1);
	pool->block[block].use = BLOCK_SMALL;
	pool->block[block].small = small;
	return small;
}

static size_t alloc_small(struct vsw_pool *pool, struct area *area,
			  const struct vsw_slot *slot)
{
	unsigned int shift = SMALL_SHIFT;
	unsigned int slots, i;
	struct small *small;

	if (slot->size > 1UL << SMALL_SHIFT)
		shift = ilog2(roundup_pow_of_two(slot->size));
	slots = POOL_BLOCK >> shift;

	small = list_first_entry_or_null(&area->partial[shift - SMALL_SHIFT],
					 struct small, link);
	if (!small)
		small = new_small(pool, area, shift);
	if (!small)
		return VSW_NO_SLOT;

	i = find_first_zero_bit(small->used, slots);
	__set_bit(i, small->used);
	small->slot[i] = *slot;
	if (++small->used_slots == slots)
		list_del_init(&small->link);
	return offset_of(small->block) + ((size_t)i << shift);
}

size_t vsw_pool_alloc(struct vsw_pool *pool, const struct vsw_slot *slot)
{
	const enum area_id *areas = receive_areas;
	unsigned int n = ARRAY_SIZE(receive_areas);
	size_t offset = VSW_NO_SLOT;
	unsigned long flags;
	unsigned int i;

	if (slot->dir == DMA_NONE) {
		areas = ring_areas;
		n = ARRAY_SIZE(ring_areas);
	} else if (slot->dir == DMA_TO_DEVICE) {
		areas = send_areas;
		n = ARRAY_SIZE(send_areas);
	}

	spin_lock_irqsave(&pool->lock, flags);
	for (i = 0; i < n && offset == VSW_NO_SLOT; i++) {
		struct area *area = &pool->area[areas[i]];

		if (slot->size > offset_of(area->end - area->start))
			continue;
		if (slot->size <= SMALL_MAX)
			offset = alloc_small(pool, area, slot);
		else
			offset = alloc_run(pool, area, slot);
	}
	if (offset == VSW_NO_SLOT)
		pool->stats.full++;
	else
		count(pool, slot, 1);
	spin_unlock_irqrestore(&pool->lock, flags);
	return offset;
}

/* Returns the slot in use at @offset or NULL; the lock is held. */
static struct vsw_slot *find(struct vsw_pool *pool, size_t offset, size_t *at)
{
	unsigned int index = offset >> BLOCK_SHIFT;
	struct block *block;
	struct small *small;
	unsigned int i;

	if (offset >= offset_of(pool->blocks))
		return NULL;
	block = &pool->block[index];

	switch (block->use) {
	case BLOCK_RUN:
		index -= block->back;
		*at = offset - offset_of(index);
		return &pool->block[index].slot;
	case BLOCK_SMALL:
		small = block->small;
		i = (offset & (POOL_BLOCK - 1)) >> small->shift;
		if (!test_bit(i, small->used))
			return NULL;
		*at = offset & ((1UL << small->shift) - 1);
		return &small->slot[i];
	default:
		return NULL;
	}
}

bool vsw_pool_find(struct vsw_pool *pool, size_t offset, struct vsw_slot *slot,
		   size_t *at)
{
	struct vsw_slot *found;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	found = find(pool, offset, at);
	if (found)
		*slot = *found;
	spin_unlock_irqrestore(&pool->lock, flags);
	return found;
}

static bool same(const struct vsw_slot *a, const struct vsw_slot *b)
{
	return a->buffer == b->buffer && a->size == b->size && a->dir == b->dir;
}

static bool block_holds(const struct block *block, const struct vsw_slot *slot)
{
	const struct small *small = block->small;
	unsigned int i;

	if (block->use == BLOCK_RUN)
		return !block->back && same(&block->slot, slot);
	for_each_set_bit(i, small->used, POOL_BLOCK >> small->shift) {
		if (same(&small->slot[i], slot))
			return true;
	}
	return false;
}

bool vsw_pool_holds(struct vsw_pool *pool, const struct vsw_slot *slot)
{
	unsigned long flags;
	bool found = false;
	unsigned int i;

	spin_lock_irqsave(&pool->lock, flags);
	for_each_set_bit(i, pool->busy, pool->blocks) {
		found = block_holds(&pool->block[i], slot);
		if (found)
			break;
	}
	spin_unlock_irqrestore(&pool->lock, flags);
	return found;
}

static void free_small(struct vsw_pool *pool, struct small *small,
		       unsigned int i)
{
	__clear_bit(i, small->used);
	if (--small->used_slots == 0) {
		list_del(&small->link);
		give_blocks(pool, small->block, 1);
		kfree(small);
	} else if (list_empty(&small->link)) {
		list_add(&small->link, small->partial);
	}
}

bool vsw_pool_free(struct vsw_pool *pool, size_t offset)
{
	unsigned int index = offset >> BLOCK_SHIFT;
	struct vsw_slot *slot;
	unsigned long flags;
	size_t at;

	spin_lock_irqsave(&pool->lock, flags);
	slot = find(pool, offset, &at);
	if (slot && at)
		slot = NULL;
	if (slot) {
		struct small *small = pool->block[index].small;

		count(pool, slot, -1);
		if (pool->block[index].use == BLOCK_SMALL)
			free_small(pool, small, slot - small->slot);
		else
			give_blocks(pool, index,
				    DIV_ROUND_UP(slot->size, POOL_BLOCK));
	}
	spin_unlock_irqrestore(&pool->lock, flags);
	return slot;
}

void vsw_pool_stats(struct vsw_pool *pool, struct vsw_pool_stats *stats)
{
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	*stats = pool->stats;
	spin_unlock_irqrestore(&pool->lock, flags);
}

size_t vsw_pool_max_slot(const struct vsw_pool *pool)
{
	const struct area *shared = &pool->area[AREA_SHARED];

	return offset_of(shared->end - shared->start);
}

/*
 * A slot may be twice as large as the mapping it holds, hence half of the area
 * that the other direction cannot touch.
 */
size_t vsw_pool_max_request(const struct vsw_pool *pool)
{
	return offset_of(pool->blocks / 4) / 2;
}

size_t vsw_pool_max_mapping(const struct vsw_pool *pool)
{
	size_t share = rounddown_pow_of_two(vsw_pool_max_request(pool) /
					    SEGMENTS);

	/* The block layer does not take less than a page. */
	return clamp(share, PAGE_SIZE, MAPPING_MAX);
}
