/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What must hold of the pool, for tests in a process (tests/pool) and in a
 * kernel (selftest.c). Who includes this has
 *
 *	expect(condition), expect_is(got, want)
 *				end the case if it does not hold
 *	on_cpu(n)		the caller goes on there, modulo TEST_CPUS
 *	at_once(work, worker)	runs @work in TEST_THREADS threads
 *	settle()		what RCU frees may be freed now
 *	TEST_ROUNDS		how often each thread takes and gives
 *	LARGE_WINDOW		the size of the largest window to be filled
 */
#ifndef VIRTIO_SWIOTLB_SELFTEST_POOL_H
#define VIRTIO_SWIOTLB_SELFTEST_POOL_H

#include <linux/sizes.h>

#include "slot.h"

#define NOTHING	0xff

/* A window, and which slot each 64 bytes of it belong to */
struct window {
	size_t size;
	struct vsw_pool *pool;
	u8 *owner;
};

struct worker;
typedef void (*work_fn)(struct worker *worker);

static void at_once(work_fn work, struct worker *worker);

struct worker {
	struct window *window;
	unsigned int number;
	size_t *offset;
	unsigned int n;
	/* How much of it this one did */
	unsigned int mine;
};

struct dice {
	u32 state;
};

/* 0 ... @n - 1 */
static unsigned int roll(struct dice *dice, unsigned int n)
{
	dice->state = dice->state * 1664525 + 1013904223;
	return (dice->state >> 8) % n;
}

static void *array(size_t n, size_t size)
{
	void *memory = kvcalloc(n, size, GFP_KERNEL);

	expect(memory);
	return memory;
}

static struct window *window_new(size_t size)
{
	struct window *window = array(1, sizeof(*window));

	window->size = size;
	window->pool = vsw_pool_create(size);
	expect(window->pool);
	window->owner = array(size / 64, 1);
	memset(window->owner, NOTHING, size / 64);
	return window;
}

static void window_free(struct window *window)
{
	vsw_pool_destroy(window->pool);
	kvfree(window->owner);
	kvfree(window);
	settle();
}

static struct vsw_pool_stats stats_of(struct window *window)
{
	struct vsw_pool_stats stats;

	vsw_pool_stats(window->pool, &stats);
	return stats;
}

/* Every slot is its owner's alone, as far as its owner asked for. */
static size_t take(struct window *window, size_t size,
		   enum dma_data_direction dir, u8 owner)
{
	struct vsw_slot slot = {
		.buffer = 0x1000 + size, .size = size, .dir = dir,
	};
	size_t offset = vsw_pool_alloc(window->pool, &slot);
	size_t i;

	if (offset == VSW_NO_SLOT)
		return offset;
	expect_is(offset % 64, 0);
	expect(offset + size <= window->size);
	for (i = offset / 64; i < DIV_ROUND_UP(offset + size, 64); i++) {
		expect_is(window->owner[i], NOTHING);
		window->owner[i] = owner;
	}
	return offset;
}

static size_t must_take(struct window *window, size_t size,
			enum dma_data_direction dir, u8 owner)
{
	size_t offset = take(window, size, dir, owner);

	expect(offset != VSW_NO_SLOT);
	return offset;
}

static void give(struct window *window, size_t offset, size_t size, u8 owner)
{
	size_t i;

	for (i = offset / 64; i < DIV_ROUND_UP(offset + size, 64); i++) {
		expect_is(window->owner[i], owner);
		window->owner[i] = NOTHING;
	}
	expect(vsw_pool_free(window->pool, offset, 0));
}

/* Nothing is in use, and each area is free as one piece. */
static void expect_empty(struct window *window)
{
	struct vsw_pool_stats stats = stats_of(window);
	struct vsw_slot slot[] = {
		{ .size = window->size / 2, .dir = DMA_BIDIRECTIONAL },
		{ .size = window->size / 4, .dir = DMA_FROM_DEVICE },
		{ .size = window->size / 4, .dir = DMA_TO_DEVICE },
	};
	size_t offset[ARRAY_SIZE(slot)];
	unsigned int i;

	expect_is(stats.rings, 0);
	expect_is(stats.mapped, 0);
	expect_is(stats.used_bytes, 0);
	for (i = 0; i < ARRAY_SIZE(slot); i++) {
		offset[i] = vsw_pool_alloc(window->pool, &slot[i]);
		expect(offset[i] != VSW_NO_SLOT);
	}
	stats = stats_of(window);
	expect_is(stats.used_bytes, window->size);
	expect_is(stats.taken_bytes, window->size);
	for (i = 0; i < ARRAY_SIZE(slot); i++)
		expect(vsw_pool_free(window->pool, offset[i], 0));
	expect_is(stats_of(window).taken_bytes, 0);
}

static const enum dma_data_direction directions[] = {
	DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE
};

static void slots_of_all_sizes_do_not_overlap(void)
{
	const unsigned int sizes = 700, n = sizes * ARRAY_SIZE(directions);
	struct window *window = window_new(SZ_64M);
	size_t *offset = array(n, sizeof(*offset));
	size_t *size = array(n, sizeof(*size));
	unsigned int i, at;

	for (i = 0; i < n; i++) {
		enum dma_data_direction dir =
			directions[i % ARRAY_SIZE(directions)];

		at = i / ARRAY_SIZE(directions);
		size[i] = at < 500 ? at * 9 : (at - 499) * 511;
		offset[i] = must_take(window, size[i], dir, i % 251);
		if (dir == DMA_NONE && size[i])
			expect_is(offset[i] % roundup_pow_of_two(size[i]), 0);
	}
	for (i = 0; i < n; i++)
		give(window, offset[i], size[i], i % 251);
	expect_empty(window);
	kvfree(offset);
	kvfree(size);
	window_free(window);
}

struct request {
	size_t header, data, status, table;
};

/* As virtio_blk maps a read of 4 KiB */
static void map_request(struct window *window, struct request *request)
{
	request->header = must_take(window, 16, DMA_TO_DEVICE, 1);
	request->data = must_take(window, 4096, DMA_FROM_DEVICE, 2);
	request->status = must_take(window, 1, DMA_FROM_DEVICE, 3);
	request->table = must_take(window, 48, DMA_TO_DEVICE, 4);
}

static void unmap_request(struct window *window, const struct request *request)
{
	give(window, request->table, 48, 4);
	give(window, request->header, 16, 1);
	give(window, request->data, 4096, 2);
	give(window, request->status, 1, 3);
}

static void read_of_4k_holds_no_more_than_4_25_kib(void)
{
	const unsigned int n = 64;
	struct request *request = array(n, sizeof(*request));
	struct window *window = window_new(SZ_64M);
	struct vsw_pool_stats stats;
	unsigned int i;

	for (i = 0; i < n; i++)
		map_request(window, &request[i]);
	stats = stats_of(window);
	expect(stats.used_bytes <= n * 4352);
	expect_is(stats.mapped, n * 4);
	for (i = 0; i < n; i++)
		unmap_request(window, &request[i]);
	expect_empty(window);
	kvfree(request);
	window_free(window);
}

static void free_is_refused(struct window *window, size_t offset)
{
	struct vsw_slot slot = {};

	expect(!vsw_pool_retire(window->pool, offset, &slot));
	expect(!vsw_pool_free(window->pool, offset, 0));
}

static void what_is_not_in_use_is_not_freed(void)
{
	static const size_t size[] = {
		1, 65, 2048, 4096, 5000, SZ_32K, 33 * SZ_1K, 200 * SZ_1K
	};
	struct window *window = window_new(SZ_4M);
	struct vsw_slot slot = {};
	size_t offset, at;
	unsigned int i;

	for (offset = 0; offset < SZ_4M; offset += 4096)
		free_is_refused(window, offset);
	free_is_refused(window, SZ_4M);
	free_is_refused(window, SIZE_MAX);
	free_is_refused(window, SIZE_MAX - SZ_4M);

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		offset = must_take(window, size[i], DMA_TO_DEVICE, 1);
		if (size[i] > 64)
			free_is_refused(window, offset + 64);
		if (size[i] > 1) {
			free_is_refused(window, offset + 1);
			free_is_refused(window, offset + size[i] - 1);
		}
		free_is_refused(window,
				offset + vsw_class_bytes(vsw_class(size[i])));
		expect(vsw_pool_find(window->pool, offset + size[i] - 1, &slot,
				     &at));
		expect_is(at, size[i] - 1);
		expect_is(slot.size, size[i]);
		expect_is(slot.dir, DMA_TO_DEVICE);
		give(window, offset, size[i], 1);
		free_is_refused(window, offset);
		expect(!vsw_pool_find(window->pool, offset, &slot, &at));
	}
	expect_empty(window);
	window_free(window);
}

/* A long run once reached where a short one with free blocks behind it is. */
static void end_of_a_former_run_is_not_in_use(void)
{
	const size_t longer = 200 * SZ_1K, shorter = 100 * SZ_1K;
	struct window *window = window_new(SZ_4M);
	size_t first = must_take(window, longer, DMA_TO_DEVICE, 1);
	struct vsw_slot slot = {};
	size_t second, at;

	give(window, first, longer, 1);
	second = must_take(window, shorter, DMA_TO_DEVICE, 1);
	expect_is(second, first);
	expect(vsw_pool_find(window->pool, second + shorter - 1, &slot, &at));
	expect(!vsw_pool_find(window->pool, second + shorter, &slot, &at));
	give(window, second, shorter, 1);
	window_free(window);
}

static void rings_are_not_unmapped(void)
{
	const size_t size = 6 * SZ_1K;
	struct window *window = window_new(SZ_4M);
	size_t ring = must_take(window, size, DMA_NONE, 1);
	struct vsw_slot slot = {};

	expect(!vsw_pool_retire(window->pool, ring, &slot));
	expect_is(stats_of(window).rings, 1);
	give(window, ring, size, 1);
	expect_empty(window);
	window_free(window);
}

static void mapped_buffer_is_known(void)
{
	static const size_t size[] = { 0, 17, 3000, 4096, 50 * SZ_1K };
	struct vsw_slot slot = { .buffer = 0x12345, .dir = DMA_FROM_DEVICE };
	struct window *window = window_new(SZ_4M);
	struct vsw_slot other;
	unsigned int i;
	size_t offset;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		slot.size = size[i];
		expect(!vsw_pool_holds(window->pool, &slot));
		offset = vsw_pool_alloc(window->pool, &slot);
		expect(vsw_pool_holds(window->pool, &slot));
		other = slot;
		other.dir = DMA_TO_DEVICE;
		expect(!vsw_pool_holds(window->pool, &other));
		other = slot;
		other.size++;
		expect(!vsw_pool_holds(window->pool, &other));
		other = slot;
		other.buffer++;
		expect(!vsw_pool_holds(window->pool, &other));
		expect(vsw_pool_free(window->pool, offset, 0));
		expect(!vsw_pool_holds(window->pool, &slot));
	}
	window_free(window);
}

/* Of two devices that share a window */
static const unsigned int owners[] = { 0, VSW_OWNERS - 1 };

static size_t take_for(struct window *window, unsigned int owner, size_t size,
		       enum dma_data_direction dir)
{
	struct vsw_slot slot = {
		.buffer = 1, .size = size, .dir = dir, .owner = owner,
	};
	size_t offset = vsw_pool_alloc(window->pool, &slot);

	expect(offset != VSW_NO_SLOT);
	return offset;
}

struct left {
	struct vsw_pool *pool;
	size_t rings, ring_bytes, mapped, mapped_bytes;
};

static void free_left(const struct vsw_slot *slot, size_t offset, void *data)
{
	struct left *left = data;

	if (slot->dir == DMA_NONE) {
		left->rings++;
		left->ring_bytes += slot->size;
	} else {
		left->mapped++;
		left->mapped_bytes += slot->size;
	}
	expect(vsw_pool_free(left->pool, offset, slot->owner));
}

/* Each leaves a ring and buffers behind. */
static void owner_reaches_and_leaves_its_own_slots_only(void)
{
	static const size_t size[] = { 1, 300, 4096, 20 * SZ_1K, 40 * SZ_1K };
	const size_t ring_size = 6 * SZ_1K;
	size_t offset[2][ARRAY_SIZE(size)], ring[2], at;
	struct window *window = window_new(SZ_4M);
	struct vsw_slot slot = { .owner = owners[1] };
	struct left left = { window->pool };
	unsigned int i, j;

	for (j = 0; j < 2; j++) {
		for (i = 0; i < ARRAY_SIZE(size); i++)
			offset[j][i] = take_for(window, owners[j], size[i],
						DMA_FROM_DEVICE);
		ring[j] = take_for(window, owners[j], ring_size, DMA_NONE);
	}

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		expect(!vsw_pool_find(window->pool, offset[0][i], &slot, &at));
		expect(!vsw_pool_retire(window->pool, offset[0][i], &slot));
		expect(vsw_pool_find(window->pool, offset[1][i], &slot, &at));
	}
	expect(!vsw_pool_free(window->pool, ring[0], owners[1]));

	vsw_pool_each(window->pool, owners[1], free_left, &left);
	expect_is(left.rings, 1);
	expect_is(left.ring_bytes, ring_size);
	expect_is(left.mapped, ARRAY_SIZE(size));
	expect_is(left.mapped_bytes, 4397 + 60 * SZ_1K);
	vsw_pool_each(window->pool, owners[1], free_left, &left);
	expect_is(left.rings + left.mapped, 1 + ARRAY_SIZE(size));

	slot.owner = owners[0];
	for (i = 0; i < ARRAY_SIZE(size); i++) {
		expect(vsw_pool_retire(window->pool, offset[0][i], &slot));
		expect_is(slot.size, size[i]);
		vsw_pool_release(window->pool, offset[0][i], &slot);
	}
	expect(vsw_pool_free(window->pool, ring[0], owners[0]));
	expect_empty(window);
	window_free(window);
}

/* How many slots there are, taken on one CPU and given back on all */
static size_t fill(struct window *window, size_t size,
		   enum dma_data_direction dir)
{
	size_t *offset = array(window->size / 64 + 1, sizeof(*offset));
	size_t i, n = 0;

	on_cpu(0);
	while ((offset[n] = take(window, size, dir, 1)) != VSW_NO_SLOT)
		n++;
	for (i = 0; i < n; i++) {
		/* Each has some of every batch, and more than a magazine. */
		if (i % 16 == 0)
			on_cpu(i / 16);
		give(window, offset[i], size, 1);
	}
	on_cpu(0);
	kvfree(offset);
	return n;
}

static void nothing_is_lost_in_caches(void)
{
	static const size_t windows[] = { SZ_1M, SZ_4M, SZ_64M };
	static const size_t size[] = {
		1, 128, 2048, 4096, SZ_8K, 12 * SZ_1K, SZ_64K
	};
	unsigned int w, i, d;

	for (w = 0; w < ARRAY_SIZE(windows); w++) {
		struct window *window;

		if (windows[w] > LARGE_WINDOW)
			break;
		window = window_new(windows[w]);
		for (i = 0; i < ARRAY_SIZE(size) * ARRAY_SIZE(directions); i++) {
			size_t one = size[i / ARRAY_SIZE(directions)];
			size_t bytes = vsw_class_bytes(vsw_class(one));
			bool ring;

			d = i % ARRAY_SIZE(directions);
			ring = directions[d] == DMA_NONE;
			if (ring)
				bytes = roundup_pow_of_two(bytes);
			/* Pieces in caches may lie in the way of runs at first. */
			expect_empty(window);
			expect_is(fill(window, one, directions[d]),
				  windows[w] / 2 / bytes +
				  windows[w] / 4 / bytes * (ring ? 2 : 1));
		}
		expect_empty(window);
		window_free(window);
	}
}

static void each_direction_has_a_reserve(void)
{
	static const enum dma_data_direction dir[] = {
		DMA_FROM_DEVICE, DMA_TO_DEVICE
	};
	unsigned int i, n;

	for (i = 0; i < 2; i++) {
		struct window *window = window_new(SZ_1M);

		while (take(window, 100, dir[i], 1) != VSW_NO_SLOT)
			continue;
		expect_is(take(window, 4096, dir[i], 1), VSW_NO_SLOT);
		for (n = 0; take(window, 4096, dir[!i], 2) != VSW_NO_SLOT; n++)
			continue;
		expect_is(n, 64);
		expect(stats_of(window).full >= 3);
		window_free(window);
	}
}

static void queue_of_128_reads_fits_1_mib(void)
{
	const unsigned int n = 128, rounds = 100;
	const size_t size = 6 * SZ_1K;
	struct request *request = array(n, sizeof(*request));
	struct window *window = window_new(SZ_1M);
	size_t ring = must_take(window, size, DMA_NONE, 9);
	unsigned int i, round;

	for (round = 0; round < rounds; round++) {
		on_cpu(round);
		for (i = 0; i < n; i++)
			map_request(window, &request[i]);
		for (i = 0; i < n; i++) {
			if (i % 8 == 0)
				on_cpu(i / 8);
			unmap_request(window, &request[i]);
		}
	}
	on_cpu(0);
	expect_is(stats_of(window).full, 0);
	give(window, ring, size, 9);
	expect_empty(window);
	kvfree(request);
	window_free(window);
}

/* Threads */

static void free_all(struct worker *worker)
{
	struct vsw_pool *pool = worker->window->pool;
	struct vsw_slot slot = {};
	unsigned int i;

	on_cpu(worker->number);
	for (i = 0; i < worker->n; i++) {
		if (vsw_pool_retire(pool, worker->offset[i], &slot)) {
			worker->mine++;
			vsw_pool_release(pool, worker->offset[i], &slot);
		}
	}
}

static void only_one_of_many_frees_a_slot(void)
{
	static const size_t size[] = { 1, 300, 4096, 20 * SZ_1K, 40 * SZ_1K };
	const unsigned int n = 500, rounds = 20;
	struct window *window = window_new(SZ_64M);
	struct vsw_slot slot = { .dir = DMA_TO_DEVICE };
	size_t *offset = array(n, sizeof(*offset));
	struct worker worker[TEST_THREADS];
	unsigned int i, round, sum;

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < n; i++) {
			slot.size = size[i % ARRAY_SIZE(size)];
			offset[i] = vsw_pool_alloc(window->pool, &slot);
			expect(offset[i] != VSW_NO_SLOT);
		}
		for (i = 0; i < TEST_THREADS; i++)
			worker[i] = (struct worker) {
				.window = window, .number = i,
				.offset = offset, .n = n,
			};
		at_once(free_all, worker);
		for (sum = 0, i = 0; i < TEST_THREADS; i++)
			sum += worker[i].mine;
		expect_is(sum, n);
		expect_empty(window);
	}
	kvfree(offset);
	window_free(window);
}

/* Looks where others are at work; what it finds does not matter. */
static void look_around(struct worker *worker, struct dice *dice)
{
	struct vsw_slot slot = { .buffer = 1, .size = 2, .dir = DMA_TO_DEVICE };
	size_t offset = roll(dice, worker->window->size);
	size_t at;

	vsw_pool_find(worker->window->pool, offset, &slot, &at);
	if (offset % 64 == 0) {
		slot = (struct vsw_slot) { .buffer = 1, .dir = DMA_TO_DEVICE };
		expect(!vsw_pool_holds(worker->window->pool, &slot));
	}
}

static size_t any_size(struct dice *dice)
{
	switch (roll(dice, 8)) {
	case 0:
		return 1 + roll(dice, 40 * SZ_1K - 1);
	case 1:
		return 1 + roll(dice, 4095);
	case 2:
	case 3:
		return 4096;
	default:
		return 1 + roll(dice, 199);
	}
}

#define HELD	48

static void map_and_unmap(struct worker *worker)
{
	struct dice dice = { .state = worker->number };
	struct window *window = worker->window;
	size_t offset[HELD], size[HELD];
	u8 me = worker->number;
	unsigned int i, round;

	for (i = 0; i < HELD; i++)
		offset[i] = VSW_NO_SLOT;
	for (round = 0; round < TEST_ROUNDS; round++) {
		i = roll(&dice, HELD);
		if (roll(&dice, 4) == 0)
			on_cpu(roll(&dice, TEST_CPUS));
		if (offset[i] != VSW_NO_SLOT) {
			if (size[i] > 64)
				free_is_refused(window, offset[i] + 64);
			give(window, offset[i], size[i], me);
		}
		size[i] = any_size(&dice);
		offset[i] = take(window, size[i],
				 directions[roll(&dice, ARRAY_SIZE(directions))],
				 me);
		worker->mine += offset[i] != VSW_NO_SLOT;
		look_around(worker, &dice);
	}
	for (i = 0; i < HELD; i++) {
		if (offset[i] != VSW_NO_SLOT)
			give(window, offset[i], size[i], me);
	}
}

static void threads_share_a_window(size_t size)
{
	struct window *window = window_new(size);
	struct worker worker[TEST_THREADS];
	unsigned int i;

	for (i = 0; i < TEST_THREADS; i++)
		worker[i] = (struct worker) { .window = window, .number = i };
	at_once(map_and_unmap, worker);
	for (i = 0; i < TEST_THREADS; i++)
		expect(worker[i].mine > TEST_ROUNDS / 4);
	expect_empty(window);
	window_free(window);
}

static void threads_share_1_mib(void)
{
	threads_share_a_window(SZ_1M);
}

static void threads_share_16_mib(void)
{
	threads_share_a_window(SZ_16M);
}

/* Room for exactly as many blocks as all may hold together */
#define QUOTA	(192 / TEST_THREADS)

static void keep_to_quota(struct worker *worker)
{
	struct vsw_slot slot = { .size = 4096, .dir = DMA_FROM_DEVICE };
	struct dice dice = { .state = worker->number };
	struct vsw_pool *pool = worker->window->pool;
	unsigned int i, n = 0, round;
	size_t offset[QUOTA];

	on_cpu(worker->number);
	for (round = 0; round < 3 * TEST_ROUNDS; round++) {
		if (n == QUOTA || (n && roll(&dice, 5) == 0)) {
			i = roll(&dice, n);
			expect(vsw_pool_free(pool, offset[i], 0));
			offset[i] = offset[--n];
		} else {
			offset[n] = vsw_pool_alloc(pool, &slot);
			n += offset[n] != VSW_NO_SLOT;
		}
	}
	while (n)
		expect(vsw_pool_free(pool, offset[--n], 0));
}

static void who_keeps_to_what_there_is_never_finds_it_full(void)
{
	struct window *window = window_new(SZ_1M);
	struct worker worker[TEST_THREADS];
	unsigned int i;

	for (i = 0; i < TEST_THREADS; i++)
		worker[i] = (struct worker) { .window = window, .number = i };
	at_once(keep_to_quota, worker);
	expect_is(stats_of(window).full, 0);
	expect_empty(window);
	window_free(window);
}

struct pool_case {
	const char *name;
	void (*run)(void);
};

#define CASE(name)	{ #name, name }

static const struct pool_case pool_cases[] = {
	CASE(slots_of_all_sizes_do_not_overlap),
	CASE(read_of_4k_holds_no_more_than_4_25_kib),
	CASE(what_is_not_in_use_is_not_freed),
	CASE(end_of_a_former_run_is_not_in_use),
	CASE(rings_are_not_unmapped),
	CASE(mapped_buffer_is_known),
	CASE(owner_reaches_and_leaves_its_own_slots_only),
	CASE(nothing_is_lost_in_caches),
	CASE(each_direction_has_a_reserve),
	CASE(queue_of_128_reads_fits_1_mib),
	CASE(only_one_of_many_frees_a_slot),
	CASE(threads_share_1_mib),
	CASE(threads_share_16_mib),
	CASE(who_keeps_to_what_there_is_never_finds_it_full),
};

#endif
