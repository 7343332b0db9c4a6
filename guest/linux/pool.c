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
 *
 * A slot's record is found by its address, without a lock. Its state says
 * whether it is in use: only who turns it from used to free, in one step, may
 * give the place back.
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "cache.h"
#include "pool.h"

/* The segments that a request of full length is expected to have */
#define SEGMENTS	256
#define MAPPING_MAX	BIT(20)

/* A record's state: 0 in the low bits if it is free, else direction + 1 */
#define STATE_DIR	0x7
/* Which use this is, so that the state differs from one to the next */
#define STATE_USE	0x8

/* Changes on this CPU; only the sum over all CPUs means something. */
struct count {
	/* Slots in use by class, the last for all that are longer */
	long rings[VSW_CLASSES + 1], mapped[VSW_CLASSES + 1];
	/* Blocks of those that are longer */
	long blocks;
	u64 copied_in, copied_out;
};

struct vsw_pool {
	unsigned int blocks;
	struct vsw_block *block;
	struct count __percpu *count;
	struct vsw_cache cache;
	struct vsw_area area[VSW_AREAS];
	atomic_long_t full;
};

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
	pool->count = alloc_percpu(struct count);
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

static enum vsw_area_id area_of(const struct vsw_pool *pool, u32 place)
{
	unsigned int block = place / VSW_UNITS;

	if (block < pool->area[VSW_SHARED].start)
		return VSW_RECEIVE;
	return block < pool->area[VSW_SEND].start ? VSW_SHARED : VSW_SEND;
}

/* Coherent memory is aligned to the power of two that holds it. */
static bool is_aligned(const struct vsw_slot *slot)
{
	return slot->dir == DMA_NONE && slot->size > VSW_BLOCK;
}

static u32 take_run(struct vsw_pool *pool, const struct choice *choice,
		    const struct vsw_slot *slot)
{
	unsigned int blocks = DIV_ROUND_UP(slot->size, VSW_BLOCK);
	u32 place = VSW_NO_PLACE;
	unsigned int i;

	if (slot->size > min_t(size_t, vsw_pool_max_slot(pool), U32_MAX))
		return VSW_NO_PLACE;
	for (i = 0; i < choice->n && place == VSW_NO_PLACE; i++)
		place = vsw_area_take_run(&pool->area[choice->areas[i]],
					  blocks, is_aligned(slot));
	return place;
}

static u32 take(struct vsw_pool *pool, const struct choice *choice,
		const struct vsw_slot *slot, size_t class)
{
	if (class >= VSW_CLASSES || is_aligned(slot))
		return take_run(pool, choice, slot);
	return vsw_cache_take(&pool->cache, choice->areas, choice->n, class);
}

/* Magazines of all CPUs hold nothing any more when areas are looked at again. */
static noinline u32 drain_and_take(struct vsw_pool *pool,
				   const struct choice *choice,
				   const struct vsw_slot *slot, size_t class)
{
	u32 place;

	vsw_cache_drain(&pool->cache, choice->areas, choice->n);
	place = take(pool, choice, slot, class);
	if (place == VSW_NO_PLACE)
		atomic_long_inc(&pool->full);
	return place;
}

static void count(struct vsw_pool *pool, const struct vsw_slot *slot,
		  size_t class, long n)
{
	if (unlikely(class >= VSW_CLASSES)) {
		this_cpu_add(pool->count->blocks,
			     n * (long)DIV_ROUND_UP(slot->size, VSW_BLOCK));
		class = VSW_CLASSES;
	}
	if (unlikely(slot->dir == DMA_NONE))
		this_cpu_add(pool->count->rings[class], n);
	else
		this_cpu_add(pool->count->mapped[class], n);
}

/* The place is ours; others may only look. */
static void fill_in(struct vsw_record *record, const struct vsw_slot *slot)
{
	u32 state = (record->state & ~STATE_DIR) + STATE_USE;

	WRITE_ONCE(record->buffer, slot->buffer);
	WRITE_ONCE(record->size, slot->size);
	/* Who sees the state sees what it is about, see read_out(). */
	smp_store_release(&record->state, state | (slot->dir + 1));
}

/* Returns the state in which the record says what is in @slot, or 0. */
static u32 read_out(const struct vsw_record *record, struct vsw_slot *slot)
{
	/* Pairs with fill_in() */
	u32 state = smp_load_acquire(&record->state);

	if (!(state & STATE_DIR))
		return 0;
	slot->buffer = READ_ONCE(record->buffer);
	slot->size = READ_ONCE(record->size);
	slot->dir = (state & STATE_DIR) - 1;
	/* What was read is of one use if the state is the same after it. */
	smp_rmb();
	return READ_ONCE(record->state) == state ? state : 0;
}

size_t vsw_pool_alloc(struct vsw_pool *pool, const struct vsw_slot *slot)
{
	const struct choice *choice = choice_for(slot->dir);
	size_t class = vsw_class(slot->size);
	size_t offset, at;
	u32 place;

	place = take(pool, choice, slot, class);
	if (unlikely(place == VSW_NO_PLACE))
		place = drain_and_take(pool, choice, slot, class);
	if (unlikely(place == VSW_NO_PLACE))
		return VSW_NO_SLOT;

	offset = (size_t)place << VSW_UNIT_SHIFT;
	fill_in(vsw_record_at(pool->block, offset, &at), slot);
	count(pool, slot, class, 1);
	return offset;
}

/*
 * Returns the state of the slot in use around @offset, or 0. What is behind a
 * run's end may still say that it is part of a longer one, now gone.
 */
static __always_inline u32 find(struct vsw_pool *pool, size_t offset,
				struct vsw_record **record,
				struct vsw_slot *slot, size_t *at)
{
	u32 state;

	if (offset >= (size_t)pool->blocks << VSW_BLOCK_SHIFT)
		return 0;
	*record = vsw_record_at(pool->block, offset, at);
	state = read_out(*record, slot);
	if (unlikely(*at && state) &&
	    *at >= vsw_class_bytes(vsw_class(slot->size)))
		return 0;
	return state;
}

bool vsw_pool_find(struct vsw_pool *pool, size_t offset, struct vsw_slot *slot,
		   size_t *at)
{
	struct vsw_record *record;
	u32 state;

	rcu_read_lock();
	state = find(pool, offset, &record, slot, at);
	rcu_read_unlock();
	return state;
}

typedef bool (*look_fn)(const struct vsw_record *record, void *data);

static bool any_in_block(const struct vsw_block *block, look_fn look,
			 void *data)
{
	const struct vsw_cut *cut = rcu_dereference(block->cut);
	unsigned int i;

	if (!cut)
		return look(&block->record, data);
	for (i = 0; i < VSW_UNITS >> cut->class; i++) {
		if (look(&cut->record[i], data))
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
			if (any_in_block(&area->block[j], look, data))
				return true;
		}
	}
	return false;
}

static bool is_same(const struct vsw_record *record, void *data)
{
	const struct vsw_slot *slot = data;
	struct vsw_slot other;

	return read_out(record, &other) && other.buffer == slot->buffer &&
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

struct sum {
	bool rings;
	size_t bytes;
};

static bool add_bytes(const struct vsw_record *record, void *data)
{
	struct sum *sum = data;
	struct vsw_slot slot;
	bool ring;

	if (!read_out(record, &slot))
		return false;
	ring = slot.dir == DMA_NONE;
	if (ring == sum->rings)
		sum->bytes += slot.size;
	return false;
}

size_t vsw_pool_bytes(struct vsw_pool *pool, bool rings)
{
	struct sum sum = { .rings = rings };

	rcu_read_lock();
	any_record(pool, add_bytes, &sum);
	rcu_read_unlock();
	return sum.bytes;
}

static bool retire(struct vsw_pool *pool, size_t offset, struct vsw_slot *slot,
		   bool rings)
{
	struct vsw_record *record;
	bool mine = false;
	size_t at;
	u32 state;

	rcu_read_lock();
	state = find(pool, offset, &record, slot, &at);
	if (likely(state && !at && (rings || slot->dir != DMA_NONE)))
		mine = cmpxchg(&record->state, state,
			       state & ~STATE_DIR) == state;
	rcu_read_unlock();
	return mine;
}

bool vsw_pool_retire(struct vsw_pool *pool, size_t offset,
		     struct vsw_slot *slot)
{
	return retire(pool, offset, slot, false);
}

void vsw_pool_release(struct vsw_pool *pool, size_t offset,
		      const struct vsw_slot *slot)
{
	size_t class = vsw_class(slot->size);
	u32 place = offset >> VSW_UNIT_SHIFT;
	enum vsw_area_id id = area_of(pool, place);

	count(pool, slot, class, -1);
	if (class < VSW_CLASSES)
		vsw_cache_give(&pool->cache, id, class, place);
	else
		vsw_area_give_run(&pool->area[id], place,
				  DIV_ROUND_UP(slot->size, VSW_BLOCK));
}

bool vsw_pool_free(struct vsw_pool *pool, size_t offset)
{
	struct vsw_slot slot;

	if (!retire(pool, offset, &slot, true))
		return false;
	vsw_pool_release(pool, offset, &slot);
	return true;
}

void vsw_pool_copied(struct vsw_pool *pool, enum dma_data_direction dir,
		     size_t size)
{
	if (dir == DMA_TO_DEVICE)
		this_cpu_add(pool->count->copied_in, size);
	else
		this_cpu_add(pool->count->copied_out, size);
}

static void add_slots(long *slots, long *used, const long *in_class)
{
	unsigned int class;
	long n;

	for (class = 0; class <= VSW_CLASSES; class++) {
		n = READ_ONCE(in_class[class]);
		*slots += n;
		if (class < VSW_CLASSES)
			*used += n * (long)vsw_class_bytes(class);
	}
}

void vsw_pool_stats(struct vsw_pool *pool, struct vsw_pool_stats *stats)
{
	long rings = 0, mapped = 0, used = 0;
	unsigned int i;
	int cpu;

	*stats = (struct vsw_pool_stats) {};
	for_each_possible_cpu(cpu) {
		struct count *part = per_cpu_ptr(pool->count, cpu);

		add_slots(&rings, &used, part->rings);
		add_slots(&mapped, &used, part->mapped);
		used += READ_ONCE(part->blocks) * (long)VSW_BLOCK;
		stats->copied_in += READ_ONCE(part->copied_in);
		stats->copied_out += READ_ONCE(part->copied_out);
	}
	/* Below zero: what was counted in between. */
	stats->rings = max(rings, 0L);
	stats->mapped = max(mapped, 0L);
	stats->used_bytes = max(used, 0L);

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
