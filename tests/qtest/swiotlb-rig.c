/*
 * A machine in which any byte that leaks shows
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qobject/qdict.h"
#include "swiotlb-rig.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_config.h"

#define WAIT_US         (10 * G_USEC_PER_SEC)
#define BIOS_SIZE       (64 * KiB)

/* Never two equal neighbours of 8 bytes, and differing between the files. */
static void fill(uint8_t *p, size_t size, uint64_t seed)
{
    uint64_t *q = (uint64_t *)p;

    for (size_t i = 0; i < size / sizeof(*q); i++) {
        q[i] = (i + 1) * 0x9e3779b97f4a7c15ull ^ seed;
    }
}

static uint8_t *map_new(int fd, size_t size)
{
    uint8_t *p;

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert_true(p != MAP_FAILED);

    return p;
}

static ino_t inode_of(int fd)
{
    struct stat st;

    g_assert_cmpint(fstat(fd, &st), ==, 0);
    return st.st_ino;
}

/* Both kinds of bridge window: one for the window, one for the registers. */
static void open_port(QPCIDevice *port)
{
    const uint64_t end = RIG_WINDOW + RIG_WINDOW_SIZE - 1;

    qpci_config_writeb(port, PCI_SECONDARY_BUS, 1);
    qpci_config_writeb(port, PCI_SUBORDINATE_BUS, 1);
    qpci_config_writew(port, PCI_PREF_MEMORY_BASE, RIG_WINDOW >> 16);
    qpci_config_writew(port, PCI_PREF_MEMORY_LIMIT, end >> 16);
    qpci_config_writel(port, PCI_PREF_BASE_UPPER32, RIG_WINDOW >> 32);
    qpci_config_writel(port, PCI_PREF_LIMIT_UPPER32, end >> 32);
    qpci_config_writew(port, PCI_MEMORY_BASE, RIG_MODERN >> 16);
    qpci_config_writew(port, PCI_MEMORY_LIMIT, RIG_MODERN >> 16);
    qpci_config_writew(port, PCI_COMMAND, PCI_COMMAND_MEMORY |
                       PCI_COMMAND_MASTER);
}

/* Files by descriptors of ours: gone when both sides have let go of them. */
typedef struct RigFiles {
    int ram;
    int neighbour;
    int bios;
    char *dir;
    char *disk;
    char *log;
} RigFiles;

static void make_files(SwiotlbRig *rig, RigFiles *files)
{
    int disk;

    files->dir = g_dir_make_tmp("swiotlb-XXXXXX", NULL);
    g_assert_nonnull(files->dir);
    files->disk = g_build_filename(files->dir, "disk", NULL);
    files->log = g_build_filename(files->dir, "log", NULL);
    files->ram = memfd_create("ram", 0);
    files->neighbour = memfd_create("neighbour", 0);
    files->bios = memfd_create("bios", 0);
    g_assert_cmpint(ftruncate(files->bios, BIOS_SIZE), ==, 0);
    disk = open(files->disk, O_RDWR | O_CREAT | O_EXCL, 0600);

    rig->ram = map_new(files->ram, rig->ram_size);
    rig->ram_before = g_malloc(rig->ram_size);
    fill(rig->ram, rig->ram_size, 0x5a5a5a5a5a5a5a5aull);
    rig->disk = map_new(disk, RIG_DISK_SIZE);
    rig->disk_before = g_malloc(RIG_DISK_SIZE);
    fill(rig->disk, RIG_DISK_SIZE, 0);
    rig->neighbour = map_new(files->neighbour, RIG_NEIGHBOUR_SIZE);
    rig->neighbour_before = g_malloc(RIG_NEIGHBOUR_SIZE);
    fill(rig->neighbour, RIG_NEIGHBOUR_SIZE, 0xa5a5a5a5a5a5a5a5ull);
    rig->ram_inode = inode_of(files->ram);
    rig->neighbour_inode = inode_of(files->neighbour);
    close(disk);
}

static void drop_files(RigFiles *files)
{
    g_assert_cmpint(g_unlink(files->disk) | g_unlink(files->log) |
                    g_rmdir(files->dir), ==, 0);
    close(files->ram);
    close(files->neighbour);
    close(files->bios);
    g_free(files->disk);
    g_free(files->log);
    g_free(files->dir);
}

static char *command_line(const RigFiles *files, const char *device,
                          const char *window, const char *extra, bool express)
{
    GString *args = g_string_new(NULL);
    int pid = getpid();

    /* No CPU runs, but the machine insists on firmware. */
    g_string_printf(args, "-machine %s,memory-backend=ram0 -m %uM -nodefaults "
                    "-global apic.vapic=off -bios /proc/%d/fd/%d "
                    "-d guest_errors -D %s "
                    "-object memory-backend-file,id=ram0,size=%uM,share=on,"
                    "mem-path=/proc/%d/fd/%d ",
                    express ? "q35" : "pc", (unsigned)(RIG_RAM_SIZE / MiB),
                    pid, files->bios, files->log,
                    (unsigned)(RIG_RAM_SIZE / MiB), pid, files->ram);
    if (extra) {
        g_auto(GStrv) part = g_strsplit(extra, "%s", 2);

        g_string_append_printf(args, "%s%s%s ", part[0],
                               part[1] ? files->disk : "", part[1] ?: "");
    }
    g_string_append_printf(args, "-object memory-backend-file,id=pool0,"
                           "size=%u,share=on,mem-path=/proc/%d/fd/%d "
                           "-device virtio-rng-pci,id=neighbour,addr=5.0,"
                           "swiotlb=on,swiotlb-memdev=pool0 ",
                           (unsigned)RIG_NEIGHBOUR_SIZE, pid,
                           files->neighbour);
    if (express) {
        g_string_append(args, "-device pcie-root-port,id=rp0,addr=3.0 ");
    }
    if (*device == '{') {
        g_string_append_printf(args, "-device '{\"id\": \"" RIG_DEVICE "\","
                               " \"addr\": \"4.0\", %s, %s'", window,
                               device + 1);
    } else {
        g_string_append_printf(args, "-device %s,id=" RIG_DEVICE ",%s%s%s",
                               device, express ? "bus=rp0,addr=0.0" :
                               "addr=4.0", *window ? "," : "", window);
    }
    return g_string_free(args, false);
}

static void map_neighbour(SwiotlbRig *rig)
{
    SwiotlbDriver *neighbour = swiotlb_driver_new(rig->qts, rig->bus,
                                                  RIG_NEIGHBOUR_DEVFN,
                                                  "neighbour");

    swiotlb_driver_map(neighbour, RIG_NEIGHBOUR, RIG_NEIGHBOUR_MODERN);
    swiotlb_driver_free(neighbour);
}

static void start_qemu(SwiotlbRig *rig, RigFiles *files, const char *args)
{
    rig->qts = qtest_init(args);
    rig->log_fd = open(files->log, O_RDONLY);
    g_assert_cmpint(rig->log_fd, >=, 0);
    drop_files(files);
}

/* A machine whose BARs are nowhere yet */
static SwiotlbRig *rig_start(const char *device, const char *window,
                             const char *extra, bool express)
{
    SwiotlbRig *rig = g_new0(SwiotlbRig, 1);
    g_autofree char *args = NULL;
    RigFiles files;

    rig->window = RIG_WINDOW;
    rig->ram_size = RIG_RAM_SIZE;
    rig->counter = g_strdup("/machine/peripheral/" RIG_DEVICE);
    make_files(rig, &files);
    args = command_line(&files, device, window, extra, express);
    start_qemu(rig, &files, args);

    rig->bus = qpci_new_pc(rig->qts, NULL);
    if (express) {
        rig->port = qpci_device_find(rig->bus, RIG_PORT_DEVFN);
        g_assert_nonnull(rig->port);
        open_port(rig->port);
    }
    rig->drv = swiotlb_driver_new(rig->qts, rig->bus, express ?
                                  RIG_EXPRESS_DEVFN : RIG_DEVFN, RIG_DEVICE);

    return rig;
}

void swiotlb_rig_preload(const char *library)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = g_path_get_dirname(self);

    if (library) {
        g_autofree char *path = g_build_filename(dir, library, NULL);

        g_setenv("LD_PRELOAD", path, true);
    } else {
        g_unsetenv("LD_PRELOAD");
    }
}

static SwiotlbRig *rig_new(const char *device, const char *window,
                           const char *extra, bool express)
{
    SwiotlbRig *rig = rig_start(device, window, extra, express);

    map_neighbour(rig);
    swiotlb_rig_map(rig);

    return rig;
}

SwiotlbRig *swiotlb_rig_new_unmapped(const char *device, const char *window,
                                     const char *extra)
{
    return rig_start(device, window, extra, false);
}

SwiotlbRig *swiotlb_rig_new_full(const char *device, const char *window,
                                 const char *extra)
{
    return rig_new(device, window, extra, false);
}

SwiotlbRig *swiotlb_rig_new_express_full(const char *device, const char *window,
                                         const char *extra)
{
    return rig_new(device, window, extra, true);
}

SwiotlbRig *swiotlb_rig_new_express(const char *device, const char *extra)
{
    return swiotlb_rig_new_express_full(device, "swiotlb=on,swiotlb-size=1M",
                                        extra);
}

/* A machine with virtio-mmio transports */
typedef struct MMIOMachine {
    const char *arch;
    const char *options;
    uint64_t ram_base;
    /* All that RAM, or the half of it at its end, has for pools */
    uint64_t pools_end;
    uint64_t transports;
    int transport_count;
} MMIOMachine;

static const MMIOMachine mmio_machines[] = {
    {
        .arch = "aarch64",
        .options = "-machine virt,memory-backend=ram0 -cpu cortex-a57 ",
        .ram_base = 0x40000000,
        .pools_end = 0x40000000 + RIG_MMIO_RAM_SIZE,
        .transports = 0x0a000000,
        .transport_count = 32,
    }, {
        .arch = "x86_64",
        .options = "-machine microvm,acpi=off,memory-backend=ram0 "
                   "-global apic.vapic=off ",
        .pools_end = RIG_MMIO_RAM_SIZE / 2,
        .transports = 0xfeb00000,
        .transport_count = 8,
    },
};

static const MMIOMachine *mmio_machine(void)
{
    for (int i = 0; i < ARRAY_SIZE(mmio_machines); i++) {
        if (g_str_equal(mmio_machines[i].arch, qtest_get_arch())) {
            return &mmio_machines[i];
        }
    }
    g_assert_not_reached();
}

/* The pool that is created first lies highest. */
static char *mmio_command_line(const RigFiles *files, const char *device,
                               const char *extra)
{
    GString *args = g_string_new(mmio_machine()->options);
    g_auto(GStrv) part = g_strsplit(extra, "%s", 2);
    int pid = getpid();

    g_string_append_printf(args, "-m %uM -nodefaults -bios /proc/%d/fd/%d "
                           "-d guest_errors -D %s -object memory-backend-file,"
                           "id=ram0,size=%uM,share=on,mem-path=/proc/%d/fd/%d "
                           "-object memory-backend-file,id=mem1,size=%u,"
                           "share=on,mem-path=/proc/%d/fd/%d "
                           "-object virtio-dma-pool,id=neighbours,memdev=mem1,"
                           "transports=0 "
                           "-device virtio-rng-device,id=neighbour,"
                           "bus=virtio-mmio-bus.0 "
                           "-object virtio-dma-pool,id=pool0,size=%u "
                           "-global virtio-mmio.force-legacy=false "
                           "-global virtio-mmio.swiotlb-pool=pool0 ",
                           (unsigned)(RIG_MMIO_RAM_SIZE / MiB), pid,
                           files->bios, files->log,
                           (unsigned)(RIG_MMIO_RAM_SIZE / MiB), pid,
                           files->ram, (unsigned)RIG_NEIGHBOUR_SIZE, pid,
                           files->neighbour, (unsigned)RIG_WINDOW_SIZE);
    g_string_append_printf(args, "%s%s%s -device %s,id=" RIG_DEVICE, part[0],
                           part[1] ? files->disk : "", part[1] ?: "", device);
    return g_string_free(args, false);
}

/* Devices get the last transport that is free, unless they name one. */
static uint64_t last_transport(const MMIOMachine *machine)
{
    return machine->transports + (machine->transport_count - 1) * 0x200;
}

/* The object that the device's bus is a child of */
static char *transport_path(QTestState *qts)
{
    QDict *rsp = qtest_qmp(qts, "{'execute': 'qom-get', 'arguments': {"
                           " 'path': '/machine/peripheral/" RIG_DEVICE "',"
                           " 'property': 'parent_bus'}}");
    char *path;

    g_assert_true(qdict_haskey(rsp, "return"));
    path = g_path_get_dirname(qdict_get_str(rsp, "return"));
    qobject_unref(rsp);

    return path;
}

SwiotlbRig *swiotlb_rig_new_mmio(const char *device, const char *extra)
{
    const MMIOMachine *machine = mmio_machine();
    SwiotlbRig *rig = g_new0(SwiotlbRig, 1);
    g_autofree char *args = NULL;
    RigFiles files;

    rig->window = machine->pools_end - RIG_NEIGHBOUR_SIZE - RIG_WINDOW_SIZE;
    rig->ram_size = RIG_MMIO_RAM_SIZE;
    rig->ram_base = machine->ram_base;
    make_files(rig, &files);
    args = mmio_command_line(&files, device, extra);
    start_qemu(rig, &files, args);
    rig->counter = transport_path(rig->qts);
    rig->drv = swiotlb_driver_new_mmio(rig->qts, last_transport(machine),
                                       RIG_DEVICE);
    rig->drv->window = rig->window;

    return rig;
}

SwiotlbDriver *swiotlb_rig_neighbour_mmio(SwiotlbRig *rig)
{
    return swiotlb_driver_new_mmio(rig->qts, mmio_machine()->transports,
                                   "neighbour");
}

void swiotlb_rig_map(SwiotlbRig *rig)
{
    if (rig->port) {
        open_port(rig->port);
    }
    swiotlb_driver_map(rig->drv, RIG_WINDOW, RIG_MODERN);
}

void swiotlb_rig_reset_bus(SwiotlbRig *rig)
{
    qpci_config_writew(rig->port, PCI_BRIDGE_CONTROL,
                       PCI_BRIDGE_CTL_BUS_RESET);
    qpci_config_writew(rig->port, PCI_BRIDGE_CONTROL, 0);
}

SwiotlbRig *swiotlb_rig_new(const char *device, const char *extra)
{
    const char *window = *device == '{' ?
        "\"swiotlb\": true, \"swiotlb-size\": 1048576" :
        "swiotlb=on,swiotlb-size=1M";
    SwiotlbRig *rig = swiotlb_rig_new_full(device, window, extra);

    g_assert_cmphex(rig->drv->window_size, ==, RIG_WINDOW_SIZE);

    return rig;
}

/* libqtest looks for QEMU's end ten times a second only; many tests wait. */
static void quit(QTestState *qts)
{
    pid_t pid = qtest_pid(qts);
    siginfo_t info = {};

    g_assert_cmpint(pid, >, 0);
    g_assert_cmpint(kill(pid, SIGTERM), ==, 0);
    for (int i = 0; i < 1000 && !info.si_pid; i++) {
        g_usleep(1000);
        g_assert_cmpint(waitid(P_PID, pid, &info,
                               WEXITED | WNOHANG | WNOWAIT), ==, 0);
    }
    qtest_quit(qts);
}

void swiotlb_rig_free(SwiotlbRig *rig)
{
    swiotlb_driver_free(rig->drv);
    g_free(rig->port);
    if (rig->bus) {
        qpci_free_pc(rig->bus);
    }
    quit(rig->qts);
    munmap(rig->ram, rig->ram_size);
    munmap(rig->disk, RIG_DISK_SIZE);
    munmap(rig->neighbour, RIG_NEIGHBOUR_SIZE);
    close(rig->log_fd);
    g_free(rig->counter);
    g_free(rig->ram_before);
    g_free(rig->disk_before);
    g_free(rig->neighbour_before);
    g_free(rig);
}

void swiotlb_rig_negotiate(SwiotlbRig *rig, uint64_t features)
{
    uint64_t offered = swiotlb_driver_offered(rig->drv);

    features |= (1ull << VIRTIO_F_VERSION_1) |
                (1ull << VIRTIO_F_ACCESS_PLATFORM) |
                (1ull << SWIOTLB_F);
    g_assert_cmphex(offered & features, ==, features);
    g_assert_true(swiotlb_driver_negotiate(rig->drv, features));
    rig->features = features;
}

SwiotlbQueue *swiotlb_rig_queue(SwiotlbRig *rig, uint16_t index)
{
    uint64_t area[RING_AREAS];
    SwiotlbQueue *vq;

    swiotlb_ring_areas_at(swiotlb_rig_in_window(rig, RIG_RINGS) +
                          index * RIG_RINGS_STRIDE, area);
    vq = swiotlb_queue_new(rig->drv, index, area);
    swiotlb_queue_clear(vq);
    swiotlb_queue_enable(vq);

    return vq;
}

void swiotlb_rig_driver_ok(SwiotlbRig *rig)
{
    swiotlb_driver_add_status(rig->drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

uint64_t swiotlb_rig_rejected(SwiotlbRig *rig)
{
    QDict *rsp = qtest_qmp(rig->qts,
                           "{'execute': 'qom-get', 'arguments': {"
                           " 'path': %s, 'property': 'swiotlb-rejected'}}",
                           rig->counter);
    uint64_t rejected;

    g_assert_true(qdict_haskey(rsp, "return"));
    rejected = qdict_get_int(rsp, "return");
    qobject_unref(rsp);

    return rejected;
}

void swiotlb_rig_snapshot(SwiotlbRig *rig)
{
    memcpy(rig->ram_before, rig->ram, rig->ram_size);
    memcpy(rig->disk_before, rig->disk, RIG_DISK_SIZE);
    memcpy(rig->neighbour_before, rig->neighbour, RIG_NEIGHBOUR_SIZE);
    rig->rejected_before = swiotlb_rig_rejected(rig);
    rig->log_before = lseek(rig->log_fd, 0, SEEK_END);
}

/* As a word of its own: 0x10 is not in 0x1000. */
static bool has_word(const char *line, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = line; (p = strstr(p, word)); p++) {
        if ((p == line || !g_ascii_isalnum(p[-1])) &&
            !g_ascii_isalnum(p[len])) {
            return true;
        }
    }
    return false;
}

static bool has_words(const char *line, va_list words)
{
    const char *word;

    while ((word = va_arg(words, const char *))) {
        if (!has_word(line, word)) {
            return false;
        }
    }
    return true;
}

bool swiotlb_rig_logged(SwiotlbRig *rig, ...)
{
    off_t size = lseek(rig->log_fd, 0, SEEK_END) - rig->log_before;
    g_autofree char *text = g_malloc0(size + 1);
    g_auto(GStrv) lines = NULL;
    bool found = false;

    g_assert_cmpint(pread(rig->log_fd, text, size, rig->log_before), ==, size);
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line && !found; line++) {
        va_list words;

        va_start(words, rig);
        found = g_str_has_prefix(*line, "swiotlb: " RIG_DEVICE ": ") &&
                has_words(*line, words);
        va_end(words);
    }
    return found;
}

void swiotlb_rig_barrier(SwiotlbRig *rig)
{
    /*
     * Stopping the machine runs pending notifications of every queue and
     * drains the block layer, in whichever thread they live.
     */
    qtest_qmp_assert_success(rig->qts, "{'execute': 'stop'}");
    qtest_qmp_assert_success(rig->qts, "{'execute': 'cont'}");
}

static void assert_same(const char *what, const uint8_t *now,
                        const uint8_t *before, size_t size)
{
    size_t i;

    if (memcmp(now, before, size) == 0) {
        return;
    }
    for (i = 0; now[i] == before[i]; i++) {
        continue;
    }
    g_error("%s changed at 0x%zx: 0x%02x, was 0x%02x", what, i, now[i],
            before[i]);
}

void swiotlb_rig_assert_untouched(SwiotlbRig *rig)
{
    swiotlb_rig_barrier(rig);
    assert_same("guest RAM", rig->ram, rig->ram_before, rig->ram_size);
    assert_same("disk image", rig->disk, rig->disk_before, RIG_DISK_SIZE);
    assert_same("neighbour's window", rig->neighbour, rig->neighbour_before,
                RIG_NEIGHBOUR_SIZE);
}

bool swiotlb_rig_await_stopped(SwiotlbRig *rig)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;

    while (!(swiotlb_driver_status(rig->drv) & VIRTIO_CONFIG_S_NEEDS_RESET)) {
        if (g_get_monotonic_time() >= end) {
            return false;
        }
        qtest_clock_step(rig->qts, 1000000);
    }
    return true;
}

void swiotlb_rig_assert_stopped(SwiotlbRig *rig, bool interrupt)
{
    swiotlb_rig_await_stopped(rig);
    /* First of all the damage: it says what went wrong. */
    swiotlb_rig_assert_untouched(rig);
    g_assert_cmphex(swiotlb_driver_status(rig->drv) &
                    VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    if (interrupt) {
        g_assert_cmphex(swiotlb_driver_isr(rig->drv) & 2, ==, 2);
    }
    g_assert_cmpuint(swiotlb_rig_rejected(rig), >, rig->rejected_before);
    g_assert_true(swiotlb_rig_logged(rig, NULL));
}

void swiotlb_rig_assert_refused(SwiotlbRig *rig, uint64_t addr, uint64_t len,
                                const char *direction, bool interrupt)
{
    g_autofree char *where = g_strdup_printf("0x%" PRIx64, addr);
    g_autofree char *bytes = g_strdup_printf("0x%" PRIx64, len);

    swiotlb_rig_assert_stopped(rig, interrupt);
    /* What is not asked for is the address again. */
    g_assert_true(swiotlb_rig_logged(rig, where, len ? bytes : where,
                                     direction ?: where, NULL));
}
