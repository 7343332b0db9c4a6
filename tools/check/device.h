/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A virtio device, and all that was found out about it
 */

#ifndef CHECK_DEVICE_H
#define CHECK_DEVICE_H

#include <stdbool.h>
#include <glib.h>

typedef struct Device {
    /* As --allow and an override name it: the id, or without one the path */
    char *id;
    char *type;
    /* NULL for what the domain, or its firmware, has yet to say */
    char *path;
    char *address;
    /* There are such properties: it is a virtio-pci device of our QEMU. */
    bool capable;
    bool enabled;
    bool required;
    guint64 size;
    /* What follows is known of a running machine only. */
    guint64 bar;
    bool negotiated;
    guint64 rejected;
    bool broken;
    /* Why it is not confined, if there is more to say than that */
    char *reason;
    bool allowed;
} Device;

/* What was checked, and what was found */
typedef struct Report {
    char *source;
    bool running;
    GPtrArray *devices;
    /* Aliases of overrides, none of which is a device's */
    GPtrArray *unmatched;
    /* Lines about what else keeps one from saying that all is well */
    GPtrArray *problems;
} Report;

Device *device_new(const char *id, const char *type);
void device_free(Device *device);
bool device_is_confined(const Device *device);

Report *report_new(const char *source);
void report_free(Report *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Report, report_free)

/* The device with that id or path, or NULL */
Device *report_find(const Report *report, const char *id);

void G_GNUC_PRINTF(2, 3) report_problem(Report *report, const char *format,
                                        ...);

/* Forget the devices. */
void report_clear(Report *report);

#endif
