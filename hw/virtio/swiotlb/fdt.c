/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Pools in a devicetree: "restricted-dma-pool", which Linux gives to the
 * devices that name it in "memory-region"
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "system/device_tree.h"
#include "hw/virtio/virtio-mmio.h"
#include "hw/virtio/swiotlb/pool.h"

#define PARENT "/reserved-memory"

static void describe_pool(void *fdt, VirtioDMAPool *pool)
{
    g_autofree char *path =
        g_strdup_printf(PARENT "/restricted-dma-pool@%" PRIx64, pool->base);

    pool->phandle = qemu_fdt_alloc_phandle(fdt);
    qemu_fdt_add_subnode(fdt, path);
    qemu_fdt_setprop_string(fdt, path, "compatible", "restricted-dma-pool");
    qemu_fdt_setprop_sized_cells(fdt, path, "reg", 2, pool->base,
                                 2, pool->size);
    qemu_fdt_setprop_cell(fdt, path, "phandle", pool->phandle);
}

static int describe_transport(Object *obj, void *fdt)
{
    g_auto(GStrv) nodes = NULL;
    g_autofree char *path = NULL;
    VirtIOMMIOProxy *proxy;

    if (!object_dynamic_cast(obj, TYPE_VIRTIO_MMIO)) {
        return 0;
    }
    proxy = VIRTIO_MMIO(obj);
    path = g_strdup_printf("/virtio_mmio@%" PRIx64,
                           SYS_BUS_DEVICE(proxy)->mmio[0].addr);
    /* Some machines leave transports out that have no device. */
    nodes = qemu_fdt_node_path(fdt, NULL, "virtio,mmio", &error_fatal);
    if (proxy->swiotlb.pool &&
        g_strv_contains((const char *const *)nodes, path)) {
        qemu_fdt_setprop_cell(fdt, path, "memory-region",
                              proxy->swiotlb.pool->phandle);
    }
    return 0;
}

/* What Linux does for a device that has no node of its own */
static void describe_host_bridge(void *fdt, VirtioDMAPool *pool)
{
    g_auto(GStrv) nodes = qemu_fdt_node_path(fdt, NULL,
                                             "pci-host-ecam-generic",
                                             &error_fatal);

    for (char **path = nodes; *path; path++) {
        qemu_fdt_setprop_cell(fdt, *path, "memory-region", pool->phandle);
    }
}

void swiotlb_describe_pools(void *fdt)
{
    VirtioDMAPool *pool;

    if (QSIMPLEQ_EMPTY(&swiotlb_pools)) {
        return;
    }
    qemu_fdt_add_subnode(fdt, PARENT);
    qemu_fdt_setprop_cell(fdt, PARENT, "#address-cells", 2);
    qemu_fdt_setprop_cell(fdt, PARENT, "#size-cells", 2);
    qemu_fdt_setprop(fdt, PARENT, "ranges", NULL, 0);
    QSIMPLEQ_FOREACH(pool, &swiotlb_pools, next) {
        describe_pool(fdt, pool);
        if (pool->pci) {
            describe_host_bridge(fdt, pool);
        }
    }
    object_child_foreach_recursive(object_get_root(), describe_transport, fdt);
}
