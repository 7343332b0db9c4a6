/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The table, the JSON and the complaints
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "node.h"
#include "report.h"

#define COLUMNS 9

static const char *const unsupported[] = {
    "virtio-balloon", "virtio-iommu", "virtio-mem", "virtio-pmem", NULL
};

/* Names come from QEMU, which may not be trusted; a terminal obeys. */
static char *printable(const char *text)
{
    GString *safe = g_string_new(NULL);

    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);

        g_string_append_unichar(safe, g_unichar_isprint(c) ? c : '?');
    }
    return g_string_free(safe, FALSE);
}

static char *format_size(guint64 size)
{
    static const char units[] = "KMGT";
    int unit = -1;

    while (size && size % 1024 == 0 && unit < (int)strlen(units) - 1) {
        size /= 1024;
        unit++;
    }
    return unit < 0 ? g_strdup_printf("%" G_GUINT64_FORMAT, size)
                    : g_strdup_printf("%" G_GUINT64_FORMAT "%c", size,
                                      units[unit]);
}

static char *yes_no(bool value)
{
    return g_strdup(value ? "yes" : "no");
}

/* What does not apply, or is not known, is a dash. */
static char **make_row(const Report *report, const Device *device)
{
    bool on = device->enabled;
    bool live = on && report->running;
    char *row[COLUMNS + 1] = {
        printable(device->id),
        printable(device->type),
        g_strdup(device->address ?: "-"),
        yes_no(device_is_confined(device)),
        on && device->size ? format_size(device->size) : g_strdup("-"),
        live ? yes_no(device->negotiated) : g_strdup("-"),
        on ? yes_no(device->required) : g_strdup("-"),
        live ? g_strdup_printf("%" G_GUINT64_FORMAT, device->rejected)
             : g_strdup("-"),
        report->running ? yes_no(device->broken) : g_strdup("-"),
        NULL
    };

    return g_memdup2(row, sizeof(row));
}

static GPtrArray *make_rows(const Report *report)
{
    static const char *const titles[] = {
        "DEVICE", "TYPE", "ADDRESS", "CONFINED", "WINDOW", "NEGOTIATED",
        "REQUIRED", "REJECTED", "BROKEN", NULL
    };
    GPtrArray *rows = g_ptr_array_new_with_free_func(
        (GDestroyNotify)g_strfreev);
    unsigned i;

    g_ptr_array_add(rows, g_strdupv((char **)titles));
    for (i = 0; i < report->devices->len; i++) {
        g_ptr_array_add(rows, make_row(report,
                                       g_ptr_array_index(report->devices, i)));
    }
    return rows;
}

void report_print_table(const Report *report)
{
    g_autoptr(GPtrArray) rows = make_rows(report);
    int widths[COLUMNS] = {};
    unsigned i;
    int column;

    for (i = 0; i < rows->len; i++) {
        char **row = g_ptr_array_index(rows, i);

        for (column = 0; column < COLUMNS; column++) {
            widths[column] = MAX(widths[column],
                                 (int)g_utf8_strlen(row[column], -1));
        }
    }
    for (i = 0; i < rows->len; i++) {
        char **row = g_ptr_array_index(rows, i);

        for (column = 0; column < COLUMNS - 1; column++) {
            printf("%s%*s  ", row[column],
                   widths[column] - (int)g_utf8_strlen(row[column], -1), "");
        }
        printf("%s\n", row[column]);
    }
}

static void append_name(GString *to, const char *name)
{
    g_string_append(to, ", ");
    node_append_string(to, name);
    g_string_append(to, ": ");
}

static void append_string(GString *to, const char *name, const char *value)
{
    append_name(to, name);
    if (value) {
        node_append_string(to, value);
    } else {
        g_string_append(to, "null");
    }
}

static void append_bool(GString *to, const char *name, bool known, bool value)
{
    append_name(to, name);
    g_string_append(to, !known ? "null" : value ? "true" : "false");
}

static void append_uint(GString *to, const char *name, bool known,
                        guint64 value)
{
    append_name(to, name);
    if (known) {
        g_string_append_printf(to, "%" G_GUINT64_FORMAT, value);
    } else {
        g_string_append(to, "null");
    }
}

static void append_device(GString *to, const Report *report,
                          const Device *device)
{
    bool on = device->enabled;
    bool live = on && report->running;

    g_string_append(to, "{\"id\": ");
    node_append_string(to, device->id);
    append_string(to, "type", device->type);
    append_string(to, "path", device->path);
    append_string(to, "address", device->address);
    append_bool(to, "confined", true, device_is_confined(device));
    append_bool(to, "allowed", true, device->allowed);
    append_bool(to, "enabled", true, on);
    append_bool(to, "required", on, device->required);
    append_uint(to, "size", on && device->size, device->size);
    append_uint(to, "bar", live, device->bar);
    append_bool(to, "negotiated", live, device->negotiated);
    append_uint(to, "rejected", live, device->rejected);
    append_bool(to, "broken", report->running, device->broken);
    g_string_append_c(to, '}');
}

static void append_strings(GString *to, const char *name,
                           const GPtrArray *strings)
{
    unsigned i;

    g_string_append_printf(to, ",\n \"%s\": [", name);
    for (i = 0; i < strings->len; i++) {
        g_string_append(to, i ? ", " : "");
        node_append_string(to, g_ptr_array_index(strings, i));
    }
    g_string_append_c(to, ']');
}

void report_print_json(const Report *report)
{
    g_autoptr(GString) text = g_string_new("{\"source\": ");
    unsigned i;

    node_append_string(text, report->source);
    append_bool(text, "running", true, report->running);
    g_string_append(text, ",\n \"devices\": [");
    for (i = 0; i < report->devices->len; i++) {
        g_string_append(text, i ? ",\n  " : "\n  ");
        append_device(text, report, g_ptr_array_index(report->devices, i));
    }
    g_string_append_c(text, ']');
    append_strings(text, "unmatched-overrides", report->unmatched);
    append_strings(text, "problems", report->problems);
    puts(g_string_append_c(text, '}')->str);
}

static bool is_unsupported(const char *type)
{
    int i;

    for (i = 0; unsupported[i]; i++) {
        if (g_str_has_prefix(type, unsupported[i])) {
            return true;
        }
    }
    return false;
}

/* Why a device is not confined, and what to do */
static const char *reason_of(const Device *device)
{
    if (device->enabled) {
        return "swiotlb-required is off and its driver has not accepted the "
               "window; load virtio_swiotlb in the guest, or set "
               "swiotlb-required=on";
    }
    if (is_unsupported(device->type)) {
        return "a device of this type cannot have a window; remove it";
    }
    if (device->reason) {
        return device->reason;
    }
    if (!device->capable) {
        return "it has no swiotlb property; use this project's QEMU and a "
               "virtio-pci type";
    }
    return "swiotlb is off; set swiotlb=on";
}

void report_say(const char *format, ...)
{
    g_autofree char *line = NULL;
    g_autofree char *safe = NULL;
    va_list arguments;

    va_start(arguments, format);
    line = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    safe = printable(line);
    fprintf(stderr, "virtio-swiotlb-check: %s\n", safe);
}

unsigned report_print_faults(const Report *report)
{
    unsigned faults = report->unmatched->len + report->problems->len;
    unsigned i;

    for (i = 0; i < report->devices->len; i++) {
        const Device *device = g_ptr_array_index(report->devices, i);

        if (!device_is_confined(device) && !device->allowed) {
            report_say("device '%s' is not confined: %s, or except it with "
                       "--allow", device->id, reason_of(device));
            faults++;
        }
    }
    for (i = 0; i < report->unmatched->len; i++) {
        report_say("qemu:override: alias '%s' is no device's, so its "
                   "properties reach none; correct it, or give that device "
                   "an <alias name=>",
                   (char *)g_ptr_array_index(report->unmatched, i));
    }
    for (i = 0; i < report->problems->len; i++) {
        report_say("%s", (char *)g_ptr_array_index(report->problems, i));
    }
    return faults;
}
