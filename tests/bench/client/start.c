/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Command lines of QEMU and of qemu-storage-daemon
 */

#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "start.h"

#define BIOS_SIZE (64 * KIB)

/* A thread that looks for requests in the meantime is not notified of them. */
#define POLL_MAX_NS 32768

static void G_GNUC_PRINTF(2, 3) add(GPtrArray *args, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    g_ptr_array_add(args, g_strdup_vprintf(format, values));
    va_end(values);
}

static void add_memory(GPtrArray *args, const char *id, const SharedFile *file)
{
    add(args, "-object");
    add(args, "memory-backend-file,id=%s,size=%" PRIu64 ",share=on,"
        "mem-path=/proc/self/fd/%d", id, file->size, file->fd);
}

static void add_disk(GPtrArray *args, Machine *machine, const char *option)
{
    add(args, "%s", option);
    if (machine->options->check) {
        add(args, "driver=file,node-name=disk,filename=/proc/self/fd/%d,"
            "locking=off", machine->disk.fd);
    } else {
        add(args, "driver=null-co,node-name=disk,size=%" PRIu64 ","
            "read-zeroes=%s", DISK_SIZE,
            machine->options->zeroes ? "on" : "off");
    }
}

/* Properties of the device that come with its type */
static char *blk_properties(GPtrArray *args, Machine *machine)
{
    GString *text = g_string_new(NULL);
    /* How often it looks depends on the time that passes. */
    int poll_max_ns = machine->options->requests ? 0 : POLL_MAX_NS;
    int i;

    add_disk(args, machine, "-blockdev");
    g_string_append_printf(text, "\"driver\":\"virtio-blk-pci\","
                           "\"drive\":\"disk\",\"queue-size\":%d,"
                           "\"num-queues\":%d,\"iothread-vq-mapping\":[",
                           BLK_QUEUE_SIZE, machine->options->queues);
    for (i = 0; i < machine->options->queues; i++) {
        add(args, "-object");
        add(args, "iothread,id=io%d,poll-max-ns=%d", i, poll_max_ns);
        g_string_append_printf(text, "%s{\"iothread\":\"io%d\"}",
                               i ? "," : "", i);
    }
    g_string_append_c(text, ']');
    return g_string_free(text, FALSE);
}

static char *net_properties(GPtrArray *args, Machine *machine)
{
    /* A hub needs a second port to pass frames on, and nobody is there. */
    add(args, "-netdev");
    add(args, "hubport,id=net,hubid=0");
    add(args, "-netdev");
    add(args, "hubport,id=sink,hubid=0");
    if (machine->options->check) {
        add(args, "-object");
        add(args, "filter-dump,id=dump,netdev=net,file=/proc/self/fd/%d",
            machine->disk.fd);
    }
    return g_strdup_printf("\"driver\":\"virtio-net-pci\",\"netdev\":\"net\","
                           "\"tx_queue_size\":%d", NET_QUEUE_SIZE);
}

static char *back_end_socket(Machine *machine)
{
    return g_strdup_printf("bench-client-%d-%p", (int)getpid(), machine);
}

static char *vhost_user_properties(GPtrArray *args, Machine *machine)
{
    g_autofree char *socket = back_end_socket(machine);

    add(args, "-chardev");
    add(args, "socket,id=back-end,abstract=on,path=%s", socket);
    return g_strdup_printf("\"driver\":\"vhost-user-blk-pci\","
                           "\"chardev\":\"back-end\",\"queue-size\":%d,"
                           "\"num-queues\":%d", BLK_QUEUE_SIZE,
                           machine->options->queues);
}

static void add_device(GPtrArray *args, Machine *machine)
{
    static char *(*const properties_of[])(GPtrArray *, Machine *) = {
        [DEVICE_BLK] = blk_properties,
        [DEVICE_NET] = net_properties,
        [DEVICE_VHOST_USER_BLK] = vhost_user_properties,
    };
    static const char *const iommus[] = {
        [IOMMU_INTEL] = "intel-iommu,aw-bits=48,intremap=off",
        [IOMMU_VIRTIO] = "virtio-iommu-pci,addr=" G_STRINGIFY(IOMMU_SLOT),
    };
    const Variant *variant = machine->variant;
    g_autofree char *properties =
        properties_of[machine->options->device](args, machine);

    if (variant->iommu) {
        add(args, "-device");
        add(args, "%s", iommus[variant->iommu]);
    }
    if (variant->window) {
        add_memory(args, "window", &machine->window);
    }
    add(args, "-device");
    add(args, "{%s,\"addr\":\"%d\",\"romfile\":\"\","
        "\"disable-legacy\":\"on\",\"packed\":%s%s}", properties, DEVICE_SLOT,
        machine->options->packed ? "true" : "false",
        variant->properties ?: "");
}

void start_qemu(Machine *machine, const char *binary)
{
    g_autoptr(GPtrArray) args = g_ptr_array_new_with_free_func(g_free);
    SharedFile bios = shared_file_new("bios", BIOS_SIZE);
    int sockets[2];
    char **word;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets)) {
        die("no sockets: %s", strerror(errno));
    }
    fcntl(sockets[0], F_SETFD, FD_CLOEXEC);

    for (word = machine->options->wrapper; word && *word; word++) {
        add(args, "%s", *word);
    }
    add(args, "%s", binary);
    add(args, "-accel");
    add(args, "qtest");
    add(args, "-machine");
    add(args, "q35,memory-backend=ram");
    add(args, "-m");
    add(args, "%" PRIu64 "M", RAM_SIZE / MIB);
    add_memory(args, "ram", &machine->ram);
    add(args, "-nodefaults");
    add(args, "-vga");
    add(args, "none");
    add(args, "-display");
    add(args, "none");
    add(args, "-name");
    add(args, "bench,debug-threads=on");
    add(args, "-bios");
    add(args, "/proc/self/fd/%d", bios.fd);
    add(args, "-chardev");
    add(args, "socket,id=qtest,fd=%d", sockets[1]);
    add(args, "-qtest");
    add(args, "chardev:qtest");
    add(args, "-qtest-log");
    add(args, "none");
    add_device(args, machine);
    g_ptr_array_add(args, NULL);

    machine->pid = process_start((char **)args->pdata);
    qtest_init(&machine->qtest, sockets[0]);
    close(sockets[1]);
    shared_file_free(&bios);
}

void start_back_end(Machine *machine)
{
    g_autoptr(GPtrArray) args = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *name = back_end_socket(machine);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    /* An abstract name begins with a zero and ends where it ends. */
    memcpy(address.sun_path + 1, name, strlen(name));
    if (bind(fd, (struct sockaddr *)&address,
             offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)) ||
        listen(fd, 1)) {
        die("no socket for the back end: %s", strerror(errno));
    }
    if (!machine->options->storage_daemon) {
        die("vhost-user-blk needs --storage-daemon");
    }
    add(args, "%s", machine->options->storage_daemon);
    add_disk(args, machine, "--blockdev");
    add(args, "--export");
    add(args, "type=vhost-user-blk,id=export,node-name=disk,writable=on,"
        "num-queues=%d,addr.type=fd,addr.str=%d", machine->options->queues,
        fd);
    g_ptr_array_add(args, NULL);
    machine->back_end = process_start((char **)args->pdata);
    close(fd);
}
