/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * When a device counts as confined
 */

#include <stdarg.h>
#include "check.h"
#include "device.h"

G_DEFINE_QUARK(check, check_error)

Device *device_new(const char *id, const char *type)
{
    Device *device = g_new0(Device, 1);

    device->id = g_strdup(id);
    device->type = g_strdup(type);
    device->required = true;
    return device;
}

void device_free(Device *device)
{
    g_free(device->id);
    g_free(device->type);
    g_free(device->path);
    g_free(device->address);
    g_free(device->reason);
    g_free(device);
}

/*
 * A required window holds whatever the driver does. Without that it is the
 * driver's choice, so one must have seen it choose.
 */
bool device_is_confined(const Device *device)
{
    return device->enabled && (device->required || device->negotiated);
}

Report *report_new(const char *source)
{
    Report *report = g_new0(Report, 1);

    report->source = g_strdup(source);
    report->devices =
        g_ptr_array_new_with_free_func((GDestroyNotify)device_free);
    report->unmatched = g_ptr_array_new_with_free_func(g_free);
    report->problems = g_ptr_array_new_with_free_func(g_free);
    return report;
}

void report_free(Report *report)
{
    g_free(report->source);
    g_ptr_array_unref(report->devices);
    g_ptr_array_unref(report->unmatched);
    g_ptr_array_unref(report->problems);
    g_free(report);
}

Device *report_find(const Report *report, const char *id)
{
    unsigned i;

    for (i = 0; i < report->devices->len; i++) {
        Device *device = g_ptr_array_index(report->devices, i);

        if (g_str_equal(device->id, id) ||
            !g_strcmp0(device->path, id)) {
            return device;
        }
    }
    return NULL;
}

void report_problem(Report *report, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_ptr_array_add(report->problems, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

void report_clear(Report *report)
{
    g_ptr_array_set_size(report->devices, 0);
}
