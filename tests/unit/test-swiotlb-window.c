/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The DMA rule: what lies inside a window
 */

#include "qemu/osdep.h"
#include "qemu/units.h"
#include "hw/virtio/swiotlb/window.h"

#define RANDOM_CASES 10000000

typedef struct Case {
    const char *name;
    uint64_t base;
    uint64_t size;
    uint64_t addr;
    uint64_t len;
    bool inside;
} Case;

#define BASE 0x100000000ULL
#define SIZE (1 * MiB)
/* The highest place a window can have */
#define TOP (0 - SIZE)

static const Case cases[] = {
    { "whole window", BASE, SIZE, BASE, SIZE, true },
    { "first byte", BASE, SIZE, BASE, 1, true },
    { "last byte", BASE, SIZE, BASE + SIZE - 1, 1, true },
    { "middle", BASE, SIZE, BASE + 4096, 4096, true },
    { "byte before", BASE, SIZE, BASE - 1, 1, false },
    { "byte behind", BASE, SIZE, BASE + SIZE, 1, false },
    { "straddles the start", BASE, SIZE, BASE - 1, 2, false },
    { "straddles the end", BASE, SIZE, BASE + SIZE - 1, 2, false },
    { "covers the window and more", BASE, SIZE, BASE - 1, SIZE + 2, false },
    { "one byte too long", BASE, SIZE, BASE, SIZE + 1, false },
    { "empty at the start", BASE, SIZE, BASE, 0, true },
    { "empty at the end", BASE, SIZE, BASE + SIZE, 0, true },
    { "empty before", BASE, SIZE, BASE - 1, 0, false },
    { "empty behind", BASE, SIZE, BASE + SIZE + 1, 0, false },
    { "address zero", BASE, SIZE, 0, 1, false },
    { "empty at address zero", BASE, SIZE, 0, 0, false },
    { "highest address", BASE, SIZE, UINT64_MAX, 1, false },
    { "length 2^32 - 1", BASE, SIZE, BASE, UINT32_MAX, false },
    { "length 2^32 - 1 fits", BASE, 4 * GiB, BASE, UINT32_MAX, true },
    { "length 2^32 - 1 ends with the window", BASE, 4 * GiB, BASE + 1,
      UINT32_MAX, true },
    { "length 2^32 - 1 straddles", BASE, 4 * GiB, BASE + 2, UINT32_MAX,
      false },
    { "length 2^64 - 1", BASE, SIZE, BASE, UINT64_MAX, false },
    { "length 2^64 - 1 from zero", BASE, SIZE, 0, UINT64_MAX, false },
    { "wraps to the start", BASE, SIZE, BASE + 1, UINT64_MAX, false },
    { "wraps from behind", BASE, SIZE, UINT64_MAX, BASE + 2, false },
    { "wraps to the end", BASE, SIZE, BASE + SIZE, 0 - SIZE, false },
    { "window at zero", 0, SIZE, 0, SIZE, true },
    { "window at zero, highest address", 0, SIZE, UINT64_MAX, 1, false },
    { "window at zero, wraps in", 0, SIZE, UINT64_MAX, 2, false },
    { "window at the top", TOP, SIZE, TOP, SIZE, true },
    { "window at the top, last byte", TOP, SIZE, UINT64_MAX, 1, true },
    { "window at the top, wraps out", TOP, SIZE, UINT64_MAX, 2, false },
    { "window at the top, empty at zero", TOP, SIZE, 0, 0, false },
    { "closed", SWIOTLB_CLOSED, SIZE, BASE, 1, false },
    { "closed, highest address", SWIOTLB_CLOSED, SIZE, UINT64_MAX, 1, false },
    { "closed, empty", SWIOTLB_CLOSED, SIZE, UINT64_MAX, 0, false },
    { "no window", 0, 0, 0, 1, false },
};

static void access_is_inside_iff_all_of_it_is(gconstpointer data)
{
    const Case *c = data;
    SwiotlbWindow window;
    uint64_t offset = 42;

    swiotlb_window_init(&window, c->size);
    swiotlb_window_move(&window, c->base);
    g_assert_cmpint(swiotlb_window_offset(&window, c->addr, c->len, &offset),
                    ==, c->inside);
    g_assert_cmphex(offset, ==, c->inside ? c->addr - c->base : 42);
}

/* The rule once more, in integers that cannot wrap */
static bool model_inside(uint64_t base, uint64_t size, uint64_t addr,
                         uint64_t len)
{
    unsigned __int128 first = addr, end = first + len;
    unsigned __int128 window_first = base, window_end = window_first + size;

    return base != SWIOTLB_CLOSED && first >= window_first && end <= window_end;
}

static uint64_t random_u64(GRand *rand)
{
    return (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
}

/* Values where a mistake would show, more often than any others */
static uint64_t random_near(GRand *rand, uint64_t base, uint64_t size)
{
    const uint64_t marks[] = {
        0, base, base + size, size, UINT32_MAX, 4096, 0 - size,
    };
    uint64_t mark = marks[g_rand_int_range(rand, 0, G_N_ELEMENTS(marks))];

    switch (g_rand_int_range(rand, 0, 4)) {
    case 0:
        return random_u64(rand);
    case 1:
        return mark + g_rand_int_range(rand, 0, SIZE);
    default:
        return mark + g_rand_int_range(rand, -3, 4);
    }
}

static void random_accesses_agree_with_big_integers(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_test_rand_int());
    uint32_t inside = 0;
    int i;

    for (i = 0; i < RANDOM_CASES; i++) {
        uint64_t size = SWIOTLB_MIN_SIZE << g_rand_int_range(rand, 0, 24);
        uint64_t base = random_u64(rand) & ~(size - 1);
        uint64_t addr, len, offset = 0;
        SwiotlbWindow window;
        bool expected;

        switch (g_rand_int_range(rand, 0, 16)) {
        case 0:
            base = SWIOTLB_CLOSED;
            break;
        case 1:
            base = 0;
            break;
        case 2:
            base = 0 - size;
            break;
        }
        addr = g_rand_boolean(rand) ? base + random_u64(rand) % size
                                    : random_near(rand, base, size);
        len = g_rand_boolean(rand) ? random_u64(rand) % size
                                   : random_near(rand, base, size);
        if (g_rand_boolean(rand)) {
            len = base + size - addr + g_rand_int_range(rand, -2, 3);
        }

        swiotlb_window_init(&window, size);
        swiotlb_window_move(&window, base);
        expected = model_inside(base, size, addr, len);
        if (swiotlb_window_offset(&window, addr, len, &offset) != expected ||
            (expected && offset != addr - base)) {
            g_error("base 0x%" PRIx64 " size 0x%" PRIx64 " addr 0x%" PRIx64
                    " len 0x%" PRIx64 ": expected %d", base, size, addr, len,
                    expected);
        }
        inside += expected;
    }

    g_test_message("%d cases, %u inside", RANDOM_CASES, inside);
    /* Both answers have to be common, or this proves little. */
    g_assert_cmpuint(inside, >, RANDOM_CASES / 20);
    g_assert_cmpuint(inside, <, RANDOM_CASES / 20 * 19);
}

static void window_is_closed_until_it_is_moved(void)
{
    SwiotlbWindow window;
    uint64_t offset;

    swiotlb_window_init(&window, SIZE);
    g_assert_false(swiotlb_window_offset(&window, 0, 1, &offset));
    g_assert_false(swiotlb_window_offset(&window, BASE, 1, &offset));
}

static void moved_window_leaves_its_old_place(void)
{
    SwiotlbWindow window;
    uint64_t offset = 0;

    swiotlb_window_init(&window, SIZE);
    g_assert_true(swiotlb_window_move(&window, BASE));
    g_assert_false(swiotlb_window_move(&window, BASE));
    g_assert_true(swiotlb_window_offset(&window, BASE + 5, 1, &offset));
    g_assert_cmphex(offset, ==, 5);

    g_assert_true(swiotlb_window_move(&window, BASE + SIZE));
    g_assert_false(swiotlb_window_offset(&window, BASE + 5, 1, &offset));
    g_assert_false(swiotlb_window_offset(&window, BASE + SIZE - 1, 2,
                                         &offset));
    g_assert_true(swiotlb_window_offset(&window, BASE + SIZE + 5, 1, &offset));
    g_assert_cmphex(offset, ==, 5);

    g_assert_true(swiotlb_window_move(&window, SWIOTLB_CLOSED));
    g_assert_false(swiotlb_window_offset(&window, BASE + SIZE + 5, 1,
                                         &offset));
}

static void size_is_a_power_of_two_of_one_mib_or_more(void)
{
    int i;

    g_assert_false(swiotlb_window_size_valid(0));
    g_assert_false(swiotlb_window_size_valid(SIZE - 1));
    g_assert_false(swiotlb_window_size_valid(SIZE + 1));
    g_assert_false(swiotlb_window_size_valid(3 * SIZE));
    g_assert_false(swiotlb_window_size_valid(UINT64_MAX));
    for (i = 0; i < 64; i++) {
        g_assert_cmpint(swiotlb_window_size_valid(1ULL << i), ==, i >= 20);
    }
}

int main(int argc, char **argv)
{
    int i;

    /* GLib prints the seed; --seed repeats a run. */
    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/swiotlb/window/%s",
                                                cases[i].name);

        g_test_add_data_func(path, &cases[i],
                             access_is_inside_iff_all_of_it_is);
    }
    g_test_add_func("/swiotlb/window/closed_until_moved",
                    window_is_closed_until_it_is_moved);
    g_test_add_func("/swiotlb/window/moved_leaves_old_place",
                    moved_window_leaves_its_old_place);
    g_test_add_func("/swiotlb/window/valid_sizes",
                    size_is_a_power_of_two_of_one_mib_or_more);
    g_test_add_func("/swiotlb/window/random_agrees_with_big_integers",
                    random_accesses_agree_with_big_integers);
    return g_test_run();
}
