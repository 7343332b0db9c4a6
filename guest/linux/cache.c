// SPDX-License-Identifier: GPL-2.0-only
/* Magazines of places for each CPU: see cache.h. */
#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/percpu.h>

#include "cache.h"

#define EMPTY	((u32)~VSW_NO_PLACE)

/* What is taken from an area, or given to it, at once */
#define BATCH	64

/* The most that a CPU keeps of one class: bursts of a network are as long. */
#define MAX_PIECES	256
#define MAX_RUNS	64

/*
 * All CPUs together keep no more than a sixteenth of an area in one class; of
 * longer runs, a sixty-fourth.
 */
static unsigned int limit(const struct vsw_area *area, unsigned int class)
{
	size_t share = (size_t)area->blocks << VSW_BLOCK_SHIFT;

	share /= num_online_cpus() *
		 (class <= VSW_SMALL_CLASSES ? 16 : 64);
	return min_t(size_t, share / vsw_class_bytes(class),
		     class < VSW_SMALL_CLASSES ? MAX_PIECES : MAX_RUNS);
}

int vsw_cache_init(struct vsw_cache *cache, struct vsw_area *area)
{
	unsigned int i, class, words = 0;
	struct vsw_shape *shape;

	static_assert(ARRAY_SIZE(cache->shape[0]) >= VSW_CLASSES);
	cache->area = area;
	for (i = 0; i < VSW_AREAS; i++) {
		for (class = 0; class < VSW_CLASSES; class++) {
			shape = &cache->shape[i][class];
			shape->start = words;
			shape->limit = limit(&area[i], class);
			words += sizeof(struct vsw_magazine) / sizeof(u32) +
				 shape->limit;
		}
	}
	cache->words = __alloc_percpu(words * sizeof(u32), SMP_CACHE_BYTES);
	return cache->words ? 0 : -ENOMEM;
}

void vsw_cache_exit(struct vsw_cache *cache)
{
	free_percpu(cache->words);
}

void vsw_cache_flush(struct vsw_cache *cache, enum vsw_area_id id,
		     unsigned int class, struct vsw_magazine *magazine,
		     unsigned int keep, u32 place)
{
	unsigned int limit = cache->shape[id][class].limit;
	unsigned int first = READ_ONCE(magazine->first);
	unsigned int n = place != VSW_NO_PLACE;
	u32 batch[BATCH] = { place };
	unsigned int i;
	u32 *cell;

	WRITE_ONCE(magazine->n, min(READ_ONCE(magazine->n), keep));
	for (i = keep; i < limit; i++) {
		cell = &magazine->cell[vsw_cell_after(first, i, limit)];
		/* Most cells are empty: no need to write there. */
		if (READ_ONCE(*cell) == EMPTY)
			continue;
		batch[n] = vsw_cell_exchange(cell, VSW_NO_PLACE);
		n += batch[n] != VSW_NO_PLACE;
		if (n == BATCH) {
			vsw_area_give(&cache->area[id], class, batch, n);
			n = 0;
		}
	}
	if (n)
		vsw_area_give(&cache->area[id], class, batch, n);
}

/* One for the caller, and up to half a magazine */
static u32 refill(struct vsw_cache *cache, enum vsw_area_id id,
		  unsigned int class)
{
	struct vsw_area *area = &cache->area[id];
	u32 batch[BATCH];
	unsigned int i, n = 1;

	if (vsw_area_exhausted(area, class))
		return VSW_NO_PLACE;
	if (!READ_ONCE(area->tight))
		n = min(cache->shape[id][class].limit / 2 + 1, BATCH);
	n = vsw_area_take(area, class, batch, n);
	if (!n)
		return VSW_NO_PLACE;
	for (i = 1; i < n; i++)
		vsw_cache_give(cache, id, class, batch[i]);
	return batch[0];
}

u32 vsw_cache_take(struct vsw_cache *cache, const enum vsw_area_id *areas,
		   unsigned int n, unsigned int class)
{
	u32 place = VSW_NO_PLACE;
	unsigned int i;

	for (i = 0; i < n && place == VSW_NO_PLACE; i++) {
		place = vsw_cache_pop(cache, areas[i], class);
		if (place == VSW_NO_PLACE)
			place = refill(cache, areas[i], class);
	}
	return place;
}

static void drain_cpu(struct vsw_cache *cache, u32 *words, enum vsw_area_id id)
{
	unsigned int class;

	for (class = 0; class < VSW_CLASSES; class++)
		vsw_cache_flush(cache, id, class,
				vsw_magazine(cache, words, id, class), 0,
				VSW_NO_PLACE);
}

void vsw_cache_drain(struct vsw_cache *cache, const enum vsw_area_id *areas,
		     unsigned int n)
{
	unsigned int i;
	int cpu;

	for (i = 0; i < n; i++)
		WRITE_ONCE(cache->area[areas[i]].tight, true);
	/* See vsw_cache_give() */
	smp_mb();
	for_each_possible_cpu(cpu) {
		for (i = 0; i < n; i++)
			drain_cpu(cache, per_cpu_ptr(cache->words, cpu),
				  areas[i]);
	}
}
