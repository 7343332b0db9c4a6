/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the guest's module makes of a device's capabilities, in a process
 */

#include <glib.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include "kernel.h"
#include "capability.h"

#define MIB 0x100000ull
#define BAR_SIZE (64 * MIB)

#define COMMON 0x40
#define NOTIFY 0x50
#define MSIX 0x64
#define SHARED 0x70
#define WINDOW 0x88
#define LAST 0xe8

#define CAP(field) (offsetof(struct virtio_pci_cap64, field))

typedef unsigned __int128 Wide;

static void put(u8 *config, unsigned at, unsigned bytes, u64 value)
{
    for (; bytes; bytes--, value >>= 8) {
        config[at++] = value;
    }
}

static void put_offset(u8 *config, unsigned cap, u64 offset)
{
    put(config, cap + CAP(cap.offset), 4, offset);
    put(config, cap + CAP(offset_hi), 4, offset >> 32);
}

static void put_length(u8 *config, unsigned cap, u64 length)
{
    put(config, cap + CAP(cap.length), 4, length);
    put(config, cap + CAP(length_hi), 4, length >> 32);
}

static void put_cap(u8 *config, unsigned at, unsigned next, u8 len, u8 type,
                    u8 bar)
{
    config[at] = PCI_CAP_ID_VNDR;
    config[at + CAP(cap.cap_next)] = next;
    config[at + CAP(cap.cap_len)] = len;
    config[at + CAP(cap.cfg_type)] = type;
    config[at + CAP(cap.bar)] = bar;
}

/*
 * A device as it should be. BAR 0: I/O; 1: MSI-X; 2 and 3: the window; 4 and
 * 5: registers. Just as large as it is, so that a sanitizer sees its ends.
 */
static u8 *device_new(void)
{
    u8 *config = g_malloc0(VSW_CONFIG_SIZE);

    config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
    config[PCI_CAPABILITY_LIST] = COMMON;
    put(config, PCI_BASE_ADDRESS_0, 4, 0xc001);
    put(config, PCI_BASE_ADDRESS_1, 4, 0xfe000000);
    put(config, PCI_BASE_ADDRESS_2, 8, 0x80000000cull);
    put(config, PCI_BASE_ADDRESS_4, 8, 0x90000000cull);

    put_cap(config, COMMON, NOTIFY, 16, VIRTIO_PCI_CAP_COMMON_CFG, 4);
    put(config, COMMON + CAP(cap.length), 4, 0x1000);
    put_cap(config, NOTIFY, MSIX, 20, VIRTIO_PCI_CAP_NOTIFY_CFG, 4);
    put(config, NOTIFY + CAP(cap.offset), 4, 0x3000);
    put(config, NOTIFY + CAP(cap.length), 4, 0x1000);

    config[MSIX] = PCI_CAP_ID_MSIX;
    config[MSIX + PCI_CAP_LIST_NEXT] = SHARED;
    put(config, MSIX + PCI_MSIX_FLAGS, 2, 256 - 1);
    put(config, MSIX + PCI_MSIX_TABLE, 4, 0x4000 | 1);
    put(config, MSIX + PCI_MSIX_PBA, 4, 0x8000 | 1);

    put_cap(config, SHARED, WINDOW, 24, VIRTIO_PCI_CAP_SHARED_MEMORY_CFG, 4);
    put_offset(config, SHARED, 1ull << 32);
    put_length(config, SHARED, 1ull << 32);
    put_cap(config, WINDOW, 0, 24, VIRTIO_PCI_CAP_SWIOTLB, 2);
    put_length(config, WINDOW, BAR_SIZE);
    return config;
}

static void move_window(u8 *config, unsigned to)
{
    memmove(config + to, config + WINDOW, MIN(24, VSW_CONFIG_SIZE - to));
    config[WINDOW] = 0;
    config[SHARED + CAP(cap.cap_next)] = to;
}

static void test_window_of_a_good_device_is_found(void)
{
    g_autofree u8 *config = device_new();
    struct vsw_range window;
    struct vsw_fault fault;

    g_assert_true(vsw_capability_exists(config));
    g_assert_true(vsw_capability_read(config, &window, &fault));
    g_assert_cmpuint(window.bar, ==, 2);
    g_assert_cmpuint(window.offset, ==, 0);
    g_assert_cmpuint(window.size, ==, BAR_SIZE);
    g_assert_true(vsw_capability_fits(&window, BAR_SIZE, &fault));

    put_offset(config, WINDOW, 0x123456789000);
    put_length(config, WINDOW, 0xabcdef0123000);
    g_assert_true(vsw_capability_read(config, &window, &fault));
    g_assert_cmpuint(window.offset, ==, 0x123456789000);
    g_assert_cmpuint(window.size, ==, 0xabcdef0123000);

    move_window(config, VSW_CONFIG_SIZE - 24);
    g_assert_true(vsw_capability_read(config, &window, &fault));
}

static void test_other_devices_have_none(void)
{
    g_autofree u8 *config = device_new();

    config[PCI_STATUS] = 0;
    g_assert_false(vsw_capability_exists(config));
    config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
    config[WINDOW] = PCI_CAP_ID_EXP;
    g_assert_false(vsw_capability_exists(config));
    config[WINDOW] = PCI_CAP_ID_VNDR;
    config[WINDOW + CAP(cap.cfg_type)] = VIRTIO_PCI_CAP_PCI_CFG;
    g_assert_false(vsw_capability_exists(config));
    /* One that is gone */
    memset(config, 0xff, VSW_CONFIG_SIZE);
    g_assert_false(vsw_capability_exists(config));
}

static void test_registers_are_found(void)
{
    g_autofree u8 *config = device_new();
    struct vsw_range range;

    g_assert_true(vsw_capability_structure(config, VIRTIO_PCI_CAP_NOTIFY_CFG,
                                           &range));
    g_assert_cmpuint(range.bar, ==, 4);
    g_assert_cmpuint(range.offset, ==, 0x3000);
    g_assert_cmpuint(range.size, ==, 0x1000);
    g_assert_false(vsw_capability_structure(config, VIRTIO_PCI_CAP_ISR_CFG,
                                            &range));
    config[NOTIFY + CAP(cap.bar)] = 6;
    g_assert_false(vsw_capability_structure(config, VIRTIO_PCI_CAP_NOTIFY_CFG,
                                            &range));
    config[NOTIFY + CAP(cap.bar)] = 4;
    config[NOTIFY + CAP(cap.cap_len)] = 15;
    g_assert_false(vsw_capability_structure(config, VIRTIO_PCI_CAP_NOTIFY_CFG,
                                            &range));
    config[SHARED + CAP(cap.cap_len)] = 23;
    g_assert_false(vsw_capability_structure(
        config, VIRTIO_PCI_CAP_SHARED_MEMORY_CFG, &range));
}

static void assert_fault(const u8 *config, const char *field, u64 value,
                         const char *reason)
{
    struct vsw_range window;
    struct vsw_fault fault = {};

    g_assert_true(vsw_capability_exists(config));
    g_assert_false(vsw_capability_read(config, &window, &fault));
    g_assert_cmpstr(fault.field, ==, field);
    g_assert_cmphex(fault.value, ==, value);
    g_assert_cmpstr(fault.reason, ==, reason);
}

static void test_two_windows_are_refused(void)
{
    g_autofree u8 *config = device_new();

    config[SHARED + CAP(cap.cfg_type)] = VIRTIO_PCI_CAP_SWIOTLB;
    assert_fault(config, "cfg_type", 10, "more than one capability has it");
    /* Also when the second is the same as the first, or none */
    memcpy(config + SHARED + CAP(cap.cap_len), config + WINDOW +
           CAP(cap.cap_len), 22);
    assert_fault(config, "cfg_type", 10, "more than one capability has it");
    config[SHARED + CAP(cap.cap_len)] = 0;
    assert_fault(config, "cfg_type", 10, "more than one capability has it");
}

static void test_window_that_has_gone_meanwhile_is_refused(void)
{
    g_autofree u8 *config = device_new();
    struct vsw_range window;
    struct vsw_fault fault = {};

    config[WINDOW] = 0;
    g_assert_false(vsw_capability_read(config, &window, &fault));
    g_assert_cmpstr(fault.reason, ==, "no capability has it any more");
}

static void test_truncated_capability_is_refused(void)
{
    g_autofree u8 *config = device_new();

    for (unsigned len = 0; len < 24; len++) {
        config[WINDOW + CAP(cap.cap_len)] = len;
        assert_fault(config, "cap_len", len, "24 is the least");
    }
    for (unsigned len = VSW_CONFIG_SIZE - WINDOW + 1; len < 256; len++) {
        config[WINDOW + CAP(cap.cap_len)] = len;
        assert_fault(config, "cap_len", len,
                     "configuration space ends before");
    }
    config[WINDOW + CAP(cap.cap_len)] = 24;
    config[WINDOW + CAP(cap.cap_next)] = WINDOW + 20;
    assert_fault(config, "cap_len", 24,
                 "another capability begins before its end");
    config[WINDOW + CAP(cap.cap_next)] = 0;
    for (unsigned at = LAST + 4; at < VSW_CONFIG_SIZE; at += 4) {
        g_autofree u8 *other = device_new();

        move_window(other, at);
        assert_fault(other, "cap_len", 24, "configuration space ends before");
    }
}

static void test_wrong_bar_is_refused(void)
{
    g_autofree u8 *config = device_new();
    u8 *bar = config + WINDOW + CAP(cap.bar);

    for (unsigned i = 6; i < 256; i++) {
        *bar = i;
        assert_fault(config, "bar", i, "5 is the last");
    }
    *bar = 0;
    assert_fault(config, "bar", 0, "that is an I/O BAR");
    *bar = 3;
    assert_fault(config, "bar", 3, "that is the upper half of a 64-bit BAR");
    *bar = 5;
    assert_fault(config, "bar", 5, "that is the upper half of a 64-bit BAR");
}

static void test_wrong_length_is_refused(void)
{
    static const u64 small[] = { 0, 1, 0xfff, 0x1000, MIB - 0x1000, MIB - 1 };
    static const u64 odd[] = { MIB + 1, MIB + 0x800, 1ull << 63 | 1, ~0ull };
    g_autofree u8 *config = device_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(small); i++) {
        put_length(config, WINDOW, small[i]);
        assert_fault(config, "length", small[i], "0x100000 is the least");
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(odd); i++) {
        put_length(config, WINDOW, odd[i]);
        assert_fault(config, "length", odd[i],
                     "it has to be a multiple of 0x1000");
    }
}

static void test_window_off_a_page_is_refused(void)
{
    static const u64 odd[] = { 1, 0x40, 0xfff, 0x1800, ~0ull };
    g_autofree u8 *config = device_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(odd); i++) {
        put_offset(config, WINDOW, odd[i]);
        assert_fault(config, "offset", odd[i],
                     "it has to be a multiple of 0x1000");
    }
}

static void test_registers_in_the_window_are_refused(void)
{
    static const char said[] = "registers of the device lie in the window";
    static const unsigned types[] = { 1, 2, 3, 4 };
    g_autofree u8 *config = device_new();

    put_offset(config, WINDOW, 16 * MIB);
    put_length(config, WINDOW, MIB);
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        struct vsw_range window;
        struct vsw_fault fault;

        put_cap(config, NOTIFY, MSIX, 20, types[i], 2);
        put(config, NOTIFY + CAP(cap.length), 4, 0x1000);
        put(config, NOTIFY + CAP(cap.offset), 4, 16 * MIB);
        assert_fault(config, "offset", 16 * MIB, said);
        put(config, NOTIFY + CAP(cap.offset), 4, 17 * MIB - 1);
        assert_fault(config, "offset", 16 * MIB, said);
        put(config, NOTIFY + CAP(cap.offset), 4, 16 * MIB - 0xfff);
        assert_fault(config, "offset", 16 * MIB, said);

        put(config, NOTIFY + CAP(cap.offset), 4, 17 * MIB);
        g_assert_true(vsw_capability_read(config, &window, &fault));
        put(config, NOTIFY + CAP(cap.offset), 4, 16 * MIB - 0x1000);
        g_assert_true(vsw_capability_read(config, &window, &fault));
        put(config, NOTIFY + CAP(cap.offset), 4, 16 * MIB);
        config[NOTIFY + CAP(cap.bar)] = 1;
        g_assert_true(vsw_capability_read(config, &window, &fault));
        /* Registers that are none */
        config[NOTIFY + CAP(cap.bar)] = 2;
        put(config, NOTIFY + CAP(cap.offset), 4, 16 * MIB + 0x1000);
        put(config, NOTIFY + CAP(cap.length), 4, 0);
        g_assert_true(vsw_capability_read(config, &window, &fault));
    }

    /* Shared memory, here to the end of all addresses and beyond */
    config[SHARED + CAP(cap.bar)] = 2;
    put_offset(config, SHARED, 16 * MIB);
    put_length(config, SHARED, ~0ull);
    assert_fault(config, "offset", 16 * MIB, said);
    put_offset(config, SHARED, -MIB);
    put_offset(config, WINDOW, -2 * MIB);
    put_length(config, WINDOW, 4 * MIB);
    assert_fault(config, "offset", -2 * MIB, said);
}

static void test_msix_in_the_window_is_refused(void)
{
    static const char said[] = "the MSI-X table lies in the window";
    g_autofree u8 *config = device_new();
    struct vsw_range window;
    struct vsw_fault fault;

    put_offset(config, WINDOW, 0x1000);
    put_length(config, WINDOW, MIB);
    put(config, MSIX + PCI_MSIX_TABLE, 4, 0x4000 | 2);
    assert_fault(config, "offset", 0x1000, said);
    /* 256 vectors have 4 KiB: up to the window, and one more */
    put(config, MSIX + PCI_MSIX_TABLE, 4, 0 | 2);
    g_assert_true(vsw_capability_read(config, &window, &fault));
    put(config, MSIX + PCI_MSIX_FLAGS, 2, 0xc000 | (256 - 1));
    g_assert_true(vsw_capability_read(config, &window, &fault));
    put(config, MSIX + PCI_MSIX_FLAGS, 2, 257 - 1);
    assert_fault(config, "offset", 0x1000, said);
    put(config, MSIX + PCI_MSIX_FLAGS, 2, 256 - 1);
    put(config, MSIX + PCI_MSIX_PBA, 4, (MIB + 0xff8) | 2);
    assert_fault(config, "offset", 0x1000, said);
    put(config, MSIX + PCI_MSIX_PBA, 4, (MIB + 0x1000) | 2);
    g_assert_true(vsw_capability_read(config, &window, &fault));
    /* One that configuration space cuts off */
    config[WINDOW + CAP(cap.cap_next)] = VSW_CONFIG_SIZE - 8;
    config[VSW_CONFIG_SIZE - 8] = PCI_CAP_ID_MSIX;
    g_assert_true(vsw_capability_read(config, &window, &fault));
}

static void test_list_that_runs_in_a_circle_ends(void)
{
    g_autofree u8 *config = device_new();
    struct vsw_range window;
    struct vsw_fault fault;

    config[WINDOW + CAP(cap.cap_next)] = COMMON;
    g_assert_true(vsw_capability_exists(config));
    g_assert_true(vsw_capability_read(config, &window, &fault));
    config[COMMON + CAP(cap.cap_next)] = COMMON;
    g_assert_false(vsw_capability_exists(config));
    g_assert_false(vsw_capability_structure(config, VIRTIO_PCI_CAP_ISR_CFG,
                                            &window));
}

static void test_window_beyond_its_bar_is_refused(void)
{
    static const struct {
        u64 offset, size;
        const char *field;
    } cases[] = {
        { 0, BAR_SIZE + 0x1000, "length" },
        { 0, 1ull << 63, "length" },
        { 0, -0x1000ull, "length" },
        { 0x1000, BAR_SIZE, "length" },
        { BAR_SIZE - MIB + 0x1000, MIB, "length" },
        /* These have an end inside the BAR, or at its end, modulo 2^64. */
        { MIB, -0x1000ull, "length" },
        { BAR_SIZE - 0x1000, -(BAR_SIZE - 0x1000), "length" },
        { -MIB, MIB, "offset" },
        { -MIB, 2 * MIB, "offset" },
        { -0x1000ull, BAR_SIZE, "offset" },
        { BAR_SIZE, MIB, "offset" },
    };
    struct vsw_fault fault;

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct vsw_range window = { 2, cases[i].offset, cases[i].size };

        g_assert_false(vsw_capability_fits(&window, BAR_SIZE, &fault));
        g_assert_cmpstr(fault.field, ==, cases[i].field);
    }
    /* A BAR that is not there */
    g_assert_false(vsw_capability_fits(&(struct vsw_range) { 2, 0, MIB }, 0,
                                       &fault));
}

static u64 edge(GRand *rand)
{
    static const u64 near[] = { 0, MIB, BAR_SIZE, 1ull << 32, 1ull << 63 };
    u64 value = near[g_rand_int_range(rand, 0, G_N_ELEMENTS(near))];

    return value + 0x1000ll * g_rand_int_range(rand, -3, 4);
}

static bool overlap(u64 a, u64 a_size, u64 b, u64 b_size)
{
    return a_size && b_size && a < (Wide)b + b_size && b < (Wide)a + a_size;
}

/* What is accepted is right, by sums that do not wrap. */
static void check_accepted(const u8 *config, const struct vsw_range *window,
                           u64 bar_size)
{
    struct vsw_range other;

    g_assert_cmpuint(window->bar, <, 6);
    g_assert_cmpuint(window->size, >=, MIB);
    g_assert_cmpuint((window->size | window->offset) % 0x1000, ==, 0);
    g_assert_true((Wide)window->offset + window->size <= bar_size);
    for (unsigned type = 0; type < 256; type++) {
        if (vsw_capability_structure(config, type, &other) &&
            other.bar == window->bar) {
            g_assert_false(overlap(window->offset, window->size,
                                   other.offset, other.size));
        }
    }
}

static void test_what_is_accepted_is_right(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    unsigned accepted = 0;

    for (unsigned i = 0; i < 500000; i++) {
        g_autofree u8 *config = device_new();
        struct vsw_range window;
        struct vsw_fault fault;
        u64 size = edge(rand);

        put_offset(config, WINDOW, edge(rand));
        put_length(config, WINDOW, edge(rand));
        put_offset(config, SHARED, edge(rand));
        put_length(config, SHARED, edge(rand));
        config[SHARED + CAP(cap.bar)] = g_rand_boolean(rand) ? 2 : 4;
        for (int n = g_rand_int_range(rand, 0, 4); n; n--) {
            config[g_rand_int_range(rand, 0, VSW_CONFIG_SIZE)] =
                g_rand_int_range(rand, 0, 256);
        }
        if (vsw_capability_read(config, &window, &fault) &&
            vsw_capability_fits(&window, size, &fault)) {
            check_accepted(config, &window, size);
            accepted++;
        }
    }
    g_assert_cmpuint(accepted, >, 1000);
}

static void test_noise_does_no_harm(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);

    for (unsigned i = 0; i < 100000; i++) {
        g_autofree u8 *config = g_malloc(VSW_CONFIG_SIZE);
        struct vsw_range window;
        struct vsw_fault fault;

        for (unsigned at = 0; at < VSW_CONFIG_SIZE; at++) {
            config[at] = g_rand_int_range(rand, 0, 256);
        }
        config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
        /* A quarter of all bytes are such as lists are made of. */
        for (unsigned at = PCI_CAPABILITY_LIST; at < VSW_CONFIG_SIZE; at += 4) {
            config[at] = PCI_CAP_ID_VNDR;
        }
        config[PCI_CAPABILITY_LIST] = COMMON;
        vsw_capability_exists(config);
        if (!vsw_capability_read(config, &window, &fault)) {
            g_assert_nonnull(fault.reason);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/capability/" #name, test_##name)
    ADD(window_of_a_good_device_is_found);
    ADD(other_devices_have_none);
    ADD(registers_are_found);
    ADD(two_windows_are_refused);
    ADD(window_that_has_gone_meanwhile_is_refused);
    ADD(truncated_capability_is_refused);
    ADD(wrong_bar_is_refused);
    ADD(wrong_length_is_refused);
    ADD(window_off_a_page_is_refused);
    ADD(registers_in_the_window_are_refused);
    ADD(msix_in_the_window_is_refused);
    ADD(list_that_runs_in_a_circle_ends);
    ADD(window_beyond_its_bar_is_refused);
    ADD(what_is_accepted_is_right);
    ADD(noise_does_no_harm);
    return g_test_run();
}
