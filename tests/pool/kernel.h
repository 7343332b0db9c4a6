/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the guest's pool uses of the Linux kernel, for threads of a process
 *
 * A thread is on the CPU that kernel_cpu says, and may change it at any time.
 */

#ifndef TESTS_POOL_KERNEL_H
#define TESTS_POOL_KERNEL_H

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef u64 phys_addr_t;

enum dma_data_direction {
    DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE
};

#define U32_MAX UINT32_MAX
#define PAGE_SIZE 4096UL
#define SZ_1K 0x400UL
#define SZ_8K 0x2000UL
#define SZ_32K 0x8000UL
#define SZ_64K 0x10000UL
#define SZ_1M 0x100000UL
#define SZ_4M 0x400000UL
#define SZ_16M 0x1000000UL
#define SZ_64M 0x4000000UL
#define __percpu
#define __rcu
#define __acquires(lock)
#define __releases(lock)
#define ____cacheline_aligned_in_smp __attribute__((aligned(64)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min_t(type, a, b) min((type)(a), (type)(b))
#define clamp(x, low, high) min(max(x, low), high)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define container_of(p, type, member) \
    ((type *)((char *)(p) - offsetof(type, member)))
#define struct_size(p, member, n) \
    (sizeof(*(p)) + sizeof(*(p)->member) * (n))

/* Bits */

#define BITS_PER_LONG (sizeof(long) * CHAR_BIT)
#define BIT(n) (1UL << (n))
#define DECLARE_BITMAP(name, bits) \
    unsigned long name[DIV_ROUND_UP(bits, BITS_PER_LONG)]

static inline unsigned fls_long(unsigned long x)
{
    return x ? BITS_PER_LONG - __builtin_clzl(x) : 0;
}

#define roundup_pow_of_two(n) ((n) < 2 ? 1UL : BIT(fls_long((n) - 1)))
#define rounddown_pow_of_two(n) BIT(fls_long(n) - 1)

/* Atomics */

/* Others get in between, once in so many chances; 0: as it happens. */
extern unsigned kernel_pauses;

static inline void kernel_pause(void)
{
    static __thread unsigned count;
    unsigned pauses = __atomic_load_n(&kernel_pauses, __ATOMIC_RELAXED);

    if (pauses && ++count % pauses == 0) {
        sched_yield();
    }
}

#define READ_ONCE(x) \
    (kernel_pause(), __atomic_load_n(&(x), __ATOMIC_RELAXED))
#define WRITE_ONCE(x, value) __atomic_store_n(&(x), value, __ATOMIC_RELAXED)
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, value) \
    __atomic_store_n(p, value, __ATOMIC_RELEASE)
/* Reads before it come first. */
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define cmpxchg(p, old, new) \
    ({ __typeof__(*(p)) seen_ = (old); \
       __atomic_compare_exchange_n(p, &seen_, new, false, __ATOMIC_SEQ_CST, \
                                   __ATOMIC_SEQ_CST); \
       seen_; })

#define xchg(p, new) \
    (kernel_pause(), __atomic_exchange_n(p, new, __ATOMIC_SEQ_CST))
/* Writes before it come before reads after it. */
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)

typedef struct { long value; } atomic_long_t;
#define atomic_long_inc(a) \
    __atomic_fetch_add(&(a)->value, 1, __ATOMIC_RELAXED)
#define atomic_long_read(a) READ_ONCE((a)->value)

/* Bitmaps, of which others may read at any time */

static inline bool bit_is_set(const unsigned long *map, unsigned long i)
{
    return READ_ONCE(map[i / BITS_PER_LONG]) >> i % BITS_PER_LONG & 1;
}

static inline unsigned long find_bit(const unsigned long *map,
                                     unsigned long size, unsigned long i,
                                     bool set)
{
    while (i < size && bit_is_set(map, i) != set) {
        i++;
    }
    return i < size ? i : size;
}

#define find_next_bit(map, size, i) find_bit(map, size, i, true)
#define find_next_zero_bit(map, size, i) find_bit(map, size, i, false)
#define find_first_zero_bit(map, size) find_bit(map, size, 0, false)
#define for_each_set_bit(i, map, size) \
    for ((i) = find_next_bit(map, size, 0); (i) < (size); \
         (i) = find_next_bit(map, size, (i) + 1))

static inline void put_bits(unsigned long *map, unsigned long i,
                            unsigned long n, bool set)
{
    for (; n; i++, n--) {
        unsigned long *word = &map[i / BITS_PER_LONG];
        unsigned long bit = BIT(i % BITS_PER_LONG);

        WRITE_ONCE(*word, set ? *word | bit : *word & ~bit);
    }
}

#define bitmap_set(map, i, n) put_bits(map, i, n, true)
#define bitmap_clear(map, i, n) put_bits(map, i, n, false)
#define __set_bit(i, map) put_bits(map, i, 1, true)
#define __clear_bit(i, map) put_bits(map, i, 1, false)
#define bitmap_zalloc(n, gfp) \
    ((unsigned long *)kernel_alloc(DIV_ROUND_UP(n, BITS_PER_LONG), \
                                   sizeof(long)))
#define bitmap_free(map) free(map)

static inline unsigned long
bitmap_find_next_zero_area_off(const unsigned long *map, unsigned long size,
                               unsigned long start, unsigned n,
                               unsigned long mask, unsigned long offset)
{
    unsigned long end;

    for (;; start = end + 1) {
        start = find_next_zero_bit(map, size, start);
        start = ((start + offset + mask) & ~mask) - offset;
        if (start + n > size) {
            return size + 1;
        }
        end = find_next_bit(map, start + n, start);
        if (end == start + n) {
            return start;
        }
    }
}

/* Lists, of which others may ask at any time whether they are empty */

struct list_head { struct list_head *next, *prev; };

static inline void INIT_LIST_HEAD(struct list_head *head)
{
    WRITE_ONCE(head->next, head);
    head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
    return READ_ONCE(head->next) == head;
}

static inline void list_add(struct list_head *link, struct list_head *head)
{
    link->next = head->next;
    link->prev = head;
    head->next->prev = link;
    WRITE_ONCE(head->next, link);
}

static inline void list_del(struct list_head *link)
{
    link->next->prev = link->prev;
    WRITE_ONCE(link->prev->next, link->next);
}

static inline void list_del_init(struct list_head *link)
{
    list_del(link);
    INIT_LIST_HEAD(link);
}

#define list_first_entry_or_null(head, type, member) \
    (list_empty(head) ? NULL : container_of((head)->next, type, member))

/* Memory */

#define GFP_KERNEL 0
#define GFP_ATOMIC 1
#define __GFP_NOWARN 0

/* One of so many allocations that may not wait fails; 0: none. */
extern unsigned kernel_failures;
/* After so many more allocations one fails, whatever it is; 0: none. */
extern unsigned kernel_fails_in;

static inline void *kernel_alloc(size_t n, size_t size)
{
    unsigned left = READ_ONCE(kernel_fails_in);

    if (left) {
        WRITE_ONCE(kernel_fails_in, left - 1);
    }
    return left == 1 ? NULL : calloc(n, size);
}

static inline void *kzalloc(size_t size, int gfp)
{
    static __thread unsigned count;
    unsigned failures = READ_ONCE(kernel_failures);

    if (gfp == GFP_ATOMIC && failures && ++count % failures == 0) {
        return NULL;
    }
    return kernel_alloc(1, size);
}

#define kvcalloc(n, size, gfp) kernel_alloc(n, size)
#define kfree(p) free(p)
#define kvfree(p) free(p)

/* CPUs */

#define KERNEL_CPUS 4
extern __thread unsigned kernel_cpu;

#define num_online_cpus() KERNEL_CPUS
#define for_each_possible_cpu(cpu) \
    for ((cpu) = 0; (cpu) < KERNEL_CPUS; (cpu)++)
/* Between what one CPU has and what the next one has */
#define KERNEL_STRIDE (32 * 1024UL)
#define SMP_CACHE_BYTES 64
#define __alloc_percpu(size, align) \
    ((size) > KERNEL_STRIDE ? NULL : kernel_alloc(KERNEL_CPUS, KERNEL_STRIDE))
#define alloc_percpu(type) ((type *)__alloc_percpu(sizeof(type), 0))
#define free_percpu(p) free(p)
#define per_cpu_ptr(p, cpu) \
    ((__typeof__(p))((char *)(p) + (cpu) * KERNEL_STRIDE))
#define raw_cpu_ptr(p) per_cpu_ptr(p, kernel_cpu)
#define this_cpu_add(x, n) \
    __atomic_fetch_add(raw_cpu_ptr(&(x)), n, __ATOMIC_RELAXED)

/* Locks */

typedef pthread_mutex_t spinlock_t;
#define spin_lock_init(lock) pthread_mutex_init(lock, NULL)
#define spin_lock_irqsave(lock, flags) \
    ((flags) = 0, kernel_lock(lock))
#define spin_unlock_irqrestore(lock, flags) \
    ((void)(flags), pthread_mutex_unlock(lock), kernel_pause())

static inline void kernel_lock(spinlock_t *lock)
{
    kernel_pause();
    pthread_mutex_lock(lock);
}

/* RCU: readers hold a lock; what is freed waits for a writer. */

struct rcu_head { struct rcu_head *next; void *memory; };
extern pthread_rwlock_t kernel_readers;
void kernel_free_later(struct rcu_head *head, void *memory);

#define rcu_read_lock() pthread_rwlock_rdlock(&kernel_readers)
#define rcu_read_unlock() pthread_rwlock_unlock(&kernel_readers)
#define rcu_read_lock_sched() rcu_read_lock()
#define rcu_read_unlock_sched() rcu_read_unlock()
#define kfree_rcu(p, member) kernel_free_later(&(p)->member, p)
#define rcu_dereference(p) smp_load_acquire(&(p))
#define rcu_dereference_check(p, condition) rcu_dereference(p)
#define rcu_dereference_protected(p, condition) (p)
#define rcu_assign_pointer(p, value) smp_store_release(&(p), value)
#define RCU_INIT_POINTER(p, value) WRITE_ONCE(p, value)

#endif
