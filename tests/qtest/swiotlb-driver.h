/*
 * A hostile-capable driver of virtio-pci and virtio-mmio over qtest
 *
 * Speaks the modern interface with split and packed rings.  Unlike libqos it
 * allocates nothing behind the caller's back: every bus address the device is
 * given, of a BAR, of a ring area, of an indirect table, of a buffer, is an
 * argument.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_SWIOTLB_DRIVER_H
#define TESTS_QTEST_SWIOTLB_DRIVER_H

#include "tests/qtest/libqtest.h"
#include "tests/qtest/libqos/pci.h"

/* Bit 27 and configuration type 10: what the window adds to virtio-pci. */
#define SWIOTLB_F               27
#define SWIOTLB_CAP             10
#define SWIOTLB_CAP_LEN         24

#define SWIOTLB_RING_NUM        16

typedef struct SwiotlbDriver SwiotlbDriver;
typedef struct SwiotlbQueue SwiotlbQueue;

/* What both transports have, each in registers of its own */
typedef struct SwiotlbTransport {
    uint8_t (*status)(SwiotlbDriver *drv);
    void (*set_status)(SwiotlbDriver *drv, uint8_t status);
    uint8_t (*isr)(SwiotlbDriver *drv);
    /* @select: which 32 bits */
    uint32_t (*offered)(SwiotlbDriver *drv, int select);
    void (*accept)(SwiotlbDriver *drv, int select, uint32_t features);
    void (*resize)(SwiotlbQueue *vq, uint16_t num);
    void (*enable)(SwiotlbQueue *vq);
    void (*kick)(SwiotlbQueue *vq);
} SwiotlbTransport;

struct SwiotlbDriver {
    QTestState *qts;
    const SwiotlbTransport *transport;
    char *id;
    uint64_t features;

    uint64_t window;

    /* virtio-mmio: where the registers are */
    uint64_t mmio;

    /* virtio-pci, as all that follows */
    QPCIDevice *pci;

    int window_bar;
    uint64_t window_size;

    int modern_bar;
    uint64_t modern;
    uint32_t common;
    uint32_t notify;
    uint32_t notify_multiplier;
    uint32_t isr;
    uint32_t config;

    /* Where VIRTIO_PCI_CAP_PCI_CFG sits in configuration space. */
    uint8_t cfg_cap;
    /* Reach the registers through that capability and not through the BAR. */
    bool use_cfg_cap;
};

typedef struct SwiotlbDesc {
    uint64_t addr;
    uint32_t len;
    bool device_writes;
} SwiotlbDesc;

typedef enum {
    RING_DESC,      /* descriptor table, or the packed ring itself */
    RING_DRIVER,    /* available ring, or the driver event area */
    RING_DEVICE,    /* used ring, or the device event area */
    RING_AREAS,
} SwiotlbRingArea;

struct SwiotlbQueue {
    SwiotlbDriver *drv;
    uint16_t index;
    bool packed;
    uint64_t area[RING_AREAS];
    bool no_memory[RING_AREAS];     /* nothing there that could be written */

    uint16_t next;          /* next descriptor to fill */
    bool wrap;              /* packed: its wrap counter */
    uint16_t avail_idx;     /* split: requests made available so far */

    uint16_t used;          /* where the device reports next */
    bool used_wrap;
    uint16_t used_len[SWIOTLB_RING_NUM];    /* packed: descriptors of an id */
};

/* @devfn is on the root bus; reads and checks the capabilities. */
SwiotlbDriver *swiotlb_driver_new(QTestState *qts, QPCIBus *bus, int devfn,
                                  const char *id);
/* @mmio: where the registers of a transport are that has a device */
SwiotlbDriver *swiotlb_driver_new_mmio(QTestState *qts, uint64_t mmio,
                                       const char *id);
void swiotlb_driver_free(SwiotlbDriver *drv);

/* Ways to lose a window; registers can be reached afterwards. */
void swiotlb_driver_close_window(SwiotlbDriver *drv);
void swiotlb_driver_take_mastering(SwiotlbDriver *drv);
void swiotlb_driver_move_window(SwiotlbDriver *drv);
void swiotlb_driver_move_window_away_and_close(SwiotlbDriver *drv);
/* A function-level reset, which the device has to offer */
void swiotlb_driver_function_reset(SwiotlbDriver *drv);
/* Program both BARs, then turn memory decoding and bus mastering on. */
void swiotlb_driver_map(SwiotlbDriver *drv, uint64_t window, uint64_t modern);
void swiotlb_driver_move_bar(SwiotlbDriver *drv, int bar, uint64_t addr);
uint64_t swiotlb_driver_bar_size(SwiotlbDriver *drv, int bar);
/* Set and clear bits of the PCI command register. */
void swiotlb_driver_command(SwiotlbDriver *drv, uint16_t set, uint16_t clear);

uint8_t swiotlb_driver_status(SwiotlbDriver *drv);
void swiotlb_driver_set_status(SwiotlbDriver *drv, uint8_t status);
void swiotlb_driver_add_status(SwiotlbDriver *drv, uint8_t bits);
void swiotlb_driver_reset(SwiotlbDriver *drv);
/* Reading clears it, as the specification demands. */
uint8_t swiotlb_driver_isr(SwiotlbDriver *drv);
uint64_t swiotlb_driver_offered(SwiotlbDriver *drv);
void swiotlb_driver_write_features(SwiotlbDriver *drv, uint64_t features);
/* Reset, ACKNOWLEDGE, DRIVER, @features, FEATURES_OK: did that stick? */
bool swiotlb_driver_negotiate(SwiotlbDriver *drv, uint64_t features);
uint32_t swiotlb_driver_config_readl(SwiotlbDriver *drv, uint32_t offset);
/* The vector for configuration changes; must be taken by the device. */
void swiotlb_driver_set_config_vector(SwiotlbDriver *drv, uint16_t vector);

/* Bytes that a ring area takes. */
uint32_t swiotlb_ring_area_size(bool packed, SwiotlbRingArea area);
/* Fill in @area for a queue whose three areas start at @base (page each). */
void swiotlb_ring_areas_at(uint64_t base, uint64_t area[RING_AREAS]);
/* Not known to the device before swiotlb_queue_enable(). */
SwiotlbQueue *swiotlb_queue_new(SwiotlbDriver *drv, uint16_t index,
                                const uint64_t area[RING_AREAS]);
void swiotlb_queue_free(SwiotlbQueue *vq);
/* Make the areas those of a queue with nothing in it. */
void swiotlb_queue_clear(SwiotlbQueue *vq);
/* Tell the device size and addresses, and enable the queue. */
void swiotlb_queue_enable(SwiotlbQueue *vq);
/* Change the size that the device goes by, and nothing else. */
void swiotlb_queue_resize(SwiotlbQueue *vq, uint16_t num);
/* VIRTIO_F_RING_RESET */
void swiotlb_queue_reset(SwiotlbQueue *vq);

/* Make one chain available; no notification. */
void swiotlb_queue_add(SwiotlbQueue *vq, const SwiotlbDesc *desc, int n);
/* Write an indirect table to memory. */
void swiotlb_table_write(SwiotlbDriver *drv, uint64_t table,
                         const SwiotlbDesc *desc, int n);
/* Make one descriptor available that refers to an indirect table. */
void swiotlb_queue_add_indirect(SwiotlbQueue *vq, uint64_t table,
                                uint32_t table_len);
void swiotlb_queue_kick(SwiotlbQueue *vq);
/* Take one used element, if there is one. */
bool swiotlb_queue_get(SwiotlbQueue *vq, uint32_t *len);
/* Wait for one; fails the test when none comes. */
uint32_t swiotlb_queue_wait(SwiotlbQueue *vq);

#endif
