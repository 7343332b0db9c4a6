/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The allocator of the guest's module, in a process
 */

#include <glib.h>

#include "kernel.h"
#include "slot.h"

#define KIB 1024UL
#define MIB (1024 * KIB)
#define NOTHING 0xff

unsigned kernel_failures, kernel_fails_in, kernel_pauses;
__thread unsigned kernel_cpu;
pthread_rwlock_t kernel_readers = PTHREAD_RWLOCK_INITIALIZER;

static pthread_mutex_t later_lock = PTHREAD_MUTEX_INITIALIZER;
static struct rcu_head *later;
static bool reclaimer_ends;

void kernel_free_later(struct rcu_head *head, void *memory)
{
    head->memory = memory;
    pthread_mutex_lock(&later_lock);
    head->next = later;
    later = head;
    pthread_mutex_unlock(&later_lock);
}

static void free_now(void)
{
    struct rcu_head *head, *next;

    pthread_mutex_lock(&later_lock);
    head = later;
    later = NULL;
    pthread_mutex_unlock(&later_lock);
    pthread_rwlock_wrlock(&kernel_readers);
    pthread_rwlock_unlock(&kernel_readers);
    for (; head; head = next) {
        next = head->next;
        free(head->memory);
    }
}

static void *reclaim(void *unused)
{
    while (!READ_ONCE(reclaimer_ends)) {
        free_now();
        g_usleep(1000);
    }
    return NULL;
}

/* A window, and which slot each 64 bytes of it belong to */
typedef struct Window {
    size_t size;
    struct vsw_pool *pool;
    u8 *owner;
} Window;

static Window *window_new(size_t size)
{
    Window *window = g_new0(Window, 1);

    window->size = size;
    window->pool = vsw_pool_create(size);
    g_assert_nonnull(window->pool);
    window->owner = malloc(size / 64);
    memset(window->owner, NOTHING, size / 64);
    return window;
}

static void window_free(Window *window)
{
    vsw_pool_destroy(window->pool);
    free(window->owner);
    g_free(window);
    free_now();
}

static struct vsw_pool_stats stats_of(Window *window)
{
    struct vsw_pool_stats stats;

    vsw_pool_stats(window->pool, &stats);
    return stats;
}

/* Every slot is its owner's alone, as far as its owner asked for. */
static size_t take(Window *window, size_t size, enum dma_data_direction dir,
                   u8 owner)
{
    struct vsw_slot slot = { .buffer = 0x1000 + size, .size = size,
                             .dir = dir };
    size_t offset = vsw_pool_alloc(window->pool, &slot);
    size_t i;

    if (offset == VSW_NO_SLOT) {
        return offset;
    }
    g_assert_cmpuint(offset % 64, ==, 0);
    g_assert_cmpuint(offset + size, <=, window->size);
    for (i = offset / 64; i < DIV_ROUND_UP(offset + size, 64); i++) {
        g_assert_cmpuint(window->owner[i], ==, NOTHING);
        window->owner[i] = owner;
    }
    return offset;
}

static void give(Window *window, size_t offset, size_t size, u8 owner)
{
    size_t i;

    for (i = offset / 64; i < DIV_ROUND_UP(offset + size, 64); i++) {
        g_assert_cmpuint(window->owner[i], ==, owner);
        window->owner[i] = NOTHING;
    }
    g_assert_true(vsw_pool_free(window->pool, offset));
}

/* Nothing is in use, and each area is free as one piece. */
static void assert_empty(Window *window)
{
    struct vsw_pool_stats stats = stats_of(window);
    struct vsw_slot slot[] = {
        { .size = window->size / 2, .dir = DMA_BIDIRECTIONAL },
        { .size = window->size / 4, .dir = DMA_FROM_DEVICE },
        { .size = window->size / 4, .dir = DMA_TO_DEVICE },
    };
    size_t offset[G_N_ELEMENTS(slot)];
    unsigned i;

    g_assert_cmpuint(stats.rings, ==, 0);
    g_assert_cmpuint(stats.mapped, ==, 0);
    g_assert_cmpuint(vsw_pool_bytes(window->pool, true), ==, 0);
    g_assert_cmpuint(vsw_pool_bytes(window->pool, false), ==, 0);
    g_assert_cmpuint(stats.used_bytes, ==, 0);
    for (i = 0; i < G_N_ELEMENTS(slot); i++) {
        offset[i] = vsw_pool_alloc(window->pool, &slot[i]);
        g_assert_cmpuint(offset[i], !=, VSW_NO_SLOT);
    }
    stats = stats_of(window);
    g_assert_cmpuint(stats.used_bytes, ==, window->size);
    g_assert_cmpuint(stats.taken_bytes, ==, window->size);
    for (i = 0; i < G_N_ELEMENTS(slot); i++) {
        g_assert_true(vsw_pool_free(window->pool, offset[i]));
    }
    g_assert_cmpuint(stats_of(window).taken_bytes, ==, 0);
}

static const enum dma_data_direction directions[] = {
    DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE
};

static void slots_of_all_sizes_do_not_overlap(void)
{
    size_t offset[4 * 700], size[G_N_ELEMENTS(offset)];
    Window *window = window_new(64 * MIB);
    unsigned i, n = 0, d;

    for (i = 0; i < 700; i++) {
        for (d = 0; d < G_N_ELEMENTS(directions); d++, n++) {
            size[n] = i < 500 ? i * 9 : (i - 499) * 511;
            offset[n] = take(window, size[n], directions[d], n % 251);
            g_assert_cmpuint(offset[n], !=, VSW_NO_SLOT);
            if (directions[d] == DMA_NONE) {
                size_t align = roundup_pow_of_two(size[n]);

                g_assert_cmpuint(offset[n] % align, ==, 0);
            }
        }
    }
    for (i = 0; i < n; i++) {
        give(window, offset[i], size[i], i % 251);
    }
    assert_empty(window);
    window_free(window);
}

typedef struct Request {
    size_t header, data, status, table;
} Request;

/* As virtio_blk maps a read of 4 KiB */
static bool map_request(Window *window, Request *request)
{
    request->header = take(window, 16, DMA_TO_DEVICE, 1);
    request->data = take(window, 4096, DMA_FROM_DEVICE, 2);
    request->status = take(window, 1, DMA_FROM_DEVICE, 3);
    request->table = take(window, 48, DMA_TO_DEVICE, 4);
    return request->header != VSW_NO_SLOT && request->data != VSW_NO_SLOT &&
           request->status != VSW_NO_SLOT && request->table != VSW_NO_SLOT;
}

static void unmap_request(Window *window, const Request *request)
{
    give(window, request->table, 48, 4);
    give(window, request->header, 16, 1);
    give(window, request->data, 4096, 2);
    give(window, request->status, 1, 3);
}

static void read_of_4k_holds_no_more_than_4_25_KiB(void)
{
    Window *window = window_new(64 * MIB);
    struct vsw_pool_stats stats;
    Request request[64];
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(request); i++) {
        g_assert_true(map_request(window, &request[i]));
    }
    stats = stats_of(window);
    g_assert_cmpuint(stats.used_bytes, <=, 64 * 4352);
    g_assert_cmpuint(stats.mapped, ==, 64 * 4);
    g_assert_cmpuint(vsw_pool_bytes(window->pool, false), ==,
                     64 * (16 + 4096 + 1 + 48));
    for (i = 0; i < G_N_ELEMENTS(request); i++) {
        unmap_request(window, &request[i]);
    }
    assert_empty(window);
    window_free(window);
}

static void requests_take_no_shared_lock(void)
{
    Window *window = window_new(64 * MIB);
    struct vsw_pool_stats before, after;
    Request request[16];
    unsigned i, j;

    for (i = 0; i < 5100; i++) {
        if (i == 100) {
            before = stats_of(window);
        }
        for (j = 0; j < G_N_ELEMENTS(request); j++) {
            g_assert_true(map_request(window, &request[j]));
        }
        for (j = 0; j < G_N_ELEMENTS(request); j++) {
            unmap_request(window, &request[j]);
        }
    }
    after = stats_of(window);
    g_assert_cmpuint(after.locks - before.locks, ==, 0);
    g_assert_cmpuint(after.batches - before.batches, ==, 0);
    window_free(window);
}

/* One CPU maps, another unmaps: a lock for a batch, not for a slot. */
static void locks_are_for_batches(void)
{
    Window *window = window_new(64 * MIB);
    struct vsw_pool_stats before = stats_of(window), after;
    Request request[16];
    unsigned i, j;

    for (i = 0; i < 1000; i++) {
        kernel_cpu = 0;
        for (j = 0; j < G_N_ELEMENTS(request); j++) {
            g_assert_true(map_request(window, &request[j]));
        }
        kernel_cpu = 1;
        for (j = 0; j < G_N_ELEMENTS(request); j++) {
            unmap_request(window, &request[j]);
        }
    }
    kernel_cpu = 0;
    after = stats_of(window);
    g_assert_cmpuint(after.locks - before.locks, <,
                     1000 * G_N_ELEMENTS(request) * 8 / 15);
    assert_empty(window);
    window_free(window);
}

static void free_is_refused(Window *window, size_t offset)
{
    struct vsw_slot slot;

    g_assert_false(vsw_pool_retire(window->pool, offset, &slot));
    g_assert_false(vsw_pool_free(window->pool, offset));
}

static void what_is_not_in_use_is_not_freed(void)
{
    Window *window = window_new(4 * MIB);
    size_t size[] = { 1, 65, 2048, 4096, 5000, 32 * KIB, 33 * KIB, 200 * KIB };
    struct vsw_slot slot;
    size_t offset, at;
    unsigned i;

    for (offset = 0; offset < 4 * MIB; offset += 4096) {
        free_is_refused(window, offset);
    }
    free_is_refused(window, 4 * MIB);
    free_is_refused(window, SIZE_MAX);
    free_is_refused(window, SIZE_MAX - 4 * MIB);

    for (i = 0; i < G_N_ELEMENTS(size); i++) {
        offset = take(window, size[i], DMA_TO_DEVICE, 1);
        if (size[i] > 64) {
            free_is_refused(window, offset + 64);
        }
        if (size[i] > 1) {
            free_is_refused(window, offset + 1);
            free_is_refused(window, offset + size[i] - 1);
        }
        free_is_refused(window, offset + vsw_class_bytes(vsw_class(size[i])));
        g_assert_true(vsw_pool_find(window->pool, offset + size[i] - 1, &slot,
                                    &at));
        g_assert_cmpuint(at, ==, size[i] - 1);
        g_assert_cmpuint(slot.size, ==, size[i]);
        g_assert_cmpint(slot.dir, ==, DMA_TO_DEVICE);
        give(window, offset, size[i], 1);
        free_is_refused(window, offset);
        g_assert_false(vsw_pool_find(window->pool, offset, &slot, &at));
    }
    assert_empty(window);
    window_free(window);
}

/* A long run once reached where a short one with free blocks behind it is. */
static void end_of_a_former_run_is_not_in_use(void)
{
    Window *window = window_new(4 * MIB);
    size_t long_run = take(window, 200 * KIB, DMA_TO_DEVICE, 1);
    struct vsw_slot slot;
    size_t short_run, at;

    give(window, long_run, 200 * KIB, 1);
    short_run = take(window, 100 * KIB, DMA_TO_DEVICE, 1);
    g_assert_cmpuint(short_run, ==, long_run);
    g_assert_true(vsw_pool_find(window->pool, short_run + 100 * KIB - 1,
                                &slot, &at));
    g_assert_false(vsw_pool_find(window->pool, short_run + 100 * KIB, &slot,
                                 &at));
    give(window, short_run, 100 * KIB, 1);
    window_free(window);
}

static void rings_are_not_unmapped(void)
{
    Window *window = window_new(4 * MIB);
    size_t ring = take(window, 6 * KIB, DMA_NONE, 1);
    struct vsw_slot slot;

    g_assert_false(vsw_pool_retire(window->pool, ring, &slot));
    g_assert_cmpuint(stats_of(window).rings, ==, 1);
    g_assert_cmpuint(vsw_pool_bytes(window->pool, true), ==, 6 * KIB);
    give(window, ring, 6 * KIB, 1);
    assert_empty(window);
    window_free(window);
}

static void mapped_buffer_is_known(void)
{
    struct vsw_slot slot = { .buffer = 0x12345, .dir = DMA_FROM_DEVICE };
    size_t size[] = { 0, 17, 3000, 4096, 50 * KIB };
    Window *window = window_new(4 * MIB);
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(size); i++) {
        struct vsw_slot other;
        size_t offset;

        slot.size = size[i];
        g_assert_false(vsw_pool_holds(window->pool, &slot));
        offset = vsw_pool_alloc(window->pool, &slot);
        g_assert_true(vsw_pool_holds(window->pool, &slot));
        other = slot;
        other.dir = DMA_TO_DEVICE;
        g_assert_false(vsw_pool_holds(window->pool, &other));
        other = slot;
        other.size++;
        g_assert_false(vsw_pool_holds(window->pool, &other));
        other = slot;
        other.buffer++;
        g_assert_false(vsw_pool_holds(window->pool, &other));
        g_assert_true(vsw_pool_free(window->pool, offset));
        g_assert_false(vsw_pool_holds(window->pool, &slot));
    }
    window_free(window);
}

/* How many slots there are, taken on one CPU and given back on all */
static unsigned fill(Window *window, size_t size, enum dma_data_direction dir)
{
    g_autoptr(GArray) offsets = g_array_new(false, false, sizeof(size_t));
    size_t offset;
    unsigned i;

    kernel_cpu = 0;
    while ((offset = take(window, size, dir, 1)) != VSW_NO_SLOT) {
        g_array_append_val(offsets, offset);
    }
    for (i = 0; i < offsets->len; i++) {
        kernel_cpu = i % KERNEL_CPUS;
        give(window, g_array_index(offsets, size_t, i), size, 1);
    }
    kernel_cpu = 0;
    return offsets->len;
}

static void nothing_is_lost_in_caches(void)
{
    size_t windows[] = { MIB, 4 * MIB, 64 * MIB };
    size_t size[] = { 1, 128, 2048, 4096, 8192, 12 * KIB, 64 * KIB };
    unsigned w, i, d;

    for (w = 0; w < G_N_ELEMENTS(windows); w++) {
        Window *window = window_new(windows[w]);

        for (i = 0; i < G_N_ELEMENTS(size); i++) {
            size_t bytes = vsw_class_bytes(vsw_class(size[i]));

            for (d = 0; d < G_N_ELEMENTS(directions); d++) {
                bool ring = directions[d] == DMA_NONE;
                size_t align = ring ? roundup_pow_of_two(bytes) : bytes;
                size_t half = windows[w] / 2 / align;
                size_t quarter = windows[w] / 4 / align;

                /* Pieces in caches may lie in the way of runs at first. */
                assert_empty(window);
                g_assert_cmpuint(fill(window, size[i], directions[d]), ==,
                                 half + quarter * (ring ? 2 : 1));
            }
        }
        assert_empty(window);
        window_free(window);
    }
}

static void buffers_of_a_queue_follow_each_other_upwards(void)
{
    Window *window = window_new(64 * MIB);
    size_t queue[8], last = 0;
    unsigned i, at, back = 0;

    for (i = 0; i < 640; i++) {
        at = i % G_N_ELEMENTS(queue);
        if (i >= G_N_ELEMENTS(queue)) {
            give(window, queue[at], 1526, 1);
        }
        queue[at] = take(window, 1526, DMA_TO_DEVICE, 1);
        back += queue[at] < last;
        last = queue[at];
    }
    /* It starts anew when all that was cached has had its turn. */
    g_assert_cmpuint(back, <=, 640 / 32);
    window_free(window);
}

static void each_direction_has_a_reserve(void)
{
    enum dma_data_direction dir[] = { DMA_FROM_DEVICE, DMA_TO_DEVICE };
    unsigned i, n;

    for (i = 0; i < 2; i++) {
        Window *window = window_new(MIB);

        while (take(window, 100, dir[i], 1) != VSW_NO_SLOT) {
            continue;
        }
        g_assert_cmpuint(take(window, 4096, dir[i], 1), ==, VSW_NO_SLOT);
        for (n = 0; take(window, 4096, dir[!i], 2) != VSW_NO_SLOT; n++) {
            continue;
        }
        g_assert_cmpuint(n, ==, 64);
        g_assert_cmpuint(stats_of(window).full, >=, 3);
        window_free(window);
    }
}

static void queue_of_128_reads_fits_1_MiB(void)
{
    Window *window = window_new(MIB);
    size_t ring = take(window, 6 * KIB, DMA_NONE, 9);
    Request request[128];
    unsigned i, round;

    for (round = 0; round < 100; round++) {
        kernel_cpu = round % KERNEL_CPUS;
        for (i = 0; i < G_N_ELEMENTS(request); i++) {
            g_assert_true(map_request(window, &request[i]));
        }
        for (i = 0; i < G_N_ELEMENTS(request); i++) {
            kernel_cpu = i % KERNEL_CPUS;
            unmap_request(window, &request[i]);
        }
    }
    kernel_cpu = 0;
    g_assert_cmpuint(stats_of(window).full, ==, 0);
    give(window, ring, 6 * KIB, 9);
    assert_empty(window);
    window_free(window);
}

static void without_memory_slots_are_refused_and_nothing_breaks(void)
{
    Window *window = window_new(MIB);
    size_t offset[1000];
    unsigned i, n = 0;

    WRITE_ONCE(kernel_failures, 1);
    g_assert_cmpuint(take(window, 64, DMA_TO_DEVICE, 1), ==, VSW_NO_SLOT);
    WRITE_ONCE(kernel_failures, 2);
    for (i = 0; i < G_N_ELEMENTS(offset); i++) {
        offset[n] = take(window, 64, DMA_TO_DEVICE, 1);
        n += offset[n] != VSW_NO_SLOT;
    }
    WRITE_ONCE(kernel_failures, 0);
    g_assert_cmpuint(n, >, 0);
    for (i = 0; i < n; i++) {
        give(window, offset[i], 64, 1);
    }
    assert_empty(window);
    window_free(window);
}

/* LeakSanitizer sees what is left of a pool that was half made. */
static void whichever_allocation_fails_no_pool_is_half_made(void)
{
    struct vsw_pool *pool = NULL;
    unsigned n;

    for (n = 0; !pool; n++) {
        WRITE_ONCE(kernel_fails_in, n + 1);
        pool = vsw_pool_create(MIB);
        g_assert_true(pool || !kernel_fails_in);
    }
    /* The one that was meant to fail was not needed. */
    g_assert_cmpuint(kernel_fails_in, ==, 1);
    WRITE_ONCE(kernel_fails_in, 0);
    /* Pool, counts, records, three bitmaps, magazines */
    g_assert_cmpuint(n, >, 7);
    vsw_pool_destroy(pool);
}

#define MIX 600

/* Returns how many of a mix of sizes and directions got a slot. */
static unsigned take_mix(Window *window, size_t *offset)
{
    static const size_t sizes[] = { 64, 100, 500, 1024, 2048, 4096, 70000 };
    unsigned i, n = 0;

    for (i = 0; i < MIX; i++) {
        offset[i] = take(window, sizes[i % G_N_ELEMENTS(sizes)],
                         i % 3, i % NOTHING);
        n += offset[i] != VSW_NO_SLOT;
    }
    for (i = 0; i < MIX; i++) {
        if (offset[i] != VSW_NO_SLOT) {
            give(window, offset[i], sizes[i % G_N_ELEMENTS(sizes)],
                 i % NOTHING);
        }
    }
    return n;
}

static void whichever_allocation_fails_at_work_nothing_is_lost(void)
{
    size_t offset[MIX];
    unsigned n, left, without, got;

    for (n = 1, left = 0; !left; n++) {
        Window *window = window_new(16 * MIB);

        WRITE_ONCE(kernel_fails_in, n);
        got = take_mix(window, offset);
        left = kernel_fails_in;
        WRITE_ONCE(kernel_fails_in, 0);
        /* At worst the one request that asked is refused. */
        g_assert_cmpuint(got, >=, MIX - 1);
        without = take_mix(window, offset);
        g_assert_cmpuint(without, ==, MIX);
        assert_empty(window);
        window_free(window);
    }
    g_assert_cmpuint(n, >, 10);
}

/* Threads */

#define THREADS 4
#define ROUNDS 10000

typedef struct Worker {
    pthread_t thread;
    Window *window;
    unsigned number;
    size_t *offset;
    unsigned n;
    unsigned mine;
} Worker;

static void at_once(Window *window, void *(*run)(void *), size_t *offset,
                    unsigned n, Worker *worker)
{
    unsigned i;

    for (i = 0; i < THREADS; i++) {
        worker[i] = (Worker) { .window = window, .number = i,
                               .offset = offset, .n = n };
        g_assert_cmpint(pthread_create(&worker[i].thread, NULL, run,
                                       &worker[i]), ==, 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(worker[i].thread, NULL);
    }
}

static void *free_all(void *opaque)
{
    Worker *worker = opaque;
    struct vsw_slot slot;
    unsigned i;

    kernel_cpu = worker->number;
    for (i = 0; i < worker->n; i++) {
        size_t offset = worker->offset[i];

        if (vsw_pool_retire(worker->window->pool, offset, &slot)) {
            worker->mine++;
            vsw_pool_release(worker->window->pool, offset, &slot);
        }
    }
    return NULL;
}

static void only_one_of_many_frees_a_slot(void)
{
    size_t size[] = { 1, 300, 4096, 20 * KIB, 40 * KIB };
    Window *window = window_new(64 * MIB);
    struct vsw_slot slot = { .dir = DMA_TO_DEVICE };
    Worker worker[THREADS];
    size_t offset[500];
    unsigned i, round, sum;

    for (round = 0; round < 20; round++) {
        for (i = 0; i < G_N_ELEMENTS(offset); i++) {
            slot.size = size[i % G_N_ELEMENTS(size)];
            offset[i] = vsw_pool_alloc(window->pool, &slot);
            g_assert_cmpuint(offset[i], !=, VSW_NO_SLOT);
        }
        at_once(window, free_all, offset, G_N_ELEMENTS(offset), worker);
        for (sum = 0, i = 0; i < THREADS; i++) {
            sum += worker[i].mine;
        }
        g_assert_cmpuint(sum, ==, G_N_ELEMENTS(offset));
        assert_empty(window);
    }
    window_free(window);
}

/* Looks where others are at work; what it finds does not matter. */
static void look_around(Worker *worker, GRand *random)
{
    struct vsw_slot slot = { .buffer = 1, .size = 2, .dir = DMA_TO_DEVICE };
    size_t offset = (size_t)g_rand_int(random) % worker->window->size;
    size_t at;

    vsw_pool_find(worker->window->pool, offset, &slot, &at);
    if (offset % 64 == 0) {
        slot = (struct vsw_slot) { .buffer = 1, .dir = DMA_TO_DEVICE };
        g_assert_false(vsw_pool_holds(worker->window->pool, &slot));
    }
}

static size_t any_size(GRand *random)
{
    switch (g_rand_int_range(random, 0, 8)) {
    case 0:
        return g_rand_int_range(random, 1, 40 * KIB);
    case 1:
        return g_rand_int_range(random, 1, 4096);
    case 2:
    case 3:
        return 4096;
    default:
        return g_rand_int_range(random, 1, 200);
    }
}

static void *map_and_unmap(void *opaque)
{
    Worker *worker = opaque;
    size_t offset[48], size[G_N_ELEMENTS(offset)];
    GRand *random = g_rand_new_with_seed(worker->number);
    u8 me = worker->number;
    unsigned i, round;

    for (i = 0; i < G_N_ELEMENTS(offset); i++) {
        offset[i] = VSW_NO_SLOT;
    }
    for (round = 0; round < ROUNDS; round++) {
        i = g_rand_int_range(random, 0, G_N_ELEMENTS(offset));
        if (g_rand_int_range(random, 0, 4) == 0) {
            kernel_cpu = g_rand_int_range(random, 0, KERNEL_CPUS);
        }
        if (offset[i] != VSW_NO_SLOT) {
            if (size[i] > 64) {
                free_is_refused(worker->window, offset[i] + 64);
            }
            give(worker->window, offset[i], size[i], me);
        }
        size[i] = any_size(random);
        offset[i] = take(worker->window, size[i],
                         directions[g_rand_int_range(random, 0, 4)], me);
        worker->mine += offset[i] != VSW_NO_SLOT;
        look_around(worker, random);
    }
    for (i = 0; i < G_N_ELEMENTS(offset); i++) {
        if (offset[i] != VSW_NO_SLOT) {
            give(worker->window, offset[i], size[i], me);
        }
    }
    g_rand_free(random);
    return NULL;
}

static void threads_share_a_window(gconstpointer mib)
{
    Window *window = window_new(GPOINTER_TO_SIZE(mib) * MIB);
    Worker worker[THREADS];
    pthread_t reclaimer;
    unsigned i;

    WRITE_ONCE(reclaimer_ends, false);
    WRITE_ONCE(kernel_failures, 100);
    pthread_create(&reclaimer, NULL, reclaim, NULL);
    at_once(window, map_and_unmap, NULL, 0, worker);
    WRITE_ONCE(reclaimer_ends, true);
    pthread_join(reclaimer, NULL);
    WRITE_ONCE(kernel_failures, 0);
    for (i = 0; i < THREADS; i++) {
        g_assert_cmpuint(worker[i].mine, >, ROUNDS / 4);
    }
    assert_empty(window);
    window_free(window);
}

/* Room for exactly as many blocks as all may hold together */
#define QUOTA (192 / THREADS)

static void *keep_to_quota(void *opaque)
{
    Worker *worker = opaque;
    struct vsw_slot slot = { .size = 4096, .dir = DMA_FROM_DEVICE };
    GRand *random = g_rand_new_with_seed(worker->number);
    size_t offset[QUOTA];
    unsigned i, n = 0, round;

    kernel_cpu = worker->number;
    for (round = 0; round < 3 * ROUNDS; round++) {
        if (n == QUOTA || (n && g_rand_int_range(random, 0, 5) == 0)) {
            i = g_rand_int_range(random, 0, n);
            g_assert_true(vsw_pool_free(worker->window->pool, offset[i]));
            offset[i] = offset[--n];
        } else {
            offset[n] = vsw_pool_alloc(worker->window->pool, &slot);
            if (offset[n] != VSW_NO_SLOT) {
                n++;
            }
        }
    }
    while (n) {
        g_assert_true(vsw_pool_free(worker->window->pool, offset[--n]));
    }
    g_rand_free(random);
    return NULL;
}

static void who_keeps_to_what_there_is_never_finds_it_full(void)
{
    Window *window = window_new(MIB);
    Worker worker[THREADS];

    WRITE_ONCE(kernel_pauses, 3);
    at_once(window, keep_to_quota, NULL, 0, worker);
    WRITE_ONCE(kernel_pauses, 0);
    g_assert_cmpuint(stats_of(window).full, ==, 0);
    assert_empty(window);
    window_free(window);
}

#define TEST(name) g_test_add_func("/pool/" #name, name)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST(slots_of_all_sizes_do_not_overlap);
    TEST(read_of_4k_holds_no_more_than_4_25_KiB);
    TEST(requests_take_no_shared_lock);
    TEST(locks_are_for_batches);
    TEST(what_is_not_in_use_is_not_freed);
    TEST(end_of_a_former_run_is_not_in_use);
    TEST(rings_are_not_unmapped);
    TEST(mapped_buffer_is_known);
    TEST(nothing_is_lost_in_caches);
    TEST(buffers_of_a_queue_follow_each_other_upwards);
    TEST(each_direction_has_a_reserve);
    TEST(queue_of_128_reads_fits_1_MiB);
    TEST(without_memory_slots_are_refused_and_nothing_breaks);
    TEST(whichever_allocation_fails_no_pool_is_half_made);
    TEST(whichever_allocation_fails_at_work_nothing_is_lost);
    TEST(only_one_of_many_frees_a_slot);
    TEST(who_keeps_to_what_there_is_never_finds_it_full);
    g_test_add_data_func("/pool/threads_share_1_MiB", GSIZE_TO_POINTER(1),
                         threads_share_a_window);
    g_test_add_data_func("/pool/threads_share_16_MiB", GSIZE_TO_POINTER(16),
                         threads_share_a_window);
    return g_test_run();
}
