/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bench-client: drive virtio devices of one or several QEMUs
 *
 * One case of the benchmark. It prints what it counted, a line of JSON for
 * each slice; tests/bench/bench knows what to make of it.
 */

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include "load.h"
#include "measure.h"

#define CHECKED_REQUESTS 1000

static DeviceType device_type(const char *name)
{
    static const char *const names[] = {
        [DEVICE_BLK] = "virtio-blk",
        [DEVICE_NET] = "virtio-net",
        [DEVICE_VHOST_USER_BLK] = "vhost-user-blk",
    };

    for (int i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_equal(name, names[i])) {
            return i;
        }
    }
    die("no device '%s'", name);
}

static void parse_cpus(const char *text, Options *options)
{
    g_auto(GStrv) words = NULL;
    int i;

    if (!text) {
        return;
    }
    words = g_strsplit(text, ",", 0);
    options->n_cpus = g_strv_length(words);
    if (options->n_cpus < 2) {
        die("--cpus needs two numbers or more: the client's and the device's");
    }
    options->cpus = g_new0(int, options->n_cpus);
    for (i = 0; i < options->n_cpus; i++) {
        options->cpus[i] = atoi(words[i]);
    }
}

static void check_options(Options *options)
{
    if (options->queues < 1 || options->queues > QUEUES_MAX) {
        die("--queues: 1 to %d", QUEUES_MAX);
    }
    if (options->device == DEVICE_NET && options->queues > 1) {
        die("the network has one queue");
    }
    if (options->device == DEVICE_NET ? options->size < 60 :
        options->size < 512 || options->size % 512) {
        die("--size=%d is no size of a %s", options->size,
            options->device == DEVICE_NET ? "frame" : "block");
    }
    if (options->depth < 1 || options->slice_ms < 1) {
        die("--depth and --slice are 1 or more");
    }
}

static char **parse(int argc, char **argv, Options *options)
{
    g_autofree char *device = g_strdup("virtio-blk");
    g_autofree char *cpus = NULL;
    g_autofree char *wrapper = NULL;
    char **machines = NULL;
    const GOptionEntry entries[] = {
        { "device", 0, 0, G_OPTION_ARG_STRING, &device,
          "virtio-blk, virtio-net or vhost-user-blk", "TYPE" },
        { "packed", 0, 0, G_OPTION_ARG_NONE, &options->packed,
          "packed rings", NULL },
        { "indirect", 0, 0, G_OPTION_ARG_NONE, &options->indirect,
          "descriptors in indirect tables", NULL },
        { "zeroes", 0, 0, G_OPTION_ARG_NONE, &options->zeroes,
          "let the disk write zeros to the buffers", NULL },
        { "size", 0, 0, G_OPTION_ARG_INT, &options->size,
          "bytes of a request", "N" },
        { "depth", 0, 0, G_OPTION_ARG_INT, &options->depth,
          "requests under way in a queue", "N" },
        { "queues", 0, 0, G_OPTION_ARG_INT, &options->queues,
          "queues, each with a thread of its own", "N" },
        { "rounds", 0, 0, G_OPTION_ARG_INT, &options->rounds,
          "slices of each machine", "N" },
        { "warmup", 0, 0, G_OPTION_ARG_INT, &options->warmup,
          "rounds before those that count", "N" },
        { "slice", 0, 0, G_OPTION_ARG_INT, &options->slice_ms,
          "length of a slice", "MS" },
        { "requests", 0, 0, G_OPTION_ARG_INT, &options->requests,
          "do so many on each machine, and measure nothing", "N" },
        { "check", 0, 0, G_OPTION_ARG_NONE, &options->check,
          "check all data, and measure nothing", NULL },
        { "cpus", 0, 0, G_OPTION_ARG_STRING, &cpus,
          "the client's processor, then the devices' [any]", "N,N..." },
        { "wrapper", 0, 0, G_OPTION_ARG_STRING, &wrapper,
          "run QEMU with this", "COMMAND" },
        { "storage-daemon", 0, 0, G_OPTION_ARG_FILENAME,
          &options->storage_daemon, "for vhost-user-blk", "BINARY" },
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &machines,
          NULL, "LABEL=VARIANT=BINARY..." },
        { NULL }
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        (wrapper && !g_shell_parse_argv(wrapper, NULL, &options->wrapper,
                                        &error))) {
        die("%s", error->message);
    }
    if (!machines) {
        die("no machine; --help lists the options");
    }
    options->device = device_type(device);
    parse_cpus(cpus, options);
    check_options(options);
    return machines;
}

static void check_data(Machine *machine)
{
    work(machine, CHECKED_REQUESTS * machine->options->queues);
    if (machine->options->device == DEVICE_NET) {
        net_check_capture(&machine->queues[0], machine->disk.fd);
    }
    printf("{\"label\": \"%s\", \"checked\": %d}\n", machine->label,
           CHECKED_REQUESTS * machine->options->queues);
}

int main(int argc, char **argv)
{
    Options options = {
        .size = 4096,
        .depth = 128,
        .queues = 1,
        .rounds = 20,
        .warmup = 2,
        .slice_ms = 25,
    };
    g_auto(GStrv) texts = NULL;
    g_autofree Machine **machines = NULL;
    int i, n;

    setlocale(LC_ALL, "");
    texts = parse(argc, argv, &options);
    n = g_strv_length(texts);
    machines = g_new0(Machine *, n);

    /* Processes that are started from here stay here. */
    if (options.cpus) {
        process_pin(0, options.cpus[0]);
    }
    for (i = 0; i < n; i++) {
        machines[i] = machine_new(texts[i], &options);
    }
    if (options.check) {
        for (i = 0; i < n; i++) {
            check_data(machines[i]);
        }
    } else if (options.requests) {
        for (i = 0; i < n; i++) {
            work(machines[i], options.requests);
        }
    } else {
        measure(machines, n, &options);
    }
    for (i = 0; i < n; i++) {
        machine_free(machines[i]);
    }
    g_free(options.cpus);
    g_strfreev(options.wrapper);
    g_free(options.storage_daemon);
    return 0;
}
