// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots: who has which piece of the window, and for what.
 *
 * Three areas keep the directions out of each other's way: however many
 * buffers wait to receive, there is room to send, and the other way round.
 *
 *	0         1/4                    3/4         1
 *	| receive |        shared        |   send    |
 *
 * Each direction fills its own area first, rings start in the shared one.
 * Places come from this CPU's cache; only longer runs, of which each is worth
 * the copying of 36 KiB and more, come from their area directly.
 */
#include <linux/bitmap.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "slot.h"

/* The segments that a request of full length is expected to have */
#define SEGMENTS	256
#define MAPPING_MAX	BIT(20)

/* Where a slot may lie, in order of preference */
struct choice {
	enum vsw_area_id areas[VSW_AREAS];
	unsigned int n;
};

static const struct choice for_rings = {
	{ VSW_SHARED, VSW_RECEIVE, VSW_SEND }, 3
};

static const struct choice to_send = { { VSW_SEND, VSW_SHARED }, 2 };
static const struct choice to_receive = { { VSW_RECEIVE, VSW_SHARED }, 2 };

struct vsw_pool *vsw_pool_create(size_t size)
{
	/* Of a window beyond 256 GiB, what places can tell apart */
	unsigned int blocks = min_t(size_t, size >> VSW_BLOCK_SHIFT,
				    VSW_NO_PLACE / VSW_UNITS);
	unsigned int start[VSW_AREAS + 1] = { 0, blocks / 4,
					      blocks - blocks / 4, blocks };
	struct vsw_pool *pool;
	unsigned int i;

	pool = kzalloc(sizeof(*pool), GFP_KERNEL);
	if (!pool)
		return NULL;
	pool->blocks = blocks;
	pool->count = alloc_percpu(struct vsw_count);
	pool->block = kvcalloc(blocks, sizeof(*pool->block), GFP_KERNEL);
	if (!pool->count || !pool->block)
		goto fail;
	for (i = 0; i < VSW_AREAS; i++) {
		if (vsw_area_init(&pool->area[i], pool->block, start[i],
				  start[i + 1] - start[i]))
			goto fail;
	}
	if (vsw_cache_init(&pool->cache, pool->area))
		goto fail;
	return pool;
fail:
	vsw_pool_destroy(pool);
	return NULL;
}

void vsw_pool_destroy(struct vsw_pool *pool)
{
	unsigned int i;

	vsw_cache_exit(&pool->cache);
	for (i = 0; i < VSW_AREAS; i++)
		vsw_area_exit(&pool->area[i]);
	kvfree(pool->block);
	free_percpu(pool->count);
	kfree(pool);
}

static const struct choice *choice_for(enum dma_data_direction dir)
{
	switch (dir) {
	case DMA_NONE:
		return &for_rings;
	case DMA_TO_DEVICE:
		return &to_send;
	default:
		return &to_receive;
	}
}

static u32 take_run(struct vsw_pool *pool, const struct choice *choice,
		    size_t size, bool align)
{
	unsigned int blocks = DIV_ROUND_UP(size, VSW_BLOCK);
	u32 place = VSW_NO_PLACE;
	unsigned int i;

	if (size > min_t(size_t, vsw_pool_max_slot(pool), U32_MAX))
		return VSW_NO_PLACE;
	for (i = 0; i < choice->n && place == VSW_NO_PLACE; i++)
		place = vsw_area_take_run(&pool->area[choice->areas[i]],
					  blocks, align);
	return place;
}

static u32 take(struct vsw_pool *pool, const struct choice *choice,
		size_t size, bool align, size_t class)
{
	if (class >= VSW_CLASSES || align)
		return take_run(pool, choice, size, align);
	return vsw_cache_take(&pool->cache, choice->areas, choice->n, class);
}

u32 vsw_pool_take(struct vsw_pool *pool, enum dma_data_direction dir,
		  size_t size, size_t class)
{
	const struct choice *choice = choice_for(dir);
	/* Coherent memory is aligned to the power of two that holds it. */
	bool align = dir == DMA_NONE && size > VSW_BLOCK;
	u32 place = take(pool, choice, size, align, class);

	if (place == VSW_NO_PLACE) {
		/* Magazines of all CPUs hold nothing when areas are asked again. */
		vsw_cache_drain(&pool->cache, choice->areas, choice->n);
		place = take(pool, choice, size, align, class);
	}
	if (place == VSW_NO_PLACE)
		atomic_long_inc(&pool->full);
	return place;
}

bool vsw_pool_find(struct vsw_pool *pool, size_t offset, struct vsw_slot *slot,
		   size_t *at)
{
	bool found;

	if (!vsw_pool_reaches(pool, offset))
		return false;
	rcu_read_lock();
	found = vsw_record_read(vsw_record_at(pool->block, offset, at), slot);
	rcu_read_unlock();
	/* Behind a run's end a record may be of a longer one that is gone. */
	return found && (!*at || *at < vsw_class_bytes(vsw_class(slot->size)));
}

typedef bool (*look_fn)(const struct vsw_record *record, size_t offset,
			void *data);

static bool any_in_block(const struct vsw_block *block, size_t offset,
			 look_fn look, void *data)
{
	const struct vsw_cut *cut = rcu_dereference(block->cut);
	unsigned int i;

	if (!cut)
		return look(&block->record, offset, data);
	for (i = 0; i < VSW_UNITS >> cut->class; i++) {
		if (look(&cut->record[i],
			 offset + i * vsw_class_bytes(cut->class), data))
			return true;
	}
	return false;
}

/* Calls @look for the records of what is taken, until it says true. */
static bool any_record(struct vsw_pool *pool, look_fn look, void *data)
{
	unsigned int i, j;

	for (i = 0; i < VSW_AREAS; i++) {
		struct vsw_area *area = &pool->area[i];

		for_each_set_bit(j, area->busy, area->blocks) {
			size_t offset = area->start + j;

			if (any_in_block(&area->block[j],
					 offset << VSW_BLOCK_SHIFT, look, data))
				return true;
		}
	}
	return false;
}

static bool is_same(const struct vsw_record *record, size_t offset, void *data)
{
	const struct vsw_slot *slot = data;
	struct vsw_slot other = { .owner = slot->owner };

	return vsw_record_read(record, &other) && other.buffer == slot->buffer &&
	       other.size == slot->size && other.dir == slot->dir;
}

/* What the caller itself has mapped is found; the rest may change meanwhile. */
bool vsw_pool_holds(struct vsw_pool *pool, const struct vsw_slot *slot)
{
	struct vsw_slot wanted = *slot;
	bool found;

	rcu_read_lock();
	found = any_record(pool, is_same, &wanted);
	rcu_read_unlock();
	return found;
}

bool vsw_pool_free(struct vsw_pool *pool, size_t offset, unsigned int owner)
{
	struct vsw_slot slot = { .owner = owner };

	if (!vsw_record_retire(pool, offset, &slot, true))
		return false;
	vsw_pool_release(pool, offset, &slot);
	return true;
}

struct each {
	unsigned int owner;
	vsw_slot_fn fn;
	void *data;
};

static bool call_for_owned(const struct vsw_record *record, size_t offset,
			   void *data)
{
	struct each *each = data;
	struct vsw_slot slot = { .owner = each->owner };

	if (vsw_record_read(record, &slot))
		each->fn(&slot, offset, each->data);
	return false;
}

void vsw_pool_each(struct vsw_pool *pool, unsigned int owner, vsw_slot_fn fn,
		   void *data)
{
	struct each each = { owner, fn, data };

	rcu_read_lock();
	any_record(pool, call_for_owned, &each);
	rcu_read_unlock();
}

/* Nothing is counted when slots come and go: that would cost every buffer. */
static bool count_slot(const struct vsw_record *record, size_t offset,
		       void *data)
{
	struct vsw_pool_stats *stats = data;
	struct vsw_slot slot = { .owner = vsw_record_owner(record) };

	if (!vsw_record_read(record, &slot))
		return false;
	if (slot.dir == DMA_NONE)
		stats->rings++;
	else
		stats->mapped++;
	stats->used_bytes += vsw_class_bytes(vsw_class(slot.size));
	return false;
}

void vsw_pool_stats(struct vsw_pool *pool, struct vsw_pool_stats *stats)
{
	unsigned int i;
	int cpu;

	*stats = (struct vsw_pool_stats) {};
	rcu_read_lock();
	any_record(pool, count_slot, stats);
	rcu_read_unlock();

	for_each_possible_cpu(cpu) {
		struct vsw_count *part = per_cpu_ptr(pool->count, cpu);

		stats->copied_in += READ_ONCE(part->copied_in);
		stats->copied_out += READ_ONCE(part->copied_out);
	}

	for (i = 0; i < VSW_AREAS; i++) {
		struct vsw_area *area = &pool->area[i];
		unsigned long flags;

		/* Itself not counted among the locks taken */
		spin_lock_irqsave(&area->lock, flags);
		stats->taken_bytes += (size_t)area->taken << VSW_BLOCK_SHIFT;
		stats->peak_bytes += (size_t)area->peak << VSW_BLOCK_SHIFT;
		stats->locks += area->locks;
		stats->batches += area->batches;
		spin_unlock_irqrestore(&area->lock, flags);
	}
	stats->full = atomic_long_read(&pool->full);
}

size_t vsw_pool_max_slot(const struct vsw_pool *pool)
{
	return (size_t)pool->area[VSW_SHARED].blocks << VSW_BLOCK_SHIFT;
}

/*
 * A slot may be twice as large as the mapping it holds, hence half of the area
 * that the other direction cannot touch.
 */
size_t vsw_pool_max_request(const struct vsw_pool *pool)
{
	return (size_t)(pool->blocks / 4) << VSW_BLOCK_SHIFT >> 1;
}

size_t vsw_pool_max_mapping(const struct vsw_pool *pool)
{
	size_t share = rounddown_pow_of_two(vsw_pool_max_request(pool) /
					    SEGMENTS);

	/* The block layer does not take less than a page. */
	return clamp(share, PAGE_SIZE, MAPPING_MAX);
}
