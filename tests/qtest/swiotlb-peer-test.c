/*
 * Another device's DMA reaches a window as it reaches any PCI memory
 *
 * An NVMe controller reads a block into the window of a disk, which writes it
 * out from there.  Guest RAM sees none of it: also the controller's own queues
 * lie in the window.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "block/nvme.h"
#include "swiotlb-blk.h"
#include "standard-headers/linux/pci_regs.h"

#define NVME_DEVFN          QPCI_DEVFN(6, 0)
#define NVME_REGISTERS      0xe0400000ull
#define NVME_DISK_SIZE      (64 * KiB)
#define NVME_QUEUE_SIZE     8
#define WAIT_US             (30 * G_USEC_PER_SEC)

/* In the window, beside what RIG_RINGS and RIG_BUFFERS name */
#define NVME_ADMIN_SQ       (RIG_WINDOW + 0xa0000)
#define NVME_ADMIN_CQ       (RIG_WINDOW + 0xa1000)
#define NVME_IO_SQ          (RIG_WINDOW + 0xa2000)
#define NVME_IO_CQ          (RIG_WINDOW + 0xa3000)

typedef struct NvmeQueue {
    uint16_t id;
    uint64_t sq;
    uint64_t cq;
    uint16_t tail;
    uint16_t head;
    uint16_t phase;
} NvmeQueue;

typedef struct Peer {
    SwiotlbRig *rig;
    QPCIDevice *pci;
    uint8_t *disk;
    NvmeQueue admin;
    NvmeQueue io;
} Peer;

static void wait_ready(Peer *p)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;
    uint32_t csts;

    do {
        csts = qtest_readl(p->rig->qts, NVME_REGISTERS + NVME_REG_CSTS);
        g_assert_cmphex(csts & NVME_CSTS_FAILED, ==, 0);
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    } while (!(csts & NVME_CSTS_READY));
}

static void ring(Peer *p, uint16_t queue, bool completion, uint16_t value)
{
    qtest_writel(p->rig->qts, NVME_REGISTERS + 0x1000 +
                 (2 * queue + completion) * 4, value);
}

/* Submit @cmd, wait for it, and return the status code. */
static uint16_t nvme_run(Peer *p, NvmeQueue *q, NvmeCmd *cmd)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;
    NvmeCqe cqe;

    qtest_memwrite(p->rig->qts, q->sq + q->tail * sizeof(*cmd), cmd,
                   sizeof(*cmd));
    q->tail = (q->tail + 1) % NVME_QUEUE_SIZE;
    ring(p, q->id, false, q->tail);
    do {
        qtest_clock_step(p->rig->qts, 1000000);
        qtest_memread(p->rig->qts, q->cq + q->head * sizeof(cqe), &cqe,
                      sizeof(cqe));
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    } while ((le16_to_cpu(cqe.status) & 1) != q->phase);

    q->head = (q->head + 1) % NVME_QUEUE_SIZE;
    q->phase ^= !q->head;
    ring(p, q->id, true, q->head);
    return le16_to_cpu(cqe.status) >> 1;
}

static void create_queue(Peer *p, uint8_t opcode, uint64_t address,
                         uint32_t flags)
{
    NvmeCmd cmd = {
        .opcode = opcode,
        .dptr.prp1 = cpu_to_le64(address),
        .cdw10 = cpu_to_le32(p->io.id | (NVME_QUEUE_SIZE - 1) << 16),
        /* Physically contiguous */
        .cdw11 = cpu_to_le32(flags | 1),
    };

    g_assert_cmphex(nvme_run(p, &p->admin, &cmd), ==, NVME_SUCCESS);
}

static void nvme_up(Peer *p)
{
    QTestState *qts = p->rig->qts;

    p->pci = qpci_device_find(p->rig->bus, NVME_DEVFN);
    g_assert_nonnull(p->pci);
    qpci_config_writel(p->pci, PCI_BASE_ADDRESS_0, NVME_REGISTERS);
    qpci_config_writel(p->pci, PCI_BASE_ADDRESS_1, NVME_REGISTERS >> 32);
    qpci_config_writew(p->pci, PCI_COMMAND, PCI_COMMAND_MEMORY |
                       PCI_COMMAND_MASTER);
    qtest_memset(qts, NVME_ADMIN_SQ, 0, 0x4000);
    qtest_writel(qts, NVME_REGISTERS + NVME_REG_AQA,
                 (NVME_QUEUE_SIZE - 1) << 16 | (NVME_QUEUE_SIZE - 1));
    qtest_writeq(qts, NVME_REGISTERS + NVME_REG_ASQ, NVME_ADMIN_SQ);
    qtest_writeq(qts, NVME_REGISTERS + NVME_REG_ACQ, NVME_ADMIN_CQ);
    /* Entries of 64 and 16 bytes */
    qtest_writel(qts, NVME_REGISTERS + NVME_REG_CC,
                 6 << CC_IOSQES_SHIFT | 4 << CC_IOCQES_SHIFT |
                 1 << CC_EN_SHIFT);
    wait_ready(p);
    p->admin = (NvmeQueue) { 0, NVME_ADMIN_SQ, NVME_ADMIN_CQ, .phase = 1 };
    p->io = (NvmeQueue) { 1, NVME_IO_SQ, NVME_IO_CQ, .phase = 1 };
    create_queue(p, NVME_ADM_CMD_CREATE_CQ, NVME_IO_CQ, 0);
    create_queue(p, NVME_ADM_CMD_CREATE_SQ, NVME_IO_SQ, p->io.id << 16);
}

static uint16_t nvme_read_block(Peer *p, uint32_t block, uint64_t address)
{
    NvmeCmd cmd = {
        .opcode = NVME_CMD_READ,
        .nsid = cpu_to_le32(1),
        .dptr.prp1 = cpu_to_le64(address),
        .cdw10 = cpu_to_le32(block),
    };

    return nvme_run(p, &p->io, &cmd);
}

static Peer *peer_new(void)
{
    Peer *p = g_new0(Peer, 1);
    g_autofree char *args = NULL;
    int fd = memfd_create("nvme", 0);

    g_assert_cmpint(ftruncate(fd, NVME_DISK_SIZE), ==, 0);
    p->disk = mmap(NULL, NVME_DISK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                   fd, 0);
    g_assert_true(p->disk != MAP_FAILED);
    for (int i = 0; i < NVME_DISK_SIZE / 4; i++) {
        stl_le_p(p->disk + 4 * i, 0x4e564d65u * (i + 1));
    }
    args = g_strdup_printf(BLK_DRIVE "-blockdev driver=raw,node-name=n0,"
                           "file.driver=file,file.locking=off,"
                           "file.filename=/proc/%d/fd/%d "
                           "-device nvme,serial=peer,addr=6.0,drive=n0",
                           "%s", getpid(), fd);
    p->rig = swiotlb_rig_new(BLK_DEVICE, args);
    close(fd);
    nvme_up(p);
    return p;
}

static void peer_free(Peer *p)
{
    g_free(p->pci);
    swiotlb_rig_free(p->rig);
    munmap(p->disk, NVME_DISK_SIZE);
    g_free(p);
}

/* Write sector @sector from where the segment is already filled. */
static void write_out(Peer *p, SwiotlbQueue *vq, uint64_t sector,
                      const uint8_t *expected)
{
    SwiotlbRig *rig = p->rig;
    BlkRequest req;

    blk_request_init(&req, true, sector);
    /* What is there must be what is written, so the data is left alone. */
    req.no_memory[BLK_DATA] = true;
    blk_request_fill(rig, &req);
    swiotlb_queue_add(vq, req.seg, BLK_SEGMENTS);
    swiotlb_queue_kick(vq);
    swiotlb_queue_wait(vq);
    g_assert_cmpint(qtest_readb(rig->qts, req.seg[BLK_STATUS].addr), ==, 0);
    g_assert_cmpmem(rig->disk + sector * BLK_SECTOR, BLK_SECTOR, expected,
                    BLK_SECTOR);
}

static void test_staged(void)
{
    Peer *p = peer_new();
    SwiotlbRig *rig = p->rig;
    uint8_t data[BLK_SECTOR];
    SwiotlbQueue *vq;
    BlkRequest req;

    swiotlb_rig_negotiate(rig, 0);
    vq = swiotlb_rig_queue(rig, 0);
    swiotlb_rig_driver_ok(rig);
    swiotlb_rig_snapshot(rig);

    for (int block = 3; block < 6; block++) {
        const uint8_t *expected = p->disk + block * BLK_SECTOR;

        blk_request_init(&req, true, block);
        qtest_memset(rig->qts, req.seg[BLK_DATA].addr, 0, BLK_SECTOR);
        g_assert_cmphex(nvme_read_block(p, block, req.seg[BLK_DATA].addr), ==,
                        NVME_SUCCESS);
        qtest_memread(rig->qts, req.seg[BLK_DATA].addr, data, sizeof(data));
        g_assert_cmpmem(data, sizeof(data), expected, BLK_SECTOR);
        write_out(p, vq, block, expected);
        memcpy(rig->disk_before + block * BLK_SECTOR, expected, BLK_SECTOR);
    }
    /* Guest RAM, neighbour, and all other sectors */
    swiotlb_rig_assert_untouched(rig);
    g_assert_cmpuint(swiotlb_rig_rejected(rig), ==, 0);
    swiotlb_queue_free(vq);
    peer_free(p);
}

/* The window is the disk's limit, not the other device's. */
static void test_other_device(void)
{
    Peer *p = peer_new();

    g_assert_cmphex(nvme_read_block(p, 7, RIG_TARGET), ==, NVME_SUCCESS);
    g_assert_cmpmem(p->rig->ram + RIG_TARGET, BLK_SECTOR,
                    p->disk + 7 * BLK_SECTOR, BLK_SECTOR);
    g_assert_cmpuint(swiotlb_rig_rejected(p->rig), ==, 0);
    peer_free(p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    if (!qtest_has_device("nvme")) {
        return g_test_run();
    }
    qtest_add_func("swiotlb/peer/nvme_to_window_to_disk_touches_no_memory",
                   test_staged);
    qtest_add_func("swiotlb/peer/other_device_is_not_confined",
                   test_other_device);
    return g_test_run();
}
