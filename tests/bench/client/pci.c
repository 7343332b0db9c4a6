/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtio-pci device, modern interface, reached over qtest
 */

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include "pci.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc

#define BAR_SIZE_MAX (16 * MIB)

typedef struct Registers {
    /* -1: not found */
    int bar;
    uint32_t offset;
} Registers;

typedef struct Capabilities {
    Registers common;
    Registers notify;
    int window_bar;
} Capabilities;

static uint32_t config_read(VirtioPci *dev, int reg)
{
    qtest_out(dev->qtest, CONFIG_ADDRESS,
              0x80000000u | dev->slot << 11 | (reg & ~3));
    return qtest_in(dev->qtest, CONFIG_DATA) >> (reg & 3) * 8;
}

static void config_write(VirtioPci *dev, int reg, uint32_t value)
{
    qtest_out(dev->qtest, CONFIG_ADDRESS, 0x80000000u | dev->slot << 11 | reg);
    qtest_out(dev->qtest, CONFIG_DATA, value);
}

static void read_capability(VirtioPci *dev, int cap, Capabilities *found)
{
    Registers registers = {
        .bar = config_read(dev, cap + VIRTIO_PCI_CAP_BAR) & 0xff,
        .offset = config_read(dev, cap + VIRTIO_PCI_CAP_OFFSET),
    };

    switch (config_read(dev, cap + VIRTIO_PCI_CAP_CFG_TYPE) & 0xff) {
    case VIRTIO_PCI_CAP_COMMON_CFG:
        found->common = registers;
        break;
    case VIRTIO_PCI_CAP_NOTIFY_CFG:
        found->notify = registers;
        dev->notify_multiplier =
            config_read(dev, cap + VIRTIO_PCI_NOTIFY_CAP_MULT);
        break;
    case VIRTIO_PCI_CAP_SWIOTLB:
        found->window_bar = registers.bar;
        break;
    }
}

static Capabilities read_capabilities(VirtioPci *dev)
{
    Capabilities found = { { -1 }, { -1 }, -1 };
    int cap;

    for (cap = config_read(dev, PCI_CAPABILITY_LIST) & 0xff; cap;
         cap = config_read(dev, cap + PCI_CAP_LIST_NEXT) & 0xff) {
        if ((config_read(dev, cap + PCI_CAP_LIST_ID) & 0xff) ==
            PCI_CAP_ID_VNDR) {
            read_capability(dev, cap, &found);
        }
    }
    if (found.common.bar < 0 || found.common.bar != found.notify.bar) {
        die("no modern virtio device in slot %d", dev->slot);
    }
    return found;
}

static void place_bar(VirtioPci *dev, int bar, uint64_t addr)
{
    int reg = PCI_BASE_ADDRESS_0 + bar * 4;

    if (config_read(dev, reg) & PCI_BASE_ADDRESS_MEM_TYPE_64) {
        config_write(dev, reg + 4, addr >> 32);
    }
    config_write(dev, reg, addr);
}

void virtio_pci_init(VirtioPci *dev, Qtest *qtest, int slot,
                     uint64_t registers, uint64_t window)
{
    Capabilities found;

    *dev = (VirtioPci){ .qtest = qtest, .slot = slot };
    found = read_capabilities(dev);
    place_bar(dev, found.common.bar, registers);
    dev->common = registers + found.common.offset;
    dev->notify = registers + found.notify.offset;
    if (!window != (found.window_bar < 0)) {
        die("the device in slot %d has %s window", slot,
            window ? "no" : "a");
    }
    if (window) {
        place_bar(dev, found.window_bar, window);
    }
    config_write(dev, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static uint8_t get_status(VirtioPci *dev)
{
    return qtest_read(dev->qtest, dev->common + VIRTIO_PCI_COMMON_STATUS, 1);
}

static void set_status(VirtioPci *dev, uint8_t status)
{
    qtest_write(dev->qtest, dev->common + VIRTIO_PCI_COMMON_STATUS, 1, status);
}

static uint64_t offered(VirtioPci *dev)
{
    uint64_t features = 0;
    int i;

    for (i = 0; i < 2; i++) {
        qtest_write(dev->qtest, dev->common + VIRTIO_PCI_COMMON_DFSELECT, 4, i);
        features |= qtest_read(dev->qtest, dev->common + VIRTIO_PCI_COMMON_DF,
                               4) << 32 * i;
    }
    return features;
}

void virtio_pci_negotiate(VirtioPci *dev, uint64_t features)
{
    uint8_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
    uint64_t missing;
    int i;

    set_status(dev, 0);
    set_status(dev, status);
    missing = features & ~offered(dev);
    if (missing) {
        die("the device in slot %d does not offer features 0x%" PRIx64,
            dev->slot, missing);
    }
    for (i = 0; i < 2; i++) {
        qtest_write(dev->qtest, dev->common + VIRTIO_PCI_COMMON_GFSELECT, 4, i);
        qtest_write(dev->qtest, dev->common + VIRTIO_PCI_COMMON_GF, 4,
                    (uint32_t)(features >> 32 * i));
    }
    dev->features = features;
    set_status(dev, status | VIRTIO_CONFIG_S_FEATURES_OK);
    if (!(get_status(dev) & VIRTIO_CONFIG_S_FEATURES_OK)) {
        die("the device in slot %d refuses features 0x%" PRIx64, dev->slot,
            features);
    }
}

void virtio_pci_driver_ok(VirtioPci *dev)
{
    set_status(dev, get_status(dev) | VIRTIO_CONFIG_S_DRIVER_OK);
    if (virtio_pci_needs_reset(dev)) {
        die("the device in slot %d does not start", dev->slot);
    }
}

bool virtio_pci_needs_reset(VirtioPci *dev)
{
    return get_status(dev) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static void write_address(VirtioPci *dev, int low, uint64_t addr)
{
    qtest_write(dev->qtest, dev->common + low, 4, (uint32_t)addr);
    qtest_write(dev->qtest, dev->common + low + 4, 4, addr >> 32);
}

uint64_t virtio_pci_queue(VirtioPci *dev, uint16_t index, uint16_t num,
                          uint64_t desc, uint64_t driver, uint64_t device)
{
    uint64_t common = dev->common;

    qtest_write(dev->qtest, common + VIRTIO_PCI_COMMON_Q_SELECT, 2, index);
    if (qtest_read(dev->qtest, common + VIRTIO_PCI_COMMON_Q_SIZE, 2) < num) {
        die("queue %u of the device in slot %d is smaller than %u", index,
            dev->slot, num);
    }
    qtest_write(dev->qtest, common + VIRTIO_PCI_COMMON_Q_SIZE, 2, num);
    write_address(dev, VIRTIO_PCI_COMMON_Q_DESCLO, desc);
    write_address(dev, VIRTIO_PCI_COMMON_Q_AVAILLO, driver);
    write_address(dev, VIRTIO_PCI_COMMON_Q_USEDLO, device);
    qtest_write(dev->qtest, common + VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
    return dev->notify + (uint64_t)dev->notify_multiplier *
           qtest_read(dev->qtest, common + VIRTIO_PCI_COMMON_Q_NOFF, 2);
}
