/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * intel-iommu: legacy root and context tables, four levels of 4 KiB pages
 *
 * See the VT-d specification, chapters 9 (translation structures) and 11
 * (registers).
 */

#include "iommu.h"

#define REGISTERS 0xfed90000u
#define GLOBAL_COMMAND (REGISTERS + 0x18)
#define GLOBAL_STATUS (REGISTERS + 0x1c)
#define ROOT_TABLE (REGISTERS + 0x20)
/* Of command and status */
#define TRANSLATION_ENABLE (1u << 31)
#define SET_ROOT_TABLE (1u << 30)

#define PRESENT 1u
#define READ_WRITE 3u
#define FOUR_LEVELS 2u
#define DOMAIN_SHIFT 8
#define LEVEL_BITS 9
#define PAGE_BITS 12

static void command(Iommu *iommu, uint32_t bit)
{
    uint32_t before = qtest_read(iommu->qtest, GLOBAL_STATUS, 4);

    qtest_write(iommu->qtest, GLOBAL_COMMAND, 4,
                (before & TRANSLATION_ENABLE) | bit);
    if (!(qtest_read(iommu->qtest, GLOBAL_STATUS, 4) & bit)) {
        die("intel-iommu does not obey command 0x%x", bit);
    }
}

static uint64_t *entries(Area area)
{
    return (uint64_t *)area.host;
}

void intel_iommu_init(Iommu *iommu)
{
    Area root = arena_alloc(iommu->tables, PAGE);
    Area context = arena_alloc(iommu->tables, PAGE);
    /* Entries have two words; the function is 0. */
    int device = iommu->slot << 3;

    iommu->top = arena_alloc(iommu->tables, PAGE);
    entries(root)[0] = context.bus | PRESENT;
    entries(context)[device * 2] = iommu->top.bus | PRESENT;
    entries(context)[device * 2 + 1] = 1 << DOMAIN_SHIFT | FOUR_LEVELS;

    qtest_write(iommu->qtest, ROOT_TABLE, 8, root.bus);
    command(iommu, SET_ROOT_TABLE);
    command(iommu, TRANSLATION_ENABLE);
}

/* The table that an entry of another one leads to */
static Area next_table(Iommu *iommu, uint64_t *entry)
{
    Area next;

    if (*entry) {
        next.bus = *entry & ~(PAGE - 1);
        next.host = iommu->tables->start.host +
                    (next.bus - iommu->tables->start.bus);
        return next;
    }
    next = arena_alloc(iommu->tables, PAGE);
    *entry = next.bus | READ_WRITE;
    return next;
}

static uint64_t *entry_of(Area table, uint64_t bus, int level)
{
    int shift = PAGE_BITS + level * LEVEL_BITS;

    return &entries(table)[bus >> shift & ((1 << LEVEL_BITS) - 1)];
}

void intel_iommu_map(void *opaque, uint64_t bus, uint64_t offset, uint64_t len)
{
    Iommu *iommu = opaque;
    uint64_t done;
    int level;

    for (done = 0; done < len; done += PAGE) {
        Area table = iommu->top;

        for (level = 3; level > 0; level--) {
            table = next_table(iommu, entry_of(table, bus + done, level));
        }
        *entry_of(table, bus + done, 0) =
            (iommu->target + offset + done) | READ_WRITE;
    }
}
