/*
 * A hostile-capable driver of virtio-pci and virtio-mmio over qtest
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "swiotlb-driver.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_mmio.h"
#include "standard-headers/linux/virtio_pci.h"
#include "standard-headers/linux/virtio_ring.h"

#define WAIT_US         (30 * G_USEC_PER_SEC)
/* An address at which nothing is mapped */
#define ELSEWHERE       0xe8000000ull
#define DESC_SIZE       sizeof(struct vring_desc)

/* Descriptor flags of a packed ring, beyond those it shares with split. */
#define PACKED_AVAIL    (1u << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED     (1u << VRING_PACKED_DESC_F_USED)

static int bar_register(int bar)
{
    return PCI_BASE_ADDRESS_0 + bar * 4;
}

uint64_t swiotlb_driver_bar_size(SwiotlbDriver *drv, int bar)
{
    uint32_t lo = qpci_config_readl(drv->pci, bar_register(bar));
    uint32_t hi = 0;
    bool is_64 = lo & PCI_BASE_ADDRESS_MEM_TYPE_64;
    uint64_t mask;

    if (is_64) {
        hi = qpci_config_readl(drv->pci, bar_register(bar + 1));
        qpci_config_writel(drv->pci, bar_register(bar + 1), UINT32_MAX);
    }
    qpci_config_writel(drv->pci, bar_register(bar), UINT32_MAX);
    mask = qpci_config_readl(drv->pci, bar_register(bar)) &
           PCI_BASE_ADDRESS_MEM_MASK;
    if (is_64) {
        uint64_t high = qpci_config_readl(drv->pci, bar_register(bar + 1));

        mask = (high << 32) | (uint32_t)mask;
        qpci_config_writel(drv->pci, bar_register(bar + 1), hi);
    } else {
        mask |= 0xffffffffull << 32;
    }
    qpci_config_writel(drv->pci, bar_register(bar), lo);

    return mask & -mask;
}

/* The first 16 bytes are those of any virtio capability. */
static void read_window_capability(SwiotlbDriver *drv, uint8_t cap)
{
    QPCIDevice *pci = drv->pci;
    uint32_t bar;

    g_assert_cmpint(drv->window_bar, ==, -1);
    g_assert_cmpint(qpci_config_readb(pci, cap + VIRTIO_PCI_CAP_LEN), ==,
                    SWIOTLB_CAP_LEN);
    /* id and offset, whose upper half follows the plain capability */
    g_assert_cmpint(qpci_config_readb(pci, cap + 5), ==, 0);
    g_assert_cmpint(qpci_config_readl(pci, cap + VIRTIO_PCI_CAP_OFFSET), ==, 0);
    g_assert_cmpint(qpci_config_readl(pci, cap + 16), ==, 0);

    drv->window_bar = qpci_config_readb(pci, cap + VIRTIO_PCI_CAP_BAR);
    drv->window_size = (uint64_t)qpci_config_readl(pci, cap + 20) << 32 |
                       qpci_config_readl(pci, cap + VIRTIO_PCI_CAP_LENGTH);

    bar = qpci_config_readl(pci, bar_register(drv->window_bar));
    g_assert_cmphex(bar & ~PCI_BASE_ADDRESS_MEM_MASK, ==,
                    PCI_BASE_ADDRESS_MEM_TYPE_64 |
                    PCI_BASE_ADDRESS_MEM_PREFETCH);
    g_assert_cmphex(swiotlb_driver_bar_size(drv, drv->window_bar), ==,
                    drv->window_size);
}

static void read_virtio_capability(SwiotlbDriver *drv, uint8_t cap)
{
    QPCIDevice *pci = drv->pci;
    uint32_t offset = qpci_config_readl(pci, cap + VIRTIO_PCI_CAP_OFFSET);

    switch (qpci_config_readb(pci, cap + VIRTIO_PCI_CAP_CFG_TYPE)) {
    case VIRTIO_PCI_CAP_COMMON_CFG:
        drv->modern_bar = qpci_config_readb(pci, cap + VIRTIO_PCI_CAP_BAR);
        drv->common = offset;
        break;
    case VIRTIO_PCI_CAP_NOTIFY_CFG:
        drv->notify = offset;
        drv->notify_multiplier =
            qpci_config_readl(pci, cap + VIRTIO_PCI_NOTIFY_CAP_MULT);
        break;
    case VIRTIO_PCI_CAP_ISR_CFG:
        drv->isr = offset;
        break;
    case VIRTIO_PCI_CAP_DEVICE_CFG:
        drv->config = offset;
        break;
    case VIRTIO_PCI_CAP_PCI_CFG:
        drv->cfg_cap = cap;
        break;
    case SWIOTLB_CAP:
        read_window_capability(drv, cap);
        break;
    }
}

static void read_capabilities(SwiotlbDriver *drv)
{
    uint8_t cap;

    drv->modern_bar = -1;
    drv->window_bar = -1;
    for (cap = qpci_config_readb(drv->pci, PCI_CAPABILITY_LIST); cap;
         cap = qpci_config_readb(drv->pci, cap + PCI_CAP_LIST_NEXT)) {
        if (qpci_config_readb(drv->pci, cap + PCI_CAP_LIST_ID) ==
            PCI_CAP_ID_VNDR) {
            read_virtio_capability(drv, cap);
        }
    }
    g_assert_cmpint(drv->modern_bar, >=, 0);
    g_assert_cmpint(drv->cfg_cap, !=, 0);
}

void swiotlb_driver_move_bar(SwiotlbDriver *drv, int bar, uint64_t addr)
{
    bool is_64 = qpci_config_readl(drv->pci, bar_register(bar)) &
                 PCI_BASE_ADDRESS_MEM_TYPE_64;

    g_assert_true(is_64 || addr <= UINT32_MAX);
    qpci_config_writel(drv->pci, bar_register(bar), addr);
    if (is_64) {
        qpci_config_writel(drv->pci, bar_register(bar + 1), addr >> 32);
    }
    if (bar == drv->window_bar) {
        drv->window = addr;
    } else if (bar == drv->modern_bar) {
        drv->modern = addr;
    }
}

void swiotlb_driver_command(SwiotlbDriver *drv, uint16_t set, uint16_t clear)
{
    uint16_t command = qpci_config_readw(drv->pci, PCI_COMMAND);

    qpci_config_writew(drv->pci, PCI_COMMAND, (command | set) & ~clear);
}

void swiotlb_driver_close_window(SwiotlbDriver *drv)
{
    drv->use_cfg_cap = true;
    swiotlb_driver_command(drv, 0, PCI_COMMAND_MEMORY);
}

void swiotlb_driver_take_mastering(SwiotlbDriver *drv)
{
    swiotlb_driver_command(drv, 0, PCI_COMMAND_MASTER);
}

void swiotlb_driver_move_window(SwiotlbDriver *drv)
{
    swiotlb_driver_move_bar(drv, drv->window_bar, ELSEWHERE);
}

void swiotlb_driver_move_window_away_and_close(SwiotlbDriver *drv)
{
    swiotlb_driver_move_window(drv);
    swiotlb_driver_close_window(drv);
}

void swiotlb_driver_function_reset(SwiotlbDriver *drv)
{
    uint8_t cap = qpci_find_capability(drv->pci, PCI_CAP_ID_EXP, 0);

    g_assert_cmphex(qpci_config_readl(drv->pci, cap + PCI_EXP_DEVCAP) &
                    PCI_EXP_DEVCAP_FLR, !=, 0);
    qpci_config_writew(drv->pci, cap + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR);
}

void swiotlb_driver_map(SwiotlbDriver *drv, uint64_t window, uint64_t modern)
{
    if (drv->window_bar >= 0) {
        swiotlb_driver_move_bar(drv, drv->window_bar, window);
    }
    swiotlb_driver_move_bar(drv, drv->modern_bar, modern);
    swiotlb_driver_command(drv, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
}

/* Point the PCI_CFG capability at @size bytes of the modern BAR. */
static void aim_cfg_cap(SwiotlbDriver *drv, uint32_t offset, int size)
{
    qpci_config_writeb(drv->pci, drv->cfg_cap + VIRTIO_PCI_CAP_BAR,
                       drv->modern_bar);
    qpci_config_writel(drv->pci, drv->cfg_cap + VIRTIO_PCI_CAP_OFFSET, offset);
    qpci_config_writel(drv->pci, drv->cfg_cap + VIRTIO_PCI_CAP_LENGTH, size);
}

static uint32_t reg_read(SwiotlbDriver *drv, uint32_t offset, int size)
{
    uint8_t data = drv->cfg_cap + sizeof(struct virtio_pci_cap);
    uint64_t addr = drv->modern + offset;

    if (drv->use_cfg_cap) {
        aim_cfg_cap(drv, offset, size);
    }
    switch (size) {
    case 1:
        return drv->use_cfg_cap ? qpci_config_readb(drv->pci, data) :
                                  qtest_readb(drv->qts, addr);
    case 2:
        return drv->use_cfg_cap ? qpci_config_readw(drv->pci, data) :
                                  qtest_readw(drv->qts, addr);
    case 4:
        return drv->use_cfg_cap ? qpci_config_readl(drv->pci, data) :
                                  qtest_readl(drv->qts, addr);
    default:
        g_assert_not_reached();
    }
}

static void reg_write(SwiotlbDriver *drv, uint32_t offset, int size,
                      uint32_t val)
{
    uint8_t data = drv->cfg_cap + sizeof(struct virtio_pci_cap);
    uint64_t addr = drv->modern + offset;

    if (drv->use_cfg_cap) {
        aim_cfg_cap(drv, offset, size);
    }
    switch (size) {
    case 1:
        if (drv->use_cfg_cap) {
            qpci_config_writeb(drv->pci, data, val);
        } else {
            qtest_writeb(drv->qts, addr, val);
        }
        break;
    case 2:
        if (drv->use_cfg_cap) {
            qpci_config_writew(drv->pci, data, val);
        } else {
            qtest_writew(drv->qts, addr, val);
        }
        break;
    case 4:
        if (drv->use_cfg_cap) {
            qpci_config_writel(drv->pci, data, val);
        } else {
            qtest_writel(drv->qts, addr, val);
        }
        break;
    default:
        g_assert_not_reached();
    }
}

static uint8_t pci_status(SwiotlbDriver *drv)
{
    return reg_read(drv, drv->common + VIRTIO_PCI_COMMON_STATUS, 1);
}

static void pci_set_status(SwiotlbDriver *drv, uint8_t status)
{
    reg_write(drv, drv->common + VIRTIO_PCI_COMMON_STATUS, 1, status);
}

static uint8_t pci_isr(SwiotlbDriver *drv)
{
    return reg_read(drv, drv->isr, 1);
}

static uint32_t pci_offered(SwiotlbDriver *drv, int select)
{
    reg_write(drv, drv->common + VIRTIO_PCI_COMMON_DFSELECT, 4, select);
    return reg_read(drv, drv->common + VIRTIO_PCI_COMMON_DF, 4);
}

static void pci_accept(SwiotlbDriver *drv, int select, uint32_t features)
{
    reg_write(drv, drv->common + VIRTIO_PCI_COMMON_GFSELECT, 4, select);
    reg_write(drv, drv->common + VIRTIO_PCI_COMMON_GF, 4, features);
}

static void write_queue_register(SwiotlbQueue *vq, uint32_t reg, int size,
                                 uint32_t val)
{
    SwiotlbDriver *drv = vq->drv;

    reg_write(drv, drv->common + VIRTIO_PCI_COMMON_Q_SELECT, 2, vq->index);
    reg_write(drv, drv->common + reg, size, val);
}

static void pci_resize(SwiotlbQueue *vq, uint16_t num)
{
    write_queue_register(vq, VIRTIO_PCI_COMMON_Q_SIZE, 2, num);
}

static void pci_enable(SwiotlbQueue *vq)
{
    static const uint32_t reg[RING_AREAS] = {
        VIRTIO_PCI_COMMON_Q_DESCLO,
        VIRTIO_PCI_COMMON_Q_AVAILLO,
        VIRTIO_PCI_COMMON_Q_USEDLO,
    };

    for (int i = 0; i < RING_AREAS; i++) {
        write_queue_register(vq, reg[i], 4, vq->area[i]);
        write_queue_register(vq, reg[i] + 4, 4, vq->area[i] >> 32);
    }
    write_queue_register(vq, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

static void pci_kick(SwiotlbQueue *vq)
{
    SwiotlbDriver *drv = vq->drv;
    uint16_t off;

    reg_write(drv, drv->common + VIRTIO_PCI_COMMON_Q_SELECT, 2, vq->index);
    off = reg_read(drv, drv->common + VIRTIO_PCI_COMMON_Q_NOFF, 2);
    reg_write(drv, drv->notify + off * drv->notify_multiplier, 2, vq->index);
}

static const SwiotlbTransport pci_transport = {
    .status = pci_status,
    .set_status = pci_set_status,
    .isr = pci_isr,
    .offered = pci_offered,
    .accept = pci_accept,
    .resize = pci_resize,
    .enable = pci_enable,
    .kick = pci_kick,
};

static uint32_t mmio_read(SwiotlbDriver *drv, uint32_t offset)
{
    return qtest_readl(drv->qts, drv->mmio + offset);
}

static void mmio_write(SwiotlbDriver *drv, uint32_t offset, uint32_t val)
{
    qtest_writel(drv->qts, drv->mmio + offset, val);
}

static uint8_t mmio_status(SwiotlbDriver *drv)
{
    return mmio_read(drv, VIRTIO_MMIO_STATUS);
}

static void mmio_set_status(SwiotlbDriver *drv, uint8_t status)
{
    mmio_write(drv, VIRTIO_MMIO_STATUS, status);
}

static uint8_t mmio_isr(SwiotlbDriver *drv)
{
    uint8_t isr = mmio_read(drv, VIRTIO_MMIO_INTERRUPT_STATUS);

    mmio_write(drv, VIRTIO_MMIO_INTERRUPT_ACK, isr);
    return isr;
}

static uint32_t mmio_offered(SwiotlbDriver *drv, int select)
{
    mmio_write(drv, VIRTIO_MMIO_DEVICE_FEATURES_SEL, select);
    return mmio_read(drv, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void mmio_accept(SwiotlbDriver *drv, int select, uint32_t features)
{
    mmio_write(drv, VIRTIO_MMIO_DRIVER_FEATURES_SEL, select);
    mmio_write(drv, VIRTIO_MMIO_DRIVER_FEATURES, features);
}

static void mmio_resize(SwiotlbQueue *vq, uint16_t num)
{
    mmio_write(vq->drv, VIRTIO_MMIO_QUEUE_SEL, vq->index);
    mmio_write(vq->drv, VIRTIO_MMIO_QUEUE_NUM, num);
}

static void mmio_enable(SwiotlbQueue *vq)
{
    static const uint32_t reg[RING_AREAS] = {
        VIRTIO_MMIO_QUEUE_DESC_LOW,
        VIRTIO_MMIO_QUEUE_AVAIL_LOW,
        VIRTIO_MMIO_QUEUE_USED_LOW,
    };

    mmio_write(vq->drv, VIRTIO_MMIO_QUEUE_SEL, vq->index);
    for (int i = 0; i < RING_AREAS; i++) {
        mmio_write(vq->drv, reg[i], vq->area[i]);
        mmio_write(vq->drv, reg[i] + 4, vq->area[i] >> 32);
    }
    mmio_write(vq->drv, VIRTIO_MMIO_QUEUE_READY, 1);
}

static void mmio_kick(SwiotlbQueue *vq)
{
    mmio_write(vq->drv, VIRTIO_MMIO_QUEUE_NOTIFY, vq->index);
}

static const SwiotlbTransport mmio_transport = {
    .status = mmio_status,
    .set_status = mmio_set_status,
    .isr = mmio_isr,
    .offered = mmio_offered,
    .accept = mmio_accept,
    .resize = mmio_resize,
    .enable = mmio_enable,
    .kick = mmio_kick,
};

SwiotlbDriver *swiotlb_driver_new(QTestState *qts, QPCIBus *bus, int devfn,
                                  const char *id)
{
    SwiotlbDriver *drv = g_new0(SwiotlbDriver, 1);

    drv->qts = qts;
    drv->transport = &pci_transport;
    drv->id = g_strdup(id);
    drv->pci = qpci_device_find(bus, devfn);
    g_assert_nonnull(drv->pci);
    read_capabilities(drv);

    return drv;
}

SwiotlbDriver *swiotlb_driver_new_mmio(QTestState *qts, uint64_t mmio,
                                       const char *id)
{
    SwiotlbDriver *drv = g_new0(SwiotlbDriver, 1);

    drv->qts = qts;
    drv->transport = &mmio_transport;
    drv->id = g_strdup(id);
    drv->mmio = mmio;
    /* "virt", and the modern version */
    g_assert_cmphex(mmio_read(drv, VIRTIO_MMIO_MAGIC_VALUE), ==, 0x74726976);
    g_assert_cmpint(mmio_read(drv, VIRTIO_MMIO_VERSION), ==, 2);

    return drv;
}

void swiotlb_driver_free(SwiotlbDriver *drv)
{
    g_free(drv->pci);
    g_free(drv->id);
    g_free(drv);
}

uint8_t swiotlb_driver_status(SwiotlbDriver *drv)
{
    return drv->transport->status(drv);
}

void swiotlb_driver_set_status(SwiotlbDriver *drv, uint8_t status)
{
    drv->transport->set_status(drv, status);
}

void swiotlb_driver_add_status(SwiotlbDriver *drv, uint8_t bits)
{
    swiotlb_driver_set_status(drv, swiotlb_driver_status(drv) | bits);
}

void swiotlb_driver_reset(SwiotlbDriver *drv)
{
    swiotlb_driver_set_status(drv, 0);
    g_assert_cmphex(swiotlb_driver_status(drv), ==, 0);
    drv->features = 0;
}

uint8_t swiotlb_driver_isr(SwiotlbDriver *drv)
{
    return drv->transport->isr(drv);
}

uint64_t swiotlb_driver_offered(SwiotlbDriver *drv)
{
    uint64_t features = 0;

    for (int i = 0; i < 2; i++) {
        features |= (uint64_t)drv->transport->offered(drv, i) << (32 * i);
    }
    return features;
}

void swiotlb_driver_write_features(SwiotlbDriver *drv, uint64_t features)
{
    for (int i = 0; i < 2; i++) {
        drv->transport->accept(drv, i, features >> (32 * i));
    }
    drv->features = features;
}

bool swiotlb_driver_negotiate(SwiotlbDriver *drv, uint64_t features)
{
    swiotlb_driver_reset(drv);
    swiotlb_driver_set_status(drv, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    swiotlb_driver_add_status(drv, VIRTIO_CONFIG_S_DRIVER);
    swiotlb_driver_write_features(drv, features);
    swiotlb_driver_add_status(drv, VIRTIO_CONFIG_S_FEATURES_OK);

    return swiotlb_driver_status(drv) & VIRTIO_CONFIG_S_FEATURES_OK;
}

uint32_t swiotlb_driver_config_readl(SwiotlbDriver *drv, uint32_t offset)
{
    return reg_read(drv, drv->config + offset, 4);
}

void swiotlb_driver_set_config_vector(SwiotlbDriver *drv, uint16_t vector)
{
    reg_write(drv, drv->common + VIRTIO_PCI_COMMON_MSIX, 2, vector);
    g_assert_cmpint(reg_read(drv, drv->common + VIRTIO_PCI_COMMON_MSIX, 2),
                    ==, vector);
}

uint32_t swiotlb_ring_area_size(bool packed, SwiotlbRingArea area)
{
    switch (area) {
    case RING_DESC:
        return SWIOTLB_RING_NUM * DESC_SIZE;
    case RING_DRIVER:
        return packed ? sizeof(struct vring_packed_desc_event) :
                        offsetof(struct vring_avail, ring[SWIOTLB_RING_NUM]);
    case RING_DEVICE:
        return packed ? sizeof(struct vring_packed_desc_event) :
                        offsetof(struct vring_used, ring[SWIOTLB_RING_NUM]);
    default:
        g_assert_not_reached();
    }
}

void swiotlb_ring_areas_at(uint64_t base, uint64_t area[RING_AREAS])
{
    for (int i = 0; i < RING_AREAS; i++) {
        area[i] = base + i * 0x1000;
    }
}

void swiotlb_queue_resize(SwiotlbQueue *vq, uint16_t num)
{
    vq->drv->transport->resize(vq, num);
}

void swiotlb_queue_enable(SwiotlbQueue *vq)
{
    swiotlb_queue_resize(vq, SWIOTLB_RING_NUM);
    vq->drv->transport->enable(vq);
}

SwiotlbQueue *swiotlb_queue_new(SwiotlbDriver *drv, uint16_t index,
                                const uint64_t area[RING_AREAS])
{
    SwiotlbQueue *vq = g_new0(SwiotlbQueue, 1);

    vq->drv = drv;
    vq->index = index;
    vq->packed = drv->features & (1ull << VIRTIO_F_RING_PACKED);
    memcpy(vq->area, area, sizeof(vq->area));

    return vq;
}

void swiotlb_queue_clear(SwiotlbQueue *vq)
{
    for (int i = 0; i < RING_AREAS; i++) {
        if (!vq->no_memory[i]) {
            qtest_memset(vq->drv->qts, vq->area[i], 0,
                         swiotlb_ring_area_size(vq->packed, i));
        }
    }
    vq->next = 0;
    vq->wrap = true;
    vq->avail_idx = 0;
    vq->used = 0;
    vq->used_wrap = true;
}

void swiotlb_queue_free(SwiotlbQueue *vq)
{
    g_free(vq);
}

void swiotlb_queue_reset(SwiotlbQueue *vq)
{
    write_queue_register(vq, VIRTIO_PCI_COMMON_Q_RESET, 2, 1);
    g_assert_cmpint(reg_read(vq->drv, vq->drv->common +
                             VIRTIO_PCI_COMMON_Q_RESET, 2), ==, 0);
    g_assert_cmpint(reg_read(vq->drv, vq->drv->common +
                             VIRTIO_PCI_COMMON_Q_ENABLE, 2), ==, 0);
}

static void write_split_desc(QTestState *qts, uint64_t at,
                             const SwiotlbDesc *desc, uint16_t flags,
                             uint16_t next)
{
    struct vring_desc d = {
        .addr = cpu_to_le64(desc->addr),
        .len = cpu_to_le32(desc->len),
        .flags = cpu_to_le16(flags |
                             (desc->device_writes ? VRING_DESC_F_WRITE : 0)),
        .next = cpu_to_le16(next),
    };

    qtest_memwrite(qts, at, &d, sizeof(d));
}

static void write_packed_desc(QTestState *qts, uint64_t at,
                              const SwiotlbDesc *desc, uint16_t flags,
                              uint16_t id)
{
    struct vring_packed_desc d = {
        .addr = cpu_to_le64(desc->addr),
        .len = cpu_to_le32(desc->len),
        .id = cpu_to_le16(id),
        .flags = cpu_to_le16(flags |
                             (desc->device_writes ? VRING_DESC_F_WRITE : 0)),
    };

    qtest_memwrite(qts, at, &d, sizeof(d));
}

/* @flags go to every descriptor of the chain. */
static void add_split(SwiotlbQueue *vq, const SwiotlbDesc *desc, int n,
                      uint16_t flags)
{
    QTestState *qts = vq->drv->qts;
    uint16_t slot = vq->avail_idx++ % SWIOTLB_RING_NUM;
    uint16_t head = vq->next;

    for (int i = 0; i < n; i++) {
        uint16_t next = (vq->next + 1) % SWIOTLB_RING_NUM;

        if (!vq->no_memory[RING_DESC]) {
            write_split_desc(qts, vq->area[RING_DESC] + vq->next * DESC_SIZE,
                             &desc[i],
                             flags | (i < n - 1 ? VRING_DESC_F_NEXT : 0), next);
        }
        vq->next = next;
    }
    if (!vq->no_memory[RING_DRIVER]) {
        qtest_writew(qts, vq->area[RING_DRIVER] +
                     offsetof(struct vring_avail, ring[slot]), head);
        qtest_writew(qts, vq->area[RING_DRIVER] +
                     offsetof(struct vring_avail, idx), vq->avail_idx);
    }
}

static void add_packed(SwiotlbQueue *vq, const SwiotlbDesc *desc, int n,
                       uint16_t flags)
{
    QTestState *qts = vq->drv->qts;
    uint16_t id = vq->next;

    /* Last to first: the head makes the chain visible to a polling device. */
    for (int i = n - 1; i >= 0 && !vq->no_memory[RING_DESC]; i--) {
        uint16_t slot = vq->next + i;
        bool wrap = vq->wrap ^ (slot >= SWIOTLB_RING_NUM);

        write_packed_desc(qts, vq->area[RING_DESC] +
                          slot % SWIOTLB_RING_NUM * DESC_SIZE, &desc[i],
                          flags | (i < n - 1 ? VRING_DESC_F_NEXT : 0) |
                          (wrap ? PACKED_AVAIL : PACKED_USED), id);
    }
    vq->used_len[id] = n;
    vq->next += n;
    if (vq->next >= SWIOTLB_RING_NUM) {
        vq->next -= SWIOTLB_RING_NUM;
        vq->wrap = !vq->wrap;
    }
}

void swiotlb_queue_add(SwiotlbQueue *vq, const SwiotlbDesc *desc, int n)
{
    g_assert_cmpint(n, <=, SWIOTLB_RING_NUM);
    if (vq->packed) {
        add_packed(vq, desc, n, 0);
    } else {
        add_split(vq, desc, n, 0);
    }
}

void swiotlb_table_write(SwiotlbDriver *drv, uint64_t table,
                         const SwiotlbDesc *desc, int n)
{
    bool packed = drv->features & (1ull << VIRTIO_F_RING_PACKED);

    for (int i = 0; i < n; i++) {
        if (packed) {
            write_packed_desc(drv->qts, table + i * DESC_SIZE, &desc[i], 0, 0);
        } else {
            write_split_desc(drv->qts, table + i * DESC_SIZE, &desc[i],
                             i < n - 1 ? VRING_DESC_F_NEXT : 0, i + 1);
        }
    }
}

void swiotlb_queue_add_indirect(SwiotlbQueue *vq, uint64_t table,
                                uint32_t table_len)
{
    SwiotlbDesc desc = { .addr = table, .len = table_len };

    if (vq->packed) {
        add_packed(vq, &desc, 1, VRING_DESC_F_INDIRECT);
    } else {
        add_split(vq, &desc, 1, VRING_DESC_F_INDIRECT);
    }
}

void swiotlb_queue_kick(SwiotlbQueue *vq)
{
    vq->drv->transport->kick(vq);
}

static bool get_split(SwiotlbQueue *vq, uint32_t *len)
{
    QTestState *qts = vq->drv->qts;
    uint16_t idx;

    if (vq->no_memory[RING_DEVICE]) {
        return false;
    }
    idx = qtest_readw(qts, vq->area[RING_DEVICE] +
                      offsetof(struct vring_used, idx));
    if (idx == vq->used) {
        return false;
    }
    if (len) {
        *len = qtest_readl(qts, vq->area[RING_DEVICE] +
                           offsetof(struct vring_used,
                                    ring[vq->used % SWIOTLB_RING_NUM].len));
    }
    vq->used++;
    return true;
}

static bool get_packed(SwiotlbQueue *vq, uint32_t *len)
{
    struct vring_packed_desc d;
    bool avail, used;

    if (vq->no_memory[RING_DESC]) {
        return false;
    }
    qtest_memread(vq->drv->qts, vq->area[RING_DESC] + vq->used * DESC_SIZE,
                  &d, sizeof(d));
    avail = le16_to_cpu(d.flags) & PACKED_AVAIL;
    used = le16_to_cpu(d.flags) & PACKED_USED;
    if (avail != vq->used_wrap || used != vq->used_wrap) {
        return false;
    }
    if (len) {
        *len = le32_to_cpu(d.len);
    }
    g_assert_cmpint(le16_to_cpu(d.id), <, SWIOTLB_RING_NUM);
    vq->used += vq->used_len[le16_to_cpu(d.id)];
    if (vq->used >= SWIOTLB_RING_NUM) {
        vq->used -= SWIOTLB_RING_NUM;
        vq->used_wrap = !vq->used_wrap;
    }
    return true;
}

bool swiotlb_queue_get(SwiotlbQueue *vq, uint32_t *len)
{
    return vq->packed ? get_packed(vq, len) : get_split(vq, len);
}

uint32_t swiotlb_queue_wait(SwiotlbQueue *vq)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;
    uint32_t len;

    while (!swiotlb_queue_get(vq, &len)) {
        /* Timers of the device (virtio-rng, virtio-net) follow this clock. */
        qtest_clock_step(vq->drv->qts, 1000000);
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
    return len;
}
