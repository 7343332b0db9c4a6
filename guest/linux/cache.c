// SPDX-License-Identifier: GPL-2.0-only
/* Magazines of places for each CPU: see cache.h. */
#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "cache.h"

/*
 * All CPUs together keep no more than a sixteenth of an area in one class; of
 * longer runs, a sixty-fourth.
 */
static unsigned int limit(const struct vsw_area *area, unsigned int class)
{
	size_t share = (size_t)area->blocks << VSW_BLOCK_SHIFT;

	share /= num_online_cpus() *
		 (class <= VSW_SMALL_CLASSES ? 16 : 64);
	return min_t(size_t, share / vsw_class_bytes(class), VSW_MAGAZINE);
}

int vsw_cache_init(struct vsw_cache *cache, struct vsw_area *area)
{
	unsigned int i, class;
	int cpu;

	cache->area = area;
	for (i = 0; i < VSW_AREAS; i++) {
		for (class = 0; class < VSW_CLASSES; class++)
			cache->limit[i][class] = limit(&area[i], class);
	}
	cache->cpu = alloc_percpu(struct vsw_cpu);
	if (!cache->cpu)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		spin_lock_init(&per_cpu_ptr(cache->cpu, cpu)->lock);
	return 0;
}

void vsw_cache_exit(struct vsw_cache *cache)
{
	free_percpu(cache->cpu);
}

static void flush(struct vsw_area *area, struct vsw_magazine *magazine,
		  unsigned int class, unsigned int n)
{
	if (!n)
		return;
	/* The oldest: the others are still in the CPU's cache. */
	vsw_area_give(area, class, magazine->place, n);
	magazine->n -= n;
	memmove(magazine->place, magazine->place + n,
		magazine->n * sizeof(*magazine->place));
}

/* One more than half of what may be kept, as one is needed at once */
static void fill(struct vsw_area *area, struct vsw_magazine *magazine,
		 unsigned int class, unsigned int limit)
{
	unsigned int n = READ_ONCE(area->tight) ? 1 : limit / 2 + 1;

	if (!vsw_area_exhausted(area, class))
		magazine->n = vsw_area_take(area, class, magazine->place, n);
}

u32 vsw_cache_take(struct vsw_cache *cache, const enum vsw_area_id *areas,
		   unsigned int n, unsigned int class)
{
	struct vsw_cpu *cpu = raw_cpu_ptr(cache->cpu);
	struct vsw_magazine *magazine;
	u32 place = VSW_NO_PLACE;
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&cpu->lock, flags);
	for (i = 0; i < n; i++) {
		magazine = &cpu->magazine[areas[i]][class];
		if (unlikely(!magazine->n))
			fill(&cache->area[areas[i]], magazine, class,
			     cache->limit[areas[i]][class]);
		if (likely(magazine->n)) {
			place = magazine->place[--magazine->n];
			break;
		}
	}
	spin_unlock_irqrestore(&cpu->lock, flags);
	return place;
}

void vsw_cache_give(struct vsw_cache *cache, enum vsw_area_id id,
		    unsigned int class, u32 place)
{
	struct vsw_cpu *cpu = raw_cpu_ptr(cache->cpu);
	unsigned int limit = cache->limit[id][class];
	struct vsw_area *area = &cache->area[id];
	struct vsw_magazine *magazine;
	unsigned long flags;

	spin_lock_irqsave(&cpu->lock, flags);
	magazine = &cpu->magazine[id][class];
	/* Under the lock, so that vsw_cache_drain() misses nothing */
	if (unlikely(!limit || READ_ONCE(area->tight))) {
		vsw_area_give(area, class, &place, 1);
	} else {
		if (unlikely(magazine->n >= limit))
			flush(area, magazine, class, (limit + 1) / 2);
		magazine->place[magazine->n++] = place;
	}
	spin_unlock_irqrestore(&cpu->lock, flags);
}

static void drain_cpu(struct vsw_cache *cache, struct vsw_cpu *cpu,
		      const enum vsw_area_id *areas, unsigned int n)
{
	struct vsw_magazine *magazine;
	unsigned int i, class;
	unsigned long flags;

	spin_lock_irqsave(&cpu->lock, flags);
	for (i = 0; i < n; i++) {
		for (class = 0; class < VSW_CLASSES; class++) {
			magazine = &cpu->magazine[areas[i]][class];
			flush(&cache->area[areas[i]], magazine, class,
			      magazine->n);
		}
	}
	spin_unlock_irqrestore(&cpu->lock, flags);
}

void vsw_cache_drain(struct vsw_cache *cache, const enum vsw_area_id *areas,
		     unsigned int n)
{
	unsigned int i;
	int cpu;

	for (i = 0; i < n; i++)
		WRITE_ONCE(cache->area[areas[i]].tight, true);
	for_each_possible_cpu(cpu)
		drain_cpu(cache, per_cpu_ptr(cache->cpu, cpu), areas, n);
}
