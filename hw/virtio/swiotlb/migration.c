/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Migration and snapshots of a device that has a window
 *
 * The window's RAM travels like all RAM. Two sections of the stream are ours,
 * and only of devices that have a window:
 *  setup  what both sides have to be given alike. It comes before all RAM, so
 *         that a difference is told before anything is loaded.
 *  state  what the driver chose and where the window was. It comes before all
 *         PCI devices: device types restore requests that are under way when
 *         not all feature bits are known yet, and the driver may have moved the
 *         window away from under them.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/memfd.h"
#include "migration/cpr.h"
#include "migration/qemu-file.h"
#include "migration/vmstate.h"
#include "hw/virtio/virtio.h"
#include "hw/virtio/swiotlb/access.h"
#include "hw/virtio/swiotlb/dirty.h"
#include "trace.h"

#define SETUP_SECTION "swiotlb"
#define RAM_SECTION "ram"

static QLIST_HEAD(, SwiotlbMigration) devices =
    QLIST_HEAD_INITIALIZER(devices);

static const char *swiotlb_on_off(bool on)
{
    return on ? "on" : "off";
}

static bool swiotlb_setup_equal(const char *name, const SwiotlbSetup *ours,
                                const SwiotlbSetup *theirs, Error **errp)
{
    if (ours->memdev != theirs->memdev) {
        error_setg(errp, "swiotlb: %s: only %s has swiotlb-memdev; set it on "
                   "both sides or on neither", name,
                   ours->memdev ? "the destination" : "the source");
    } else if (ours->size != theirs->size) {
        error_setg(errp, "swiotlb: %s: the window has %" PRIu64 " bytes here "
                   "and %" PRIu64 " on the source; give both the same "
                   "swiotlb-size or backends of the same size", name,
                   ours->size, theirs->size);
    } else if (ours->bar != theirs->bar) {
        error_setg(errp, "swiotlb: %s: swiotlb-bar is %u here and %u on the "
                   "source; give both sides the same device type and "
                   "properties", name, ours->bar, theirs->bar);
    } else if (ours->required != theirs->required) {
        error_setg(errp, "swiotlb: %s: swiotlb-required is %s here and %s on "
                   "the source; set it the same on both sides", name,
                   swiotlb_on_off(ours->required),
                   swiotlb_on_off(theirs->required));
    } else {
        return true;
    }
    return false;
}

static int swiotlb_setup_pre_save(void *opaque)
{
    SwiotlbMigration *m = opaque;

    m->setup = m->ours;
    return 0;
}

static int swiotlb_setup_post_load(void *opaque, int version_id)
{
    SwiotlbMigration *m = opaque;
    Error *err = NULL;

    if (!swiotlb_setup_equal(m->device->name, &m->ours, &m->setup, &err)) {
        error_report_err(err);
        return -EINVAL;
    }
    m->compared = true;
    return 0;
}

static const VMStateDescription vmstate_swiotlb_setup = {
    .name = SETUP_SECTION,
    .version_id = 1,
    .minimum_version_id = 1,
    .priority = MIG_PRI_PCI_BUS,
    .early_setup = true,
    .pre_save = swiotlb_setup_pre_save,
    .post_load = swiotlb_setup_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64(setup.size, SwiotlbMigration),
        VMSTATE_UINT8(setup.bar, SwiotlbMigration),
        VMSTATE_BOOL(setup.required, SwiotlbMigration),
        VMSTATE_BOOL(setup.memdev, SwiotlbMigration),
        VMSTATE_END_OF_LIST()
    },
};

static int swiotlb_state_pre_save(void *opaque)
{
    SwiotlbMigration *m = opaque;
    SwiotlbDevice *s = m->device;
    uint64_t base = qatomic_read(&s->window.base);

    /* Only below a device that stopped can the window have moved. */
    if (base == SWIOTLB_CLOSED || s->vdev->broken) {
        base = s->last_base;
    }
    m->state = (SwiotlbState) {
        .base = base,
        .rejected = qatomic_read(&s->rejected),
        .phase = qatomic_read(&s->phase),
        .platform = virtio_vdev_has_feature(s->vdev, VIRTIO_F_IOMMU_PLATFORM),
    };
    return 0;
}

static bool swiotlb_state_valid(const SwiotlbDevice *s,
                                const SwiotlbState *state)
{
    if (state->base != SWIOTLB_CLOSED &&
        state->base & (s->window.size - 1)) {
        return false;
    }
    return state->phase <= (s->declined == SWIOTLB_DECLINED_ORDINARY ?
                            SWIOTLB_ORDINARY : SWIOTLB_UNDECIDED);
}

static int swiotlb_state_post_load(void *opaque, int version_id)
{
    SwiotlbMigration *m = opaque;
    SwiotlbDevice *s = m->device;

    if (!swiotlb_state_valid(s, &m->state)) {
        error_report("swiotlb: %s: the saved state is damaged: window at 0x%"
                     PRIx64 ", phase %u; save it again", s->name,
                     m->state.base, m->state.phase);
        return -EINVAL;
    }
    s->last_base = m->state.base;
    qatomic_set(&s->rejected, m->state.rejected);
    qatomic_set(&s->phase, m->state.phase);
    trace_swiotlb_load(s->name, m->state.base,
                       m->state.phase == SWIOTLB_ORDINARY);
    return 0;
}

static const VMStateDescription vmstate_swiotlb_state = {
    .name = "swiotlb-state",
    .version_id = 1,
    .minimum_version_id = 1,
    .priority = MIG_PRI_PCI_BUS,
    .pre_save = swiotlb_state_pre_save,
    .post_load = swiotlb_state_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64(state.base, SwiotlbMigration),
        VMSTATE_UINT64(state.rejected, SwiotlbMigration),
        VMSTATE_UINT8(state.phase, SwiotlbMigration),
        VMSTATE_BOOL(state.platform, SwiotlbMigration),
        VMSTATE_END_OF_LIST()
    },
};

bool swiotlb_section_fits(const char *idstr, bool known, Error **errp)
{
    SwiotlbMigration *m;
    Error *err = NULL;

    if (!known && g_str_has_suffix(idstr, "/" SETUP_SECTION)) {
        error_setg(&err, "swiotlb: the source has a device with a window at "
                   "%.*s, and there is none here; set swiotlb=on here too, or "
                   "start the source with swiotlb=off",
                   (int)(strlen(idstr) - strlen("/" SETUP_SECTION)), idstr);
    } else if (g_str_equal(idstr, RAM_SECTION)) {
        QLIST_FOREACH(m, &devices, next) {
            if (!m->compared && !err) {
                error_setg(&err, "swiotlb: %s: the source's device has no "
                           "window; set swiotlb=off here, or start the source "
                           "with swiotlb=on", m->device->name);
            }
            m->compared = false;
        }
    }
    if (!err) {
        return true;
    }
    if (errp) {
        error_propagate(errp, err);
    } else {
        error_report_err(err);
    }
    return false;
}

ram_addr_t swiotlb_dirty_offset(RAMBlock *block)
{
    return QLIST_EMPTY(&devices) ? 0 : qemu_ram_get_offset(block);
}

static void *swiotlb_restore_ordinary(SwiotlbDevice *s, dma_addr_t addr,
                                      dma_addr_t *len, DMADirection direction,
                                      MemTxAttrs attrs)
{
    AddressSpace *as = s->migration.state.platform ? s->platform_as
                                                   : &address_space_memory;

    return dma_memory_map(as, addr, len, direction, attrs);
}

void *swiotlb_restore_map(VirtIODevice *vdev, dma_addr_t addr, dma_addr_t *len,
                          DMADirection direction, MemTxAttrs attrs)
{
    SwiotlbDevice *s = vdev->swiotlb;
    SwiotlbWindow window;
    uint64_t offset;

    if (!s) {
        return dma_memory_map(vdev->dma_as, addr, len, direction, attrs);
    }
    if (qatomic_read(&s->phase) == SWIOTLB_ORDINARY) {
        return swiotlb_restore_ordinary(s, addr, len, direction, attrs);
    }
    window = (SwiotlbWindow) { .base = s->last_base, .size = s->window.size };
    if (!*len || !swiotlb_window_offset(&window, addr, *len, &offset)) {
        *len = 0;
        return NULL;
    }
    memory_region_ref(s->ram);
    return s->all.ptr + offset;
}

void *swiotlb_restore_segment(VirtIODevice *vdev, struct iovec *segment,
                              dma_addr_t addr, dma_addr_t *len,
                              DMADirection direction, MemTxAttrs attrs)
{
    SwiotlbDevice *s = vdev->swiotlb;
    dma_addr_t wanted = *len;
    void *p = swiotlb_restore_map(vdev, addr, len, direction, attrs);

    if (!s) {
        return p;
    }
    swiotlb_buffer_keep(s, p);
    if (p && *len == wanted) {
        return p;
    }
    if (p) {
        swiotlb_buffer_unmap(vdev, &address_space_memory, p, *len, direction,
                             0);
    }
    if (!s->migration.damaged) {
        error_report("swiotlb: %s: the saved state is damaged: a request has "
                     "0x%" PRIx64 " bytes at 0x%" PRIx64 ", which the device "
                     "cannot reach; save it again", s->name, wanted, addr);
    }
    s->migration.damaged = true;
    /* Something that can be unmapped, and holds nothing */
    segment->iov_len = *len = 0;
    return s->all.ptr;
}

void swiotlb_saved(VirtIODevice *vdev, QEMUFile *f, uint32_t ndescs)
{
    if (vdev->swiotlb && virtio_host_has_feature(vdev, VIRTIO_F_RING_PACKED)) {
        qemu_put_be32(f, ndescs);
    }
}

void swiotlb_restored(VirtIODevice *vdev, QEMUFile *f)
{
    if (vdev->swiotlb && vdev->swiotlb->migration.damaged) {
        vdev->swiotlb->migration.damaged = false;
        qemu_file_set_error(f, -EINVAL);
    }
}

/* One place, one file: no device of another kind asks for this name. */
static char *swiotlb_cpr_name(DeviceState *dev)
{
    g_autofree char *path = qdev_get_dev_path(dev);

    return g_strconcat(SETUP_SECTION ":", path, NULL);
}

int swiotlb_migration_open_ram(DeviceState *dev, uint64_t size, Error **errp)
{
    g_autofree char *name = swiotlb_cpr_name(dev);
    int fd = cpr_is_incoming() ? cpr_find_fd(name, 0) : -1;

    if (fd >= 0) {
        return fd;
    }
    fd = qemu_memfd_create("swiotlb", size, false, 0,
                           F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL, errp);
    if (fd >= 0) {
        cpr_save_fd(name, 0, fd);
    }
    return fd;
}

void swiotlb_migration_forget_ram(DeviceState *dev)
{
    g_autofree char *name = swiotlb_cpr_name(dev);

    cpr_delete_fd(name, 0);
}

static bool swiotlb_migration_register(SwiotlbMigration *m, Error **errp)
{
    VMStateIf *obj = VMSTATE_IF(m->dev);

    return vmstate_register_with_alias_id(obj, VMSTATE_INSTANCE_ID_ANY,
                                          &vmstate_swiotlb_setup, m, -1, 0,
                                          errp) >= 0 &&
           vmstate_register_with_alias_id(obj, VMSTATE_INSTANCE_ID_ANY,
                                          &vmstate_swiotlb_state, m, -1, 0,
                                          errp) >= 0;
}

bool swiotlb_migration_init(SwiotlbDevice *s, DeviceState *dev,
                            const SwiotlbSetup *setup, Error **errp)
{
    SwiotlbMigration *m = &s->migration;
    RAMBlock *block = s->ram->ram_block;
    Error *err = NULL;

    *m = (SwiotlbMigration) { .device = s, .dev = dev, .ours = *setup };
    QLIST_INSERT_HEAD(&devices, m, next);
    /* The name of a backend may differ between the two sides. */
    qemu_ram_set_idstr(block, "swiotlb", dev);
    qemu_ram_set_migratable(block);
    ram_block_add_cpr_blocker(block, &err);
    if (err) {
        error_propagate(errp, err);
        return false;
    }
    return swiotlb_migration_register(m, errp);
}

void swiotlb_migration_cleanup(SwiotlbDevice *s)
{
    SwiotlbMigration *m = &s->migration;

    if (!m->dev) {
        return;
    }
    vmstate_unregister(VMSTATE_IF(m->dev), &vmstate_swiotlb_setup, m);
    vmstate_unregister(VMSTATE_IF(m->dev), &vmstate_swiotlb_state, m);
    vmstate_unregister_ram(s->ram, m->dev);
    QLIST_REMOVE(m, next);
    m->dev = NULL;
}
