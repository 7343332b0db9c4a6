/*
 * Properties of a device with a window: errors, defaults, what is shown
 *
 * Each mistake is made twice, on the command line and with device_add.  The
 * message has to name the property and what to do; after device_add nothing of
 * the device may be left, so that the same id and the same memory backend work
 * at the next try.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qemu/cutils.h"
#include "qemu/units.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qstring.h"
#include "qobject/qnum.h"
#include "qobject/qbool.h"
#include "tests/qtest/libqtest.h"
#include "tests/qtest/libqos/pci-pc.h"
#include "swiotlb-rig.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_config.h"

#define DEFAULT_SIZE    (64 * MiB)

typedef struct Mistake {
    const char *name;
    /* Goes before the device, on both occasions; NULL: nothing. */
    const char *machine;
    const char *objects;
    const char *driver;
    /* As on the command line */
    const char *props;
    const char *words[4];
    /* The memory backend must be free again. */
    const char *memdev;
    /* Cannot be plugged into this machine at run time. */
    bool cold_only;
} Mistake;

static const Mistake mistakes[] = {
    {
        .name = "size_that_is_no_power_of_two",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-size=3M",
        .words = { "swiotlb-size", "power of two", "swiotlb-size=64M" },
    }, {
        .name = "size_below_one_mebibyte",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-size=512K",
        .words = { "swiotlb-size", "1M or more", "swiotlb-size=64M" },
    }, {
        .name = "size_of_zero",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-size=0",
        .words = { "swiotlb-size", "1M or more", "swiotlb-size=64M" },
    }, {
        .name = "size_and_memdev",
        .objects = "-object memory-backend-ram,id=pool0,size=1M",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-size=1M,swiotlb-memdev=pool0",
        .words = { "swiotlb-size", "swiotlb-memdev", "drop swiotlb-size" },
        .memdev = "pool0",
    }, {
        .name = "default_size_and_memdev",
        .objects = "-object memory-backend-ram,id=pool0,size=1M",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-size=64M,swiotlb-memdev=pool0",
        .words = { "swiotlb-size", "swiotlb-memdev", "drop swiotlb-size" },
        .memdev = "pool0",
    }, {
        .name = "memdev_that_is_missing",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-memdev=pool0",
        .words = { "swiotlb-memdev", "'pool0'", "-object" },
    }, {
        .name = "memdev_that_is_no_memory",
        .objects = "-object rng-builtin,id=pool0",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-memdev=pool0",
        .words = { "swiotlb-memdev", "'pool0'", "-object" },
    }, {
        .name = "memdev_of_another_device",
        .objects = "-object memory-backend-ram,id=pool0,size=1M "
                   "-device virtio-rng-pci,id=other,swiotlb=on,"
                   "swiotlb-memdev=pool0",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-memdev=pool0",
        .words = { "swiotlb-memdev", "'pool0'", "in use" },
    }, {
        .name = "memdev_of_the_machine",
        .machine = "pc,memory-backend=pool0",
        .objects = "-object memory-backend-ram,id=pool0,size=128M",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-memdev=pool0",
        .words = { "swiotlb-memdev", "'pool0'", "in use" },
    }, {
        .name = "memdev_that_is_no_power_of_two",
        .objects = "-object memory-backend-ram,id=pool0,size=3M",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-memdev=pool0",
        .words = { "swiotlb-memdev", "'pool0'", "power of two" },
    }, {
        .name = "memdev_below_one_mebibyte",
        .objects = "-object memory-backend-ram,id=pool0,size=512K",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-memdev=pool0",
        .words = { "swiotlb-memdev", "'pool0'", "1M or more" },
    }, {
        .name = "transitional_type",
        .driver = "virtio-rng-pci-transitional",
        .props = "swiotlb=on",
        .words = { "swiotlb=on", "non-transitional" },
    }, {
        .name = "legacy_interface",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,disable-legacy=off",
        .words = { "swiotlb=on", "drop disable-legacy=off" },
    }, {
        .name = "no_modern_interface",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,disable-modern=on",
        .words = { "swiotlb=on", "drop disable-modern=on" },
    }, {
        .name = "balloon",
        .driver = "virtio-balloon-pci",
        .props = "swiotlb=on",
        .words = { "swiotlb=on", "virtio-balloon-pci", "swiotlb=off",
                   "pc-dimm" },
    }, {
        .name = "iommu",
        .machine = "q35",
        .driver = "virtio-iommu-pci",
        .props = "swiotlb=on",
        .words = { "swiotlb=on", "virtio-iommu-pci", "swiotlb=off",
                   "intel-iommu" },
        .cold_only = true,
    }, {
        .name = "memory_device",
        .objects = "-m 128M,maxmem=1G,slots=2 "
                   "-object memory-backend-ram,id=mem0,size=128M",
        .driver = "virtio-mem-pci",
        .props = "memdev=mem0,swiotlb=on",
        .words = { "swiotlb=on", "virtio-mem-pci", "swiotlb=off",
                   "pc-dimm" },
    }, {
        .name = "persistent_memory_device",
        .objects = "-m 128M,maxmem=1G,slots=2 "
                   "-object memory-backend-ram,id=mem0,size=128M",
        .driver = "virtio-pmem-pci",
        .props = "memdev=mem0,swiotlb=on",
        .words = { "swiotlb=on", "virtio-pmem-pci", "swiotlb=off",
                   "virtio-blk-pci" },
    }, {
        .name = "host_memory_of_gpu",
        .driver = "virtio-gpu-pci",
        .props = "swiotlb=on,hostmem=256M",
        .words = { "swiotlb=on", "drop hostmem" },
        .cold_only = true,
    }, {
        .name = "host_memory_of_vga",
        .driver = "virtio-vga",
        .props = "romfile=,swiotlb=on,hostmem=256M",
        .words = { "swiotlb=on", "drop hostmem" },
        .cold_only = true,
    }, {
        .name = "blob_resources_of_gpu",
        .driver = "virtio-gpu-pci",
        .props = "swiotlb=on,blob=on",
        .words = { "swiotlb=on", "drop blob" },
        .cold_only = true,
    }, {
        .name = "no_free_bar_beside_port_io",
        .driver = "virtio-vga",
        .props = "romfile=,swiotlb=on,modern-pio-notify=on",
        .words = { "swiotlb=on", "BAR", "drop modern-pio-notify=on" },
        .cold_only = true,
    }, {
        .name = "no_room_for_capability",
        .machine = "q35",
        .objects = "-device pcie-root-port,id=rp",
        .driver = "virtio-rng-pci",
        .props = "bus=rp,swiotlb=on,modern-pio-notify=on",
        .words = { "swiotlb=on", "config space", "drop modern-pio-notify=on" },
    }, {
        .name = "bar_that_is_set",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-bar=2",
        .words = { "swiotlb-bar", "not writable" },
    }, {
        .name = "counter_that_is_set",
        .driver = "virtio-rng-pci",
        .props = "swiotlb=on,swiotlb-rejected=0",
        .words = { "swiotlb-rejected", "not writable" },
    },
};

static char *new_firmware(void)
{
    char *path = NULL;
    int fd = g_file_open_tmp("swiotlb-bios-XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, 64 * KiB), ==, 0);
    close(fd);
    return path;
}

static char *machine_args(const Mistake *m, const char *bios)
{
    return g_strdup_printf("-machine %s -nodefaults -bios %s "
                           "-global apic.vapic=off %s",
                           m->machine ?: "pc", bios, m->objects ?: "");
}

static QTestState *start(const char *machine, const char *args)
{
    g_autofree char *bios = new_firmware();
    Mistake m = { .machine = machine, .objects = args };
    g_autofree char *all = machine_args(&m, bios);
    QTestState *qts = qtest_init(all);

    g_unlink(bios);
    return qts;
}

/* One line, but for what a sanitizer has to say. */
static void assert_words(const char *message, const Mistake *m)
{
    g_auto(GStrv) lines = g_strsplit(message, "\n", -1);
    int own = 0;

    for (char **line = lines; *line; line++) {
        own += **line && !g_str_has_prefix(*line, "==");
    }
    g_assert_cmpint(own, ==, 1);
    for (int i = 0; i < ARRAY_SIZE(m->words) && m->words[i]; i++) {
        if (!strstr(message, m->words[i])) {
            g_error("'%s' is not in: %s", m->words[i], message);
        }
    }
}

static void test_command_line(const void *opaque)
{
    const Mistake *m = opaque;
    g_autofree char *bios = new_firmware();
    g_autofree char *args = machine_args(m, bios);
    /* A device that is accepted would keep QEMU running. */
    g_autofree char *command = g_strdup_printf(
        "timeout 30 %s -accel qtest -display none -S %s -device %s,%s",
        getenv("QTEST_QEMU_BINARY"), args, m->driver, m->props);
    g_autofree char *output = NULL;
    g_autofree char *errors = NULL;
    g_auto(GStrv) argv = NULL;
    int status;

    g_assert_true(g_shell_parse_argv(command, NULL, &argv, NULL));
    g_assert_true(g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL,
                               NULL, &output, &errors, &status, NULL));
    g_unlink(bios);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    g_assert_cmpstr(output, ==, "");
    assert_words(errors, m);
}

/* Command line properties as QMP wants them: booleans, numbers, strings. */
static QDict *props_to_qmp(const char *props)
{
    g_auto(GStrv) pair = g_strsplit(props, ",", -1);
    QDict *qmp = qdict_new();

    for (char **p = pair; *p; p++) {
        char *value = strchr(*p, '=');
        uint64_t number;

        *value++ = 0;
        if (!strcmp(value, "on") || !strcmp(value, "off")) {
            if (!strcmp(*p, "disable-legacy")) {
                /* OnOffAuto */
                qdict_put_str(qmp, *p, value);
            } else {
                qdict_put_bool(qmp, *p, !strcmp(value, "on"));
            }
        } else if (strcmp(*p, "addr") &&
                   qemu_strtosz(value, NULL, &number) == 0) {
            qdict_put_int(qmp, *p, number);
        } else {
            qdict_put_str(qmp, *p, value);
        }
    }
    return qmp;
}

static QDict *device_add(QTestState *qts, const char *driver, const char *id,
                         const char *props)
{
    QDict *args = props_to_qmp(props);

    qdict_put_str(args, "driver", driver);
    qdict_put_str(args, "id", id);
    return qtest_qmp(qts, "{'execute': 'device_add', 'arguments': %p}", args);
}

static void assert_no_error(QDict *rsp)
{
    if (qdict_haskey(rsp, "error")) {
        g_error("%s", qdict_get_str(qdict_get_qdict(rsp, "error"), "desc"));
    }
    qobject_unref(rsp);
}

static QObject *qom_get(QTestState *qts, const char *id, const char *property)
{
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", id);
    QDict *rsp = qtest_qmp(qts, "{'execute': 'qom-get', 'arguments': {"
                           "'path': %s, 'property': %s}}", path, property);
    QObject *value = qobject_ref(qdict_get(rsp, "return"));

    qobject_unref(rsp);
    g_assert_nonnull(value);
    return value;
}

static uint64_t qom_get_uint(QTestState *qts, const char *id,
                             const char *property)
{
    QObject *value = qom_get(qts, id, property);
    uint64_t number = qnum_get_uint(qobject_to(QNum, value));

    qobject_unref(value);
    return number;
}

static bool qom_get_bool(QTestState *qts, const char *id, const char *property)
{
    QObject *value = qom_get(qts, id, property);
    bool flag = qbool_get_bool(qobject_to(QBool, value));

    qobject_unref(value);
    return flag;
}

static void test_device_add(const void *opaque)
{
    const Mistake *m = opaque;
    QTestState *qts = start(m->machine, m->objects);
    QDict *rsp;

    /* Twice: the first failure must not be what the second one is about. */
    for (int i = 0; i < 2; i++) {
        g_autofree char *desc = NULL;

        rsp = device_add(qts, m->driver, "dev0", m->props);
        g_assert_true(qdict_haskey(rsp, "error"));
        desc = g_strdup(qdict_get_str(qdict_get_qdict(rsp, "error"), "desc"));
        qobject_unref(rsp);
        assert_words(desc, m);
    }

    rsp = qtest_qmp(qts, "{'execute': 'qom-list', 'arguments': {"
                    "'path': '/machine/peripheral/dev0'}}");
    g_assert_true(qdict_haskey(rsp, "error"));
    qobject_unref(rsp);

    if (m->machine && !strcmp(m->machine, "q35")) {
        assert_no_error(device_add(qts, "virtio-rng-pci", "dev0",
                                   "bus=rp,swiotlb=on,swiotlb-size=1M"));
    } else if (m->memdev) {
        g_autofree char *good = g_strdup_printf("swiotlb=on,swiotlb-memdev=%s",
                                                m->memdev);

        assert_no_error(device_add(qts, "virtio-rng-pci", "dev0", good));
    } else {
        assert_no_error(device_add(qts, "virtio-rng-pci", "dev0",
                                   "swiotlb=on,swiotlb-size=1M"));
    }
    g_assert_true(qom_get_bool(qts, "dev0", "swiotlb"));
    qtest_quit(qts);
}

/* A backend that no device got is the user's to delete. */
static void test_backend_is_released(const void *opaque)
{
    const Mistake *m = opaque;
    QTestState *qts = start(m->machine, m->objects);
    QDict *rsp;

    qobject_unref(device_add(qts, m->driver, "dev0", m->props));
    rsp = qtest_qmp(qts, "{'execute': 'object-del', 'arguments': {"
                    "'id': 'pool0'}}");
    assert_no_error(rsp);
    qtest_quit(qts);
}

static void test_defaults(void)
{
    QTestState *qts = start(NULL, "-device virtio-rng-pci,id=plain "
                            "-device virtio-rng-pci,id=window,swiotlb=on");
    QObject *memdev;

    g_assert_false(qom_get_bool(qts, "plain", "swiotlb"));
    g_assert_true(qom_get_bool(qts, "window", "swiotlb"));
    for (int i = 0; i < 2; i++) {
        const char *id = i ? "window" : "plain";

        g_assert_true(qom_get_bool(qts, id, "swiotlb-required"));
        g_assert_cmpuint(qom_get_uint(qts, id, "swiotlb-size"), ==,
                         DEFAULT_SIZE);
        g_assert_cmpuint(qom_get_uint(qts, id, "swiotlb-rejected"), ==, 0);
        memdev = qom_get(qts, id, "swiotlb-memdev");
        g_assert_cmpstr(qstring_get_str(qobject_to(QString, memdev)), ==, "");
        qobject_unref(memdev);
    }
    /* Not one of the six BARs */
    g_assert_cmpuint(qom_get_uint(qts, "plain", "swiotlb-bar"), >=, 6);
    qtest_quit(qts);
}

static void assert_window(QTestState *qts, const char *id, int devfn,
                          uint64_t size)
{
    QPCIBus *bus = qpci_new_pc(qts, NULL);
    SwiotlbDriver *drv = swiotlb_driver_new(qts, bus, devfn, id);

    g_assert_cmpuint(qom_get_uint(qts, id, "swiotlb-bar"), ==,
                     drv->window_bar);
    g_assert_cmphex(drv->window_size, ==, size);
    swiotlb_driver_free(drv);
    qpci_free_pc(bus);
}

static void test_sizes(void)
{
    QTestState *qts = start(NULL, "-object memory-backend-memfd,id=pool0,"
                            "size=2M,share=on "
                            "-device virtio-rng-pci,id=d3,addr=3.0,swiotlb=on "
                            "-device virtio-rng-pci,id=d4,addr=4.0,swiotlb=on,"
                            "swiotlb-size=1M "
                            "-device virtio-rng-pci,id=d5,addr=5.0,swiotlb=on,"
                            "swiotlb-size=8G "
                            "-device virtio-rng-pci,id=d6,addr=6.0,swiotlb=on,"
                            "swiotlb-memdev=pool0");

    assert_window(qts, "d3", QPCI_DEVFN(3, 0), DEFAULT_SIZE);
    assert_window(qts, "d4", QPCI_DEVFN(4, 0), 1 * MiB);
    assert_window(qts, "d5", QPCI_DEVFN(5, 0), 8 * GiB);
    assert_window(qts, "d6", QPCI_DEVFN(6, 0), 2 * MiB);
    qtest_quit(qts);
}

/* Shared memory that QEMU has touched, in KiB */
static uint64_t shared_kib(QTestState *qts)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status",
                                            (int)qtest_pid(qts));
    g_autofree char *text = NULL;
    char *line;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    line = strstr(text, "RssShmem:");
    g_assert_nonnull(line);
    return g_ascii_strtoull(line + strlen("RssShmem:"), NULL, 10);
}

static void test_idle_window_costs_nothing(void)
{
    QTestState *qts = start(NULL, "-device virtio-rng-pci,swiotlb=on,"
                            "swiotlb-size=1G");

    /* Not even a page table's worth of pages */
    g_assert_cmpuint(shared_kib(qts), <, 1 * KiB);
    qtest_quit(qts);
}

static void test_read_only(const void *opaque)
{
    QTestState *qts = start(NULL, "-device virtio-rng-pci,id=dev0,swiotlb=on");
    QDict *rsp = qtest_qmp(qts, "{'execute': 'qom-set', 'arguments': {"
                           "'path': '/machine/peripheral/dev0',"
                           "'property': %s, 'value': 1}}",
                           (const char *)opaque);

    g_assert_true(qdict_haskey(rsp, "error"));
    qobject_unref(rsp);
    qtest_quit(qts);
}

static void test_fixed_once_realized(const void *opaque)
{
    QTestState *qts = start(NULL, "-device virtio-rng-pci,id=dev0,swiotlb=on");
    QDict *value = props_to_qmp(opaque);
    const char *property = qdict_first(value)->key;
    QDict *args = qdict_new();
    QDict *rsp;

    qdict_put_str(args, "path", "/machine/peripheral/dev0");
    qdict_put_str(args, "property", property);
    qdict_put_obj(args, "value", qobject_ref(qdict_get(value, property)));
    rsp = qtest_qmp(qts, "{'execute': 'qom-set', 'arguments': %p}", args);
    g_assert_true(qdict_haskey(rsp, "error"));
    qobject_unref(rsp);
    qobject_unref(value);
    g_assert_true(qom_get_bool(qts, "dev0", "swiotlb"));
    qtest_quit(qts);
}

static bool lists_property(QTestState *qts, const char *type,
                           const char *property)
{
    QDict *rsp = qtest_qmp(qts, "{'execute': 'device-list-properties',"
                           " 'arguments': {'typename': %s}}", type);
    bool found = false;
    QListEntry *e;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(rsp, "return"), e) {
        QDict *p = qobject_to(QDict, qlist_entry_obj(e));

        found |= !strcmp(qdict_get_str(p, "name"), property);
    }
    qobject_unref(rsp);
    return found;
}

static void test_every_type_has_them(void)
{
    static const char *const properties[] = {
        "swiotlb", "swiotlb-required", "swiotlb-size", "swiotlb-memdev",
        "swiotlb-bar", "swiotlb-rejected",
    };
    QTestState *qts = qtest_init("-machine none");
    QDict *rsp = qtest_qmp(qts, "{'execute': 'qom-list-types', 'arguments': {"
                           "'implements': 'virtio-pci', 'abstract': false}}");
    int types = 0;
    QListEntry *e;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(rsp, "return"), e) {
        QDict *t = qobject_to(QDict, qlist_entry_obj(e));

        types++;
        for (int i = 0; i < ARRAY_SIZE(properties); i++) {
            g_assert_true(lists_property(qts, qdict_get_str(t, "name"),
                                         properties[i]));
        }
    }
    g_assert_cmpint(types, >, 10);
    qobject_unref(rsp);
    qtest_quit(qts);
}

static void test_help(void)
{
    static const char *const lines[] = {
        "swiotlb=<bool>", "swiotlb-required=<bool>", "swiotlb-size=<size>",
        "swiotlb-memdev=<str>", "swiotlb-bar=<uint8>",
        "swiotlb-rejected=<uint64>",
    };
    g_autofree char *command = g_strdup_printf("%s -device virtio-blk-pci,help",
                                               getenv("QTEST_QEMU_BINARY"));
    g_autofree char *output = NULL;
    int status;

    g_assert_true(g_spawn_command_line_sync(command, &output, NULL, &status,
                                            NULL));
    g_assert_cmpint(status, ==, 0);
    for (int i = 0; i < ARRAY_SIZE(lines); i++) {
        g_assert_nonnull(strstr(output, lines[i]));
    }
}

static void test_info_qtree(void)
{
    QTestState *qts = start(NULL, "-device virtio-rng-pci,id=dev0,swiotlb=on,"
                            "swiotlb-size=2M");
    g_autofree char *tree = qtest_hmp(qts, "info qtree");

    g_assert_nonnull(strstr(tree, "swiotlb = true"));
    g_assert_nonnull(strstr(tree, "swiotlb-required = true"));
    g_assert_nonnull(strstr(tree, "swiotlb-size = 2097152"));
    g_assert_nonnull(strstr(tree, "swiotlb-bar = "));
    g_assert_nonnull(strstr(tree, "swiotlb-rejected = 0"));
    qtest_quit(qts);
}

/* The feature by its name once accepted, and only where there is a window. */
static void test_virtio_status(void)
{
    SwiotlbRig *rig = swiotlb_rig_new("virtio-rng-pci", NULL);
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;
    const char *command = "info virtio-status "
                          "/machine/peripheral/dev0/virtio-backend";

    before = qtest_hmp(rig->qts, "%s", command);
    swiotlb_rig_negotiate(rig, 0);
    after = qtest_hmp(rig->qts, "%s", command);
    if (strstr(after, "unknown command")) {
        g_test_skip("no introspection of virtio in this build");
    } else {
        const char *guest = strstr(after, "Guest features");

        g_assert_nonnull(guest);
        g_assert_nonnull(strstr(guest, "VIRTIO_F_SWIOTLB"));
        g_assert_null(strstr(after, "VIRTIO_F_ANY_LAYOUT"));
        g_assert_nonnull(strstr(before, "VIRTIO_F_SWIOTLB"));
    }
    swiotlb_rig_free(rig);
}

static void assert_zeros(QTestState *qts, uint64_t addr)
{
    static const uint8_t zeros[4 * KiB];
    uint8_t got[sizeof(zeros)];

    qtest_memread(qts, addr, got, sizeof(got));
    g_assert_cmpmem(got, sizeof(got), zeros, sizeof(zeros));
}

/* Plugged and unplugged over and over, in use or not. */
static void test_replug(const void *opaque)
{
    const char *props = opaque;
    /* What a user's backend holds is the user's. */
    bool fresh = !strstr(props, "swiotlb-memdev");
    QTestState *qts = start(NULL, "-object memory-backend-memfd,id=pool0,"
                            "size=1M,share=on");
    QPCIBus *bus = qpci_new_pc(qts, NULL);

    for (int i = 0; i < 4; i++) {
        SwiotlbDriver *drv;

        assert_no_error(device_add(qts, "virtio-rng-pci", "dev0", props));
        drv = swiotlb_driver_new(qts, bus, QPCI_DEVFN(6, 0), "dev0");
        swiotlb_driver_map(drv, 0xe8000000, RIG_MODERN);
        if (fresh) {
            /* Nothing is left of the window that was in this place. */
            assert_zeros(qts, 0xe8020000);
            qtest_memset(qts, 0xe8020000, 0x5a, 4 * KiB);
        }
        if (i & 1) {
            uint64_t area[RING_AREAS];
            SwiotlbQueue *vq;

            g_assert_true(swiotlb_driver_negotiate(drv,
                (1ull << SWIOTLB_F) | (1ull << VIRTIO_F_VERSION_1) |
                (1ull << VIRTIO_F_ACCESS_PLATFORM)));
            swiotlb_ring_areas_at(0xe8000000, area);
            vq = swiotlb_queue_new(drv, 0, area);
            swiotlb_queue_clear(vq);
            swiotlb_queue_enable(vq);
            swiotlb_driver_add_status(drv, VIRTIO_CONFIG_S_DRIVER_OK);
            swiotlb_queue_add(vq, &(SwiotlbDesc) { 0xe8010000, 64, true }, 1);
            swiotlb_queue_kick(vq);
            swiotlb_queue_wait(vq);
            swiotlb_queue_free(vq);
        }
        if (i & 2) {
            /* The state in which a driver leaves it that is gone already */
            swiotlb_driver_command(drv, 0, PCI_COMMAND_MEMORY |
                                   PCI_COMMAND_MASTER);
        }
        swiotlb_driver_free(drv);
        qpci_unplug_acpi_device_test(qts, "dev0", 6);
    }
    assert_no_error(qtest_qmp(qts, "{'execute': 'object-del', 'arguments': {"
                              "'id': 'pool0'}}"));
    qpci_free_pc(bus);
    qtest_quit(qts);
}

int main(int argc, char **argv)
{
    static const char *const read_only[] = {
        "swiotlb-bar", "swiotlb-rejected",
    };
    static const char *const fixed[] = {
        "swiotlb=off", "swiotlb-required=off", "swiotlb-size=2M",
        "swiotlb-memdev=pool0",
    };

    g_test_init(&argc, &argv, NULL);

    for (int i = 0; i < ARRAY_SIZE(mistakes); i++) {
        const Mistake *m = &mistakes[i];
        g_autofree char *cold = g_strdup_printf(
            "swiotlb/property/command_line/%s_is_refused", m->name);
        g_autofree char *hot = g_strdup_printf(
            "swiotlb/property/device_add/%s_leaves_nothing", m->name);
        g_autofree char *backend = g_strdup_printf(
            "swiotlb/property/device_add/%s_releases_backend", m->name);

        if (!qtest_has_device(m->driver)) {
            continue;
        }
        qtest_add_data_func(cold, m, test_command_line);
        if (!m->cold_only) {
            qtest_add_data_func(hot, m, test_device_add);
        }
        if (m->objects && strstr(m->objects, "id=pool0") &&
            !strstr(m->words[2], "in use")) {
            qtest_add_data_func(backend, m, test_backend_is_released);
        }
    }
    for (int i = 0; i < ARRAY_SIZE(read_only); i++) {
        g_autofree char *path = g_strdup_printf(
            "swiotlb/property/%s_is_read_only", read_only[i]);

        qtest_add_data_func(path, read_only[i], test_read_only);
    }
    for (int i = 0; i < ARRAY_SIZE(fixed); i++) {
        g_autofree char *name = g_strndup(fixed[i], strcspn(fixed[i], "="));
        g_autofree char *path = g_strdup_printf(
            "swiotlb/property/%s_is_fixed_once_realized", name);

        qtest_add_data_func(path, fixed[i], test_fixed_once_realized);
    }
    qtest_add_func("swiotlb/property/defaults_are_documented_ones",
                   test_defaults);
    qtest_add_func("swiotlb/property/window_is_as_large_as_asked", test_sizes);
    qtest_add_func("swiotlb/property/idle_window_costs_nothing",
                   test_idle_window_costs_nothing);
    qtest_add_func("swiotlb/property/every_type_has_them",
                   test_every_type_has_them);
    qtest_add_func("swiotlb/property/help_shows_them", test_help);
    qtest_add_func("swiotlb/property/info_qtree_shows_them", test_info_qtree);
    qtest_add_func("swiotlb/property/virtio_status_names_the_feature",
                   test_virtio_status);
    qtest_add_data_func("swiotlb/property/replug_with_size",
                        "addr=6.0,swiotlb=on,swiotlb-size=1M", test_replug);
    qtest_add_data_func("swiotlb/property/replug_with_memdev",
                        "addr=6.0,swiotlb=on,swiotlb-memdev=pool0",
                        test_replug);

    return g_test_run();
}
