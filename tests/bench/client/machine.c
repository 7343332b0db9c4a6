/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A QEMU with one device, ready to work
 */

#include <fcntl.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include "load.h"
#include "start.h"

/* Guest-physical: in RAM, tables of an IOMMU and what the device uses... */
#define TABLES_START MIB
#define TABLES_SIZE (15 * MIB)
#define MEMORY_START (16 * MIB)
#define MEMORY_SIZE WINDOW_SIZE
/* ... and BARs */
#define WINDOW_START 0xd0000000u
#define DEVICE_REGISTERS 0xe8000000u
#define IOMMU_REGISTERS 0xea000000u

#define NET_TRANSMIT_QUEUE 1

static void set_up_iommu(Machine *machine)
{
    machine->iommu = (Iommu){
        .qtest = &machine->qtest,
        .slot = DEVICE_SLOT,
        .tables = &machine->tables,
        .target = MEMORY_START,
    };
    switch (machine->variant->iommu) {
    case IOMMU_INTEL:
        intel_iommu_init(&machine->iommu);
        machine->arena.map = intel_iommu_map;
        break;
    case IOMMU_VIRTIO:
        virtio_iommu_init(&machine->iommu, IOMMU_SLOT, IOMMU_REGISTERS);
        machine->arena.map = virtio_iommu_map;
        break;
    default:
        break;
    }
}

static void share_memory(Machine *machine)
{
    const Variant *variant = machine->variant;
    const Options *options = machine->options;

    machine->ram = shared_file_new("ram", RAM_SIZE);
    machine->tables = (Arena){
        .start = { machine->ram.host + TABLES_START, TABLES_START },
        .size = TABLES_SIZE,
    };
    machine->arena = (Arena){
        .start = { machine->ram.host + MEMORY_START, MEMORY_START },
        .size = MEMORY_SIZE,
    };
    if (variant->window) {
        machine->window = shared_file_new("window", WINDOW_SIZE);
        machine->arena.start = (Area){ machine->window.host, WINDOW_START };
    } else if (variant->iommu) {
        machine->arena.start.bus = IOMMU_START;
        machine->arena.opaque = &machine->iommu;
    }
    if (options->check) {
        machine->disk = shared_file_new("disk", CHECKED_DISK_SIZE);
        if (options->device != DEVICE_NET) {
            blk_data_fill(&machine->disk);
        }
    }
}

static const Load *choose_load(const Options *options)
{
    if (options->device == DEVICE_NET) {
        return &net_load;
    }
    return options->check ? &blk_data_load : &blk_load;
}

static void give_disk(Machine *machine, int number)
{
    Queue *queue = &machine->queues[number];
    uint64_t size = machine->options->size;

    if (machine->options->check) {
        queue->blocks = CHECKED_DISK_SIZE / size;
        queue->disk = machine->disk.host;
    } else {
        queue->blocks = DISK_SIZE / size;
    }
}

static void set_up_device(Machine *machine)
{
    const Options *options = machine->options;
    bool is_net = options->device == DEVICE_NET;
    uint64_t features = 1ull << VIRTIO_F_VERSION_1 | machine->variant->features;
    int i;

    if (options->packed) {
        features |= 1ull << VIRTIO_F_RING_PACKED;
    }
    if (options->indirect) {
        features |= 1ull << VIRTIO_RING_F_INDIRECT_DESC;
    }
    if (options->queues > 1) {
        features |= 1ull << VIRTIO_BLK_F_MQ;
    }
    virtio_pci_init(&machine->dev, &machine->qtest, DEVICE_SLOT,
                    DEVICE_REGISTERS,
                    machine->variant->window ? WINDOW_START : 0);
    virtio_pci_negotiate(&machine->dev, features);
    for (i = 0; i < options->queues; i++) {
        queue_init(&machine->queues[i], options, choose_load(options),
                   &machine->dev, is_net ? NET_TRANSMIT_QUEUE : i,
                   is_net ? NET_QUEUE_SIZE : BLK_QUEUE_SIZE, &machine->arena);
        give_disk(machine, i);
    }
    virtio_pci_driver_ok(&machine->dev);
}

/* The thread that serves queue @i, and its process */
static pid_t find_thread(Machine *machine, int i, pid_t *pid)
{
    g_autofree char *name = g_strdup_printf("IO io%d", i);
    pid_t tid;

    switch (machine->options->device) {
    case DEVICE_BLK:
        *pid = machine->pid;
        tid = process_thread(*pid, name);
        break;
    case DEVICE_NET:
        *pid = tid = machine->pid;
        break;
    default:
        *pid = tid = machine->back_end;
        break;
    }
    if (!tid) {
        die("QEMU has no thread '%s'", name);
    }
    return tid;
}

/* The threads take turns if there are not enough processors. */
static void place_threads(Machine *machine)
{
    const Options *options = machine->options;
    int i;

    machine->n_threads = options->device == DEVICE_BLK ? options->queues : 1;
    for (i = 0; i < machine->n_threads; i++) {
        pid_t pid, tid = find_thread(machine, i, &pid);

        if (options->cpus) {
            process_pin(tid, options->cpus[1 + i % (options->n_cpus - 1)]);
        }
        machine->cputime[i] = cputime_open(pid, tid);
    }
}

/* What the next machine's processes are not to inherit */
static void keep_files(Machine *machine)
{
    const SharedFile *files[] = { &machine->ram, &machine->window,
                                  &machine->disk };

    for (int i = 0; i < G_N_ELEMENTS(files); i++) {
        if (files[i]->size) {
            fcntl(files[i]->fd, F_SETFD, FD_CLOEXEC);
        }
    }
}

Machine *machine_new(const char *text, const Options *options)
{
    Machine *machine = g_new0(Machine, 1);
    g_auto(GStrv) words = g_strsplit(text, "=", 3);

    if (g_strv_length(words) != 3) {
        die("'%s' is not LABEL=VARIANT=BINARY", text);
    }
    machine->label = g_strdup(words[0]);
    machine->variant = variant_find(words[1]);
    machine->options = options;
    share_memory(machine);
    if (options->device == DEVICE_VHOST_USER_BLK) {
        start_back_end(machine);
    }
    start_qemu(machine, words[2]);
    keep_files(machine);
    set_up_iommu(machine);
    set_up_device(machine);
    place_threads(machine);
    return machine;
}

void machine_free(Machine *machine)
{
    int i;

    process_end(machine->pid, machine->label);
    if (machine->back_end) {
        process_end(machine->back_end, "qemu-storage-daemon");
    }
    for (i = 0; i < machine->n_threads; i++) {
        close(machine->cputime[i]);
    }
    for (i = 0; i < machine->options->queues; i++) {
        queue_free(&machine->queues[i]);
    }
    if (machine->variant->iommu == IOMMU_VIRTIO) {
        virtio_iommu_free(&machine->iommu);
    }
    close(machine->qtest.fd);
    shared_file_free(&machine->ram);
    if (machine->window.size) {
        shared_file_free(&machine->window);
    }
    if (machine->disk.size) {
        shared_file_free(&machine->disk);
    }
    g_free((char *)machine->label);
    g_free(machine);
}
