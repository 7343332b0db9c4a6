/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * virtio-iommu: requests that attach the device to a domain and map its memory
 */

#include <linux/virtio_config.h>
#include <linux/virtio_iommu.h>
#include "iommu.h"

#define REQUEST_QUEUE 0
#define RING_SIZE 64
#define DOMAIN 1
#define NO_STATUS 0xff
#define WAIT_S 60

void virtio_iommu_free(Iommu *iommu)
{
    ring_free(&iommu->ring);
}

/* @len: of the request, whose last bytes the device writes */
static void ask(Iommu *iommu, const void *request, size_t len)
{
    size_t tail = sizeof(struct virtio_iommu_req_tail);
    uint8_t *status = iommu->request.host + len - tail;
    const Buffer buffers[] = {
        { iommu->request.bus, len - tail },
        { iommu->request.bus + len - tail, tail, true },
    };
    gint64 until = g_get_monotonic_time() + WAIT_S * G_USEC_PER_SEC;
    uint16_t slot;
    uint32_t written;

    memcpy(iommu->request.host, request, len);
    *status = NO_STATUS;
    iommu->ring.format->add(&iommu->ring, 0, buffers, 2);
    iommu->ring.format->publish(&iommu->ring);
    qtest_write(iommu->qtest, iommu->notify, 2, REQUEST_QUEUE);
    while (!iommu->ring.format->take(&iommu->ring, &slot, &written)) {
        if (g_get_monotonic_time() > until) {
            die("virtio-iommu does not answer");
        }
        g_usleep(10);
    }
    if (*status != VIRTIO_IOMMU_S_OK) {
        die("virtio-iommu answers with status %u", *status);
    }
}

void virtio_iommu_init(Iommu *iommu, int slot, uint64_t registers)
{
    struct virtio_iommu_req_attach attach = {
        .head.type = VIRTIO_IOMMU_T_ATTACH,
        .domain = DOMAIN,
        .endpoint = iommu->slot << 3,
    };

    virtio_pci_init(&iommu->dev, iommu->qtest, slot, registers, 0);
    virtio_pci_negotiate(&iommu->dev, 1ull << VIRTIO_F_VERSION_1 |
                         1ull << VIRTIO_IOMMU_F_MAP_UNMAP);
    ring_init(&iommu->ring, false, RING_SIZE, 2, iommu->tables);
    iommu->notify = virtio_pci_queue(&iommu->dev, REQUEST_QUEUE, RING_SIZE,
                                     iommu->ring.desc.bus,
                                     iommu->ring.driver.bus,
                                     iommu->ring.device.bus);
    iommu->request = arena_alloc(iommu->tables, PAGE);
    virtio_pci_driver_ok(&iommu->dev);
    ask(iommu, &attach, sizeof(attach));
}

void virtio_iommu_map(void *opaque, uint64_t bus, uint64_t offset,
                      uint64_t len)
{
    Iommu *iommu = opaque;
    struct virtio_iommu_req_map map = {
        .head.type = VIRTIO_IOMMU_T_MAP,
        .domain = DOMAIN,
        .virt_start = bus,
        .virt_end = bus + len - 1,
        .phys_start = iommu->target + offset,
        .flags = VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE,
    };

    ask(iommu, &map, sizeof(map));
}
