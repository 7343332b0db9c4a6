/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The allocator of the guest's module, in a process
 */

#include <glib.h>

#include "kernel.h"

#define TEST_CPUS KERNEL_CPUS
#define TEST_THREADS 4
#define TEST_ROUNDS 10000
#define LARGE_WINDOW SZ_64M
#define expect(condition) g_assert_true(condition)
#define expect_is(got, want) g_assert_cmpuint(got, ==, want)
#define on_cpu(n) (kernel_cpu = (n) % KERNEL_CPUS)
#define settle() free_now()

static void free_now(void);

#include "selftest_pool.h"

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

typedef struct Thread {
    pthread_t thread;
    work_fn work;
    struct worker *worker;
} Thread;

static void *run(void *opaque)
{
    Thread *thread = opaque;

    thread->work(thread->worker);
    return NULL;
}

/* Memory is freed, and some cannot be had, at any time. */
static void at_once(work_fn work, struct worker *worker)
{
    Thread thread[TEST_THREADS];
    pthread_t reclaimer;
    unsigned i;

    WRITE_ONCE(reclaimer_ends, false);
    WRITE_ONCE(kernel_failures, 100);
    WRITE_ONCE(kernel_pauses, work == keep_to_quota ? 3 : 0);
    g_assert_cmpint(pthread_create(&reclaimer, NULL, reclaim, NULL), ==, 0);
    for (i = 0; i < TEST_THREADS; i++) {
        thread[i] = (Thread) { .work = work, .worker = &worker[i] };
        g_assert_cmpint(pthread_create(&thread[i].thread, NULL, run,
                                       &thread[i]), ==, 0);
    }
    for (i = 0; i < TEST_THREADS; i++) {
        pthread_join(thread[i].thread, NULL);
    }
    WRITE_ONCE(reclaimer_ends, true);
    pthread_join(reclaimer, NULL);
    WRITE_ONCE(kernel_failures, 0);
    WRITE_ONCE(kernel_pauses, 0);
}

static void requests_take_no_shared_lock(void)
{
    struct window *window = window_new(SZ_64M);
    struct vsw_pool_stats before, after;
    struct request request[16];
    unsigned i, j;

    for (i = 0; i < 5100; i++) {
        if (i == 100) {
            before = stats_of(window);
        }
        for (j = 0; j < G_N_ELEMENTS(request); j++) {
            map_request(window, &request[j]);
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
    struct window *window = window_new(SZ_64M);
    struct vsw_pool_stats before = stats_of(window), after;
    struct request request[16];
    unsigned i, j;

    for (i = 0; i < 1000; i++) {
        on_cpu(0);
        for (j = 0; j < G_N_ELEMENTS(request); j++) {
            map_request(window, &request[j]);
        }
        on_cpu(1);
        for (j = 0; j < G_N_ELEMENTS(request); j++) {
            unmap_request(window, &request[j]);
        }
    }
    on_cpu(0);
    after = stats_of(window);
    g_assert_cmpuint(after.locks - before.locks, <,
                     1000 * G_N_ELEMENTS(request) * 8 / 15);
    expect_empty(window);
    window_free(window);
}

static void buffers_of_a_queue_follow_each_other_upwards(void)
{
    struct window *window = window_new(SZ_64M);
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

static void without_memory_slots_are_refused_and_nothing_breaks(void)
{
    struct window *window = window_new(SZ_1M);
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
    expect_empty(window);
    window_free(window);
}

/* LeakSanitizer sees what is left of a pool that was half made. */
static void whichever_allocation_fails_no_pool_is_half_made(void)
{
    struct vsw_pool *pool = NULL;
    unsigned n;

    for (n = 0; !pool; n++) {
        WRITE_ONCE(kernel_fails_in, n + 1);
        pool = vsw_pool_create(SZ_1M);
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
static unsigned take_mix(struct window *window, size_t *offset)
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
        struct window *window = window_new(SZ_16M);

        WRITE_ONCE(kernel_fails_in, n);
        got = take_mix(window, offset);
        left = kernel_fails_in;
        WRITE_ONCE(kernel_fails_in, 0);
        /* At worst the one request that asked is refused. */
        g_assert_cmpuint(got, >=, MIX - 1);
        without = take_mix(window, offset);
        g_assert_cmpuint(without, ==, MIX);
        expect_empty(window);
        window_free(window);
    }
    g_assert_cmpuint(n, >, 10);
}

static const struct pool_case own_cases[] = {
    CASE(requests_take_no_shared_lock),
    CASE(locks_are_for_batches),
    CASE(buffers_of_a_queue_follow_each_other_upwards),
    CASE(without_memory_slots_are_refused_and_nothing_breaks),
    CASE(whichever_allocation_fails_no_pool_is_half_made),
    CASE(whichever_allocation_fails_at_work_nothing_is_lost),
};

static void add(const struct pool_case *test, unsigned n)
{
    for (; n; n--, test++) {
        g_autofree char *path = g_strconcat("/pool/", test->name, NULL);

        g_test_add_func(path, test->run);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add(pool_cases, G_N_ELEMENTS(pool_cases));
    add(own_cases, G_N_ELEMENTS(own_cases));
    return g_test_run();
}
