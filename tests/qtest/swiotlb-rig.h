/*
 * A machine in which any byte that leaks shows
 *
 * Guest RAM, the disk image and the neighbour's window are files that the test
 * maps: what the device may not touch is compared whole.  RAM ends where the
 * window begins and the window of a neighbour begins where it ends, so that an
 * access over either edge has somewhere to land.
 *
 *   0           RIG_RAM_SIZE        + RIG_WINDOW_SIZE
 *   | guest RAM | window of "dev0" | window of "neighbour" |
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_SWIOTLB_RIG_H
#define TESTS_QTEST_SWIOTLB_RIG_H

#include "tests/qtest/libqtest.h"
#include "qemu/units.h"
#include "tests/qtest/libqos/pci-pc.h"
#include "swiotlb-driver.h"

#define RIG_RAM_SIZE            (4 * MiB)
#define RIG_WINDOW_SIZE         (1 * MiB)
#define RIG_NEIGHBOUR_SIZE      (1 * MiB)
#define RIG_DISK_SIZE           (1 * MiB)

#define RIG_WINDOW              RIG_RAM_SIZE
#define RIG_NEIGHBOUR           (RIG_WINDOW + RIG_WINDOW_SIZE)
#define RIG_MODERN              0xe0000000ull
#define RIG_MSIX                0xe0100000ull
#define RIG_NEIGHBOUR_MODERN    0xe0200000ull

#define RIG_DEVICE              "dev0"
#define RIG_DEVFN               QPCI_DEVFN(4, 0)
#define RIG_NEIGHBOUR_DEVFN     QPCI_DEVFN(5, 0)
/* Behind the root port of an express rig: bus 1 */
#define RIG_PORT_DEVFN          QPCI_DEVFN(3, 0)
#define RIG_EXPRESS_DEVFN       (0x100 | QPCI_DEVFN(0, 0))

/* What lies where inside the window. */
#define RIG_RINGS               (RIG_WINDOW + 0x10000)
#define RIG_RINGS_STRIDE        0x4000
#define RIG_TABLE               (RIG_WINDOW + 0x80000)
#define RIG_BUFFERS             (RIG_WINDOW + 0xc0000)
#define RIG_BUFFERS_SIZE        0x10000

/* On virtio-mmio RAM and windows are where the machine puts them. */
#define RIG_MMIO_RAM_SIZE       (16 * MiB)

/* Guest RAM that attacks aim at. */
#define RIG_TARGET              (2 * MiB)
#define RIG_TARGET_RINGS        (3 * MiB)

typedef struct SwiotlbRig {
    QTestState *qts;
    QPCIBus *bus;
    SwiotlbDriver *drv;
    QPCIDevice *port;       /* express: the root port above the device */

    /* Where the window of "dev0" is */
    uint64_t window;
    /* Of "dev0", or of the transport that it is plugged into */
    char *counter;

    size_t ram_size;
    /* Where the guest sees it */
    uint64_t ram_base;
    uint8_t *ram;
    uint8_t *ram_before;
    uint8_t *disk;
    uint8_t *disk_before;
    uint8_t *neighbour;
    uint8_t *neighbour_before;
    /* The files of guest RAM and of the neighbour's window */
    ino_t ram_inode;
    ino_t neighbour_inode;
    uint64_t rejected_before;
    int log_fd;
    off_t log_before;

    /* Accepted by swiotlb_rig_negotiate(). */
    uint64_t features;
} SwiotlbRig;

/*
 * Start a machine with @device: its type and properties without id, address
 * and the window's, as options or as a JSON object.  "%s" in @extra, if any,
 * stands for the disk image.
 */
SwiotlbRig *swiotlb_rig_new(const char *device, const char *extra);
/* The same with other properties of the window than its size. */
SwiotlbRig *swiotlb_rig_new_full(const char *device, const char *window,
                                 const char *extra);
/* The same as swiotlb_rig_new() with the device behind a PCIe root port. */
SwiotlbRig *swiotlb_rig_new_express(const char *device, const char *extra);
SwiotlbRig *swiotlb_rig_new_express_full(const char *device, const char *window,
                                         const char *extra);
/* The same as swiotlb_rig_new_full() with no BAR mapped. */
SwiotlbRig *swiotlb_rig_new_unmapped(const char *device, const char *window,
                                     const char *extra);
/*
 * The same for a device on virtio-mmio, in the machine of the architecture that
 * is being tested.  The window is the pool of all transports but that of the
 * neighbour, which has one of its own.
 */
SwiotlbRig *swiotlb_rig_new_mmio(const char *device, const char *extra);
/* A driver for that neighbour, a virtio-rng */
SwiotlbDriver *swiotlb_rig_neighbour_mmio(SwiotlbRig *rig);
void swiotlb_rig_free(SwiotlbRig *rig);
/* Load @library, found beside the test, into QEMUs to come; NULL: no more. */
void swiotlb_rig_preload(const char *library);
/* Put BARs, and bridge windows above them, where this file says. */
void swiotlb_rig_map(SwiotlbRig *rig);
/* An express rig: reset the bus below the root port. */
void swiotlb_rig_reset_bus(SwiotlbRig *rig);

/*
 * Reset the device and negotiate @features besides VERSION_1, ACCESS_PLATFORM
 * and the window; all must be offered and FEATURES_OK must stick.
 */
void swiotlb_rig_negotiate(SwiotlbRig *rig, uint64_t features);
/* Where something of the list above lies, wherever the window is now. */
static inline uint64_t swiotlb_rig_in_window(const SwiotlbRig *rig,
                                             uint64_t place)
{
    return rig->window + (place - RIG_WINDOW);
}

/* A queue whose ring areas lie in the window. */
SwiotlbQueue *swiotlb_rig_queue(SwiotlbRig *rig, uint16_t index);
void swiotlb_rig_driver_ok(SwiotlbRig *rig);

uint64_t swiotlb_rig_rejected(SwiotlbRig *rig);
/*
 * Did the device log a line since the snapshot that has all of these words?
 * The list ends with NULL.
 */
bool swiotlb_rig_logged(SwiotlbRig *rig, ...) G_GNUC_NULL_TERMINATED;

/* Remember guest RAM, disk image, neighbour, counter and log as they are. */
void swiotlb_rig_snapshot(SwiotlbRig *rig);
/* Return after all that the device was asked to do so far has been done. */
void swiotlb_rig_barrier(SwiotlbRig *rig);
/* Guest RAM, disk image and neighbour are as in the snapshot. */
void swiotlb_rig_assert_untouched(SwiotlbRig *rig);
/* Wait for NEEDS_RESET; false if it does not come. */
bool swiotlb_rig_await_stopped(SwiotlbRig *rig);
/*
 * The device refused an access: NEEDS_RESET, the counter, a log line, and
 * nothing was touched.  With @interrupt, the configuration interrupt came too.
 */
void swiotlb_rig_assert_stopped(SwiotlbRig *rig, bool interrupt);
/*
 * The same, and the log names @addr, @len (0: any) and the direction (NULL:
 * either).
 */
void swiotlb_rig_assert_refused(SwiotlbRig *rig, uint64_t addr, uint64_t len,
                                const char *direction, bool interrupt);

#endif
