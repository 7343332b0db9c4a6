// SPDX-License-Identifier: GPL-2.0-only
/* Bitmaps of blocks, and blocks that are cut into pieces: see area.h. */
#include <linux/bitmap.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "area.h"

int vsw_area_init(struct vsw_area *area, struct vsw_block *block,
		  unsigned int start, unsigned int blocks)
{
	unsigned int i;

	area->block = block + start;
	area->start = start;
	area->blocks = blocks;
	spin_lock_init(&area->lock);
	for (i = 0; i < VSW_SMALL_CLASSES; i++)
		INIT_LIST_HEAD(&area->partial[i]);
	area->busy = bitmap_zalloc(blocks, GFP_KERNEL);
	return area->busy ? 0 : -ENOMEM;
}

void vsw_area_exit(struct vsw_area *area)
{
	unsigned int i;

	for (i = 0; i < area->blocks; i++)
		kfree(rcu_dereference_protected(area->block[i].cut, true));
	bitmap_free(area->busy);
}

static void lock(struct vsw_area *area, unsigned long *flags)
	__acquires(&area->lock)
{
	spin_lock_irqsave(&area->lock, *flags);
	area->locks++;
}

static void unlock(struct vsw_area *area, unsigned long flags)
	__releases(&area->lock)
{
	/* Caches may hold pieces again once a quarter is free. */
	if (READ_ONCE(area->tight) &&
	    area->blocks - area->taken > area->blocks / 4)
		WRITE_ONCE(area->tight, false);
	spin_unlock_irqrestore(&area->lock, flags);
}

static u32 place_of(const struct vsw_area *area, unsigned int index)
{
	return (u32)(area->start + index) * VSW_UNITS;
}

static unsigned int index_of(const struct vsw_area *area, u32 place)
{
	return place / VSW_UNITS - area->start;
}

/* Returns the index of the first of @n blocks, or one that is too large. */
static unsigned int take_blocks(struct vsw_area *area, unsigned int n,
				unsigned long align)
{
	unsigned long i;

	if (n == 1)
		i = find_next_zero_bit(area->busy, area->blocks, area->first);
	else
		i = bitmap_find_next_zero_area_off(area->busy, area->blocks,
						   area->first, n, align,
						   area->start);
	if (i >= area->blocks)
		return area->blocks;

	bitmap_set(area->busy, i, n);
	if (n == 1 || i == area->first)
		area->first = i + n;
	WRITE_ONCE(area->taken, area->taken + n);
	area->peak = max(area->peak, area->taken);
	return i;
}

static void give_blocks(struct vsw_area *area, unsigned int i, unsigned int n)
{
	bitmap_clear(area->busy, i, n);
	area->first = min(area->first, i);
	WRITE_ONCE(area->taken, area->taken - n);
}

static u32 take_run(struct vsw_area *area, unsigned int n, unsigned long align)
{
	unsigned int i = take_blocks(area, n, align);
	unsigned int j;

	if (i >= area->blocks)
		return VSW_NO_PLACE;
	for (j = 0; j < n; j++)
		WRITE_ONCE(area->block[i + j].back, j);
	return place_of(area, i);
}

static struct vsw_cut *new_cut(struct vsw_area *area, unsigned int class)
{
	struct vsw_cut *cut;
	unsigned int i;

	if (area->taken == area->blocks)
		return NULL;
	cut = kzalloc(struct_size(cut, record, VSW_UNITS >> class),
		      GFP_ATOMIC | __GFP_NOWARN);
	if (!cut)
		return NULL;
	i = take_blocks(area, 1, 0);
	cut->index = i;
	cut->class = class;
	list_add(&cut->link, &area->partial[class]);
	rcu_assign_pointer(area->block[i].cut, cut);
	return cut;
}

static unsigned int take_pieces(struct vsw_area *area, unsigned int class,
				u32 *place, unsigned int n)
{
	unsigned int pieces = VSW_UNITS >> class;
	unsigned int got, i;
	struct vsw_cut *cut;

	for (got = 0; got < n; got++) {
		cut = list_first_entry_or_null(&area->partial[class],
					       struct vsw_cut, link);
		if (!cut)
			cut = new_cut(area, class);
		if (!cut)
			break;

		i = find_first_zero_bit(cut->used, pieces);
		__set_bit(i, cut->used);
		place[got] = place_of(area, cut->index) + (i << class);
		if (++cut->taken == pieces)
			list_del_init(&cut->link);
	}
	return got;
}

static void give_piece(struct vsw_area *area, u32 place)
{
	unsigned int index = index_of(area, place);
	struct vsw_cut *cut;

	cut = rcu_dereference_protected(area->block[index].cut,
					lockdep_is_held(&area->lock));
	__clear_bit((place % VSW_UNITS) >> cut->class, cut->used);
	if (--cut->taken == 0) {
		list_del(&cut->link);
		RCU_INIT_POINTER(area->block[index].cut, NULL);
		give_blocks(area, index, 1);
		kfree_rcu(cut, rcu);
	} else if (list_empty(&cut->link)) {
		list_add(&cut->link, &area->partial[cut->class]);
	}
}

unsigned int vsw_area_take(struct vsw_area *area, unsigned int class,
			   u32 *place, unsigned int n)
{
	unsigned int got = 0;
	unsigned long flags;

	lock(area, &flags);
	area->batches++;
	if (class < VSW_SMALL_CLASSES) {
		got = take_pieces(area, class, place, n);
	} else {
		for (; got < n; got++) {
			place[got] = take_run(area,
					      class - VSW_SMALL_CLASSES + 1, 0);
			if (place[got] == VSW_NO_PLACE)
				break;
		}
	}
	unlock(area, flags);
	return got;
}

void vsw_area_give(struct vsw_area *area, unsigned int class, const u32 *place,
		   unsigned int n)
{
	unsigned long flags;
	unsigned int i;

	lock(area, &flags);
	area->batches++;
	for (i = 0; i < n; i++) {
		if (class < VSW_SMALL_CLASSES)
			give_piece(area, place[i]);
		else
			give_blocks(area, index_of(area, place[i]),
				    class - VSW_SMALL_CLASSES + 1);
	}
	unlock(area, flags);
}

u32 vsw_area_take_run(struct vsw_area *area, unsigned int blocks, bool align)
{
	unsigned long mask = align ? roundup_pow_of_two(blocks) - 1 : 0;
	unsigned long flags;
	u32 place;

	lock(area, &flags);
	place = take_run(area, blocks, mask);
	unlock(area, flags);
	return place;
}

void vsw_area_give_run(struct vsw_area *area, u32 place, unsigned int blocks)
{
	unsigned long flags;

	lock(area, &flags);
	give_blocks(area, index_of(area, place), blocks);
	unlock(area, flags);
}
