/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Each CPU has a magazine of places for each area and class, so that taking and
 * giving one touches nothing that other CPUs write. Magazines are filled from
 * their area and flushed to it in batches.
 *
 * A CPU's magazines have a lock, which another CPU takes only to drain them: a
 * request must not wait while what it waits for lies in a cache. It also makes
 * it harmless that a task moves to another CPU in between.
 */
#ifndef VIRTIO_SWIOTLB_CACHE_H
#define VIRTIO_SWIOTLB_CACHE_H

#include <linux/percpu.h>
#include <linux/spinlock.h>

#include "area.h"

enum vsw_area_id { VSW_RECEIVE, VSW_SHARED, VSW_SEND, VSW_AREAS };

#define VSW_MAGAZINE	32

struct vsw_magazine {
	unsigned int n;
	u32 place[VSW_MAGAZINE];
};

struct vsw_cpu {
	/* Guards the magazines */
	spinlock_t lock;
	struct vsw_magazine magazine[VSW_AREAS][VSW_CLASSES];
};

struct vsw_cache {
	struct vsw_area *area;
	struct vsw_cpu __percpu *cpu;
	/* What a magazine may hold; nothing in small windows */
	u8 limit[VSW_AREAS][VSW_CLASSES];
};

/* Sleeps. @area: VSW_AREAS of them. vsw_cache_exit() undoes what failed. */
int vsw_cache_init(struct vsw_cache *cache, struct vsw_area *area);
void vsw_cache_exit(struct vsw_cache *cache);

/* Takes a place from the first of @n areas that has one, or VSW_NO_PLACE. */
u32 vsw_cache_take(struct vsw_cache *cache, const enum vsw_area_id *areas,
		   unsigned int n, unsigned int class);
void vsw_cache_give(struct vsw_cache *cache, enum vsw_area_id id,
		    unsigned int class, u32 place);

/*
 * Gives back to the areas what all CPUs have cached of them. From then on, and
 * until an area has room again, nothing of it is cached.
 */
void vsw_cache_drain(struct vsw_cache *cache, const enum vsw_area_id *areas,
		     unsigned int n);

#endif
