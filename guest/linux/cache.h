/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Each CPU has a magazine of places for each area and class, so that taking and
 * giving one touches nothing that other CPUs write. Magazines are filled from
 * their area and flushed to it in batches.
 *
 * There is no lock. Every cell of a magazine changes hands by an exchange of
 * its own, so whoever comes in between, an interrupt, another CPU that drains,
 * or a task that has moved, gets a place or does not, but never one twice.
 *
 * The place that was given first is taken first, so that one buffer lies behind
 * another, as processors expect it. The last one would be cheaper only if the
 * device, on another CPU, did not have its cache lines.
 */
#ifndef VIRTIO_SWIOTLB_CACHE_H
#define VIRTIO_SWIOTLB_CACHE_H

#include <linux/atomic.h>
#include <linux/percpu.h>

#include "area.h"

enum vsw_area_id { VSW_RECEIVE, VSW_SHARED, VSW_SEND, VSW_AREAS };

struct vsw_magazine {
	/* Which cells are in use, if nothing came in between: hints */
	u32 first, n;
	/* Complements of places: as allocated, all are VSW_NO_PLACE. */
	u32 cell[];
};

/* Which of a CPU's words are a magazine, and how many cells it has */
struct vsw_shape {
	u16 start, limit;
};

struct vsw_cache {
	struct vsw_area *area;
	u32 __percpu *words;
	/* A power of two in each row: found by shifts */
	struct vsw_shape shape[VSW_AREAS][16];
};

/*
 * Sleeps. @area: VSW_AREAS of them, made already. vsw_cache_exit() undoes what
 * failed.
 */
int vsw_cache_init(struct vsw_cache *cache, struct vsw_area *area);
void vsw_cache_exit(struct vsw_cache *cache);

/* Takes a place from the first of @n areas that has one, or VSW_NO_PLACE. */
u32 vsw_cache_take(struct vsw_cache *cache, const enum vsw_area_id *areas,
		   unsigned int n, unsigned int class);

/* Gives back to its area @place, and all of a magazine but @keep cells. */
void vsw_cache_flush(struct vsw_cache *cache, enum vsw_area_id id,
		     unsigned int class, struct vsw_magazine *magazine,
		     unsigned int keep, u32 place);

/*
 * Gives back to the areas what all CPUs have cached of them. From then on, and
 * until an area has room again, nothing of it is cached.
 */
void vsw_cache_drain(struct vsw_cache *cache, const enum vsw_area_id *areas,
		     unsigned int n);

/* Leaves @place in a cell, and returns what was there. A full barrier. */
static inline u32 vsw_cell_exchange(u32 *cell, u32 place)
{
	return ~xchg(cell, ~place);
}

/* The @n-th after @cell, of a magazine's @limit; @n is no more than that. */
static inline unsigned int vsw_cell_after(unsigned int cell, unsigned int n,
					  unsigned int limit)
{
	return cell + n < limit ? cell + n : cell + n - limit;
}

/* @words: those of the CPU whose magazine it is */
static inline struct vsw_magazine *
vsw_magazine(const struct vsw_cache *cache, u32 *words, enum vsw_area_id id,
	     unsigned int class)
{
	return (void *)(words + cache->shape[id][class].start);
}

/* Takes a place that this CPU has, or VSW_NO_PLACE. */
static __always_inline u32 vsw_cache_pop(struct vsw_cache *cache,
					 enum vsw_area_id id,
					 unsigned int class)
{
	u32 *words = raw_cpu_ptr(cache->words);
	struct vsw_magazine *magazine = vsw_magazine(cache, words, id, class);
	unsigned int limit = cache->shape[id][class].limit;
	unsigned int first = READ_ONCE(magazine->first);
	unsigned int n = READ_ONCE(magazine->n);
	u32 place;

	if (unlikely(!n))
		return VSW_NO_PLACE;
	place = vsw_cell_exchange(&magazine->cell[first], VSW_NO_PLACE);
	WRITE_ONCE(magazine->first, vsw_cell_after(first, 1, limit));
	WRITE_ONCE(magazine->n, n - 1);
	return place;
}

static __always_inline void vsw_cache_give(struct vsw_cache *cache,
					   enum vsw_area_id id,
					   unsigned int class, u32 place)
{
	u32 *words = raw_cpu_ptr(cache->words);
	struct vsw_magazine *magazine = vsw_magazine(cache, words, id, class);
	unsigned int limit = cache->shape[id][class].limit;
	unsigned int n = READ_ONCE(magazine->n);
	unsigned int at;

	if (likely(n < limit)) {
		at = vsw_cell_after(READ_ONCE(magazine->first), n, limit);
		/* Who came in between may have left one there. */
		place = vsw_cell_exchange(&magazine->cell[at], place);
		WRITE_ONCE(magazine->n, n + 1);
	}
	if (unlikely(place != VSW_NO_PLACE))
		vsw_cache_flush(cache, id, class, magazine, limit / 2, place);
	/*
	 * vsw_cache_drain() writes the mark and then looks into cells; here it
	 * is the other way round. One of the two finds the place.
	 */
	if (unlikely(READ_ONCE(cache->area[id].tight)))
		vsw_cache_flush(cache, id, class, magazine, 0, VSW_NO_PLACE);
}

#endif
