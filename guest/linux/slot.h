/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is done with slots for every buffer. It is inline, because calls would
 * cost more than what they do; what is rare is in pool.c and cache.c.
 *
 * A slot's record is found by its address, without a lock. Its state says
 * whether it is in use: only who turns it from used to free, in one step, may
 * give the place back.
 */
#ifndef VIRTIO_SWIOTLB_SLOT_H
#define VIRTIO_SWIOTLB_SLOT_H

#include <linux/atomic.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>

#include "cache.h"
#include "pool.h"

/* A record's state: 0 in the low bits if it is free, else direction + 1 */
#define VSW_STATE_DIR	0x7
#define VSW_STATE_OWNER	((VSW_OWNERS - 1) * (VSW_STATE_DIR + 1))
/* Which use this is, so that the state differs from one to the next */
#define VSW_STATE_USE	(VSW_OWNERS * (VSW_STATE_DIR + 1))

/* On this CPU; only the sum over all CPUs means something. */
struct vsw_count {
	u64 copied_in, copied_out;
};

struct vsw_pool {
	unsigned int blocks;
	struct vsw_block *block;
	struct vsw_count __percpu *count;
	struct vsw_cache cache;
	struct vsw_area area[VSW_AREAS];
	atomic_long_t full;
};

/* Where a buffer lies if there is room, see choice_for() in pool.c */
static inline enum vsw_area_id vsw_area_for(enum dma_data_direction dir)
{
	return dir == DMA_TO_DEVICE ? VSW_SEND : VSW_RECEIVE;
}

static inline enum vsw_area_id vsw_area_of(const struct vsw_pool *pool,
					   u32 place)
{
	unsigned int block = place / VSW_UNITS;

	if (block < pool->area[VSW_SHARED].start)
		return VSW_RECEIVE;
	return block < pool->area[VSW_SEND].start ? VSW_SHARED : VSW_SEND;
}

/* Counts what was copied, to the device or from it. */
static inline void vsw_pool_copied(struct vsw_pool *pool,
				   enum dma_data_direction dir, size_t size)
{
	if (dir == DMA_TO_DEVICE)
		this_cpu_add(pool->count->copied_in, size);
	else
		this_cpu_add(pool->count->copied_out, size);
}

static inline u32 vsw_state_owner(const struct vsw_slot *slot)
{
	return slot->owner * (VSW_STATE_DIR + 1);
}

/* Whose it is, if it is in use */
static inline unsigned int vsw_record_owner(const struct vsw_record *record)
{
	return (READ_ONCE(record->state) & VSW_STATE_OWNER) /
	       (VSW_STATE_DIR + 1);
}

/* The place is ours; others may only look. */
static inline void vsw_record_fill(struct vsw_record *record,
				   const struct vsw_slot *slot)
{
	u32 state = (record->state & ~(VSW_STATE_USE - 1)) + VSW_STATE_USE;

	WRITE_ONCE(record->buffer, slot->buffer);
	WRITE_ONCE(record->size, slot->size);
	/* Who sees the state sees what it is about, see vsw_record_peek(). */
	smp_store_release(&record->state,
			  state | vsw_state_owner(slot) | (slot->dir + 1));
}

/*
 * Returns the state in which the record says what is in its owner's @slot, or 0.
 * If the state has changed after it, they may be parts of two uses.
 */
static inline u32 vsw_record_peek(const struct vsw_record *record,
				  struct vsw_slot *slot)
{
	/* Pairs with vsw_record_fill() */
	u32 state = smp_load_acquire(&record->state);

	if (!(state & VSW_STATE_DIR) ||
	    (state & VSW_STATE_OWNER) != vsw_state_owner(slot))
		return 0;
	slot->buffer = READ_ONCE(record->buffer);
	slot->size = READ_ONCE(record->size);
	slot->dir = (state & VSW_STATE_DIR) - 1;
	return state;
}

static inline u32 vsw_record_read(const struct vsw_record *record,
				  struct vsw_slot *slot)
{
	u32 state = vsw_record_peek(record, slot);

	/* What was read is of one use if the state is the same after it. */
	smp_rmb();
	return READ_ONCE(record->state) == state ? state : 0;
}

/* Out of what is left, on all CPUs, in all areas that may be used */
u32 vsw_pool_take(struct vsw_pool *pool, enum dma_data_direction dir,
		  size_t size, size_t class);

/* Returns the offset of a slot for @slot->size bytes, or VSW_NO_SLOT. */
static __always_inline size_t vsw_pool_alloc(struct vsw_pool *pool,
					     const struct vsw_slot *slot)
{
	size_t class = vsw_class(slot->size);
	u32 place = VSW_NO_PLACE;

	if (likely(class < VSW_CLASSES && slot->dir != DMA_NONE))
		place = vsw_cache_pop(&pool->cache, vsw_area_for(slot->dir),
				      class);
	if (unlikely(place == VSW_NO_PLACE)) {
		place = vsw_pool_take(pool, slot->dir, slot->size, class);
		if (place == VSW_NO_PLACE)
			return VSW_NO_SLOT;
	}
	vsw_record_fill(vsw_record_of(pool->block, place, class), slot);
	return (size_t)place << VSW_UNIT_SHIFT;
}

static inline bool vsw_pool_reaches(const struct vsw_pool *pool, size_t offset)
{
	return offset < (size_t)pool->blocks << VSW_BLOCK_SHIFT;
}

/* The first step for any slot, or for any but those of rings */
static __always_inline bool vsw_record_retire(struct vsw_pool *pool,
					      size_t offset,
					      struct vsw_slot *slot, bool rings)
{
	struct vsw_record *record;
	bool mine = false;
	size_t at;
	u32 state;

	if (unlikely(!vsw_pool_reaches(pool, offset)))
		return false;
	/* Readers with preemption off cost no call. */
	rcu_read_lock_sched();
	record = vsw_record_at(pool->block, offset, &at);
	state = vsw_record_peek(record, slot);
	if (likely(state && !at && (rings || slot->dir != DMA_NONE)))
		mine = cmpxchg(&record->state, state,
			       state & ~VSW_STATE_DIR) == state;
	rcu_read_unlock_sched();
	return mine;
}

/*
 * Frees a slot in two steps: after the first nobody else can find or free it,
 * and what it holds can be copied; the second lets others have it. False:
 * @offset is not the start of a slot that its owner uses, or it is that of a ring.
 */
static __always_inline bool vsw_pool_retire(struct vsw_pool *pool,
					    size_t offset,
					    struct vsw_slot *slot)
{
	return vsw_record_retire(pool, offset, slot, false);
}

static __always_inline void vsw_pool_release(struct vsw_pool *pool,
					     size_t offset,
					     const struct vsw_slot *slot)
{
	size_t class = vsw_class(slot->size);
	u32 place = offset >> VSW_UNIT_SHIFT;
	enum vsw_area_id id = vsw_area_of(pool, place);

	if (likely(class < VSW_CLASSES))
		vsw_cache_give(&pool->cache, id, class, place);
	else
		vsw_area_give_run(&pool->area[id], place,
				  DIV_ROUND_UP(slot->size, VSW_BLOCK));
}

#endif
