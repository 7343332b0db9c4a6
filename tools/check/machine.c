/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU is asked by QMP for each device, whatever the bus that it sits on. A
 * device whose state cannot be read is trouble, never one that is left out.
 */

#include <string.h>
#include "check.h"
#include "machine.h"

/* Devices come and go while one asks. */
#define ATTEMPTS 3
#define MAX_BUSES 32

#define PERIPHERAL "/machine/peripheral/"

typedef struct Machine {
    Qmp *qmp;
    /* The answer to query-pci, or NULL if there is no PCI */
    JsonNode *pci;
} Machine;

static JsonNode *get_property(Machine *machine, const char *path,
                              const char *name, GError **error)
{
    g_autofree char *quoted = node_quote(path);
    g_autofree char *arguments =
        g_strdup_printf("{\"path\": %s, \"property\": \"%s\"}", quoted, name);

    return qmp_execute(machine->qmp, "qom-get", arguments, error);
}

static void set_odd(GError **error, const char *path, const char *name)
{
    g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                "QMP: property '%s' of %s is not of the kind it should be; "
                "see that the peer is QEMU with swiotlb properties", name,
                path);
}

/* Without an answer the error is set already. */
static bool is_of_kind(JsonNode *answer, bool is, const char *path,
                       const char *name, GError **error)
{
    if (answer && !is) {
        set_odd(error, path, name);
    }
    return is;
}

static char *get_string(Machine *machine, const char *path, const char *name,
                        GError **error)
{
    g_autoptr(JsonNode) answer = get_property(machine, path, name, error);
    const char *text = node_string(node_get(answer, "return"));

    return is_of_kind(answer, text, path, name, error) ? g_strdup(text) : NULL;
}

static bool get_bool(Machine *machine, const char *path, const char *name,
                     bool *result, GError **error)
{
    g_autoptr(JsonNode) answer = get_property(machine, path, name, error);

    return is_of_kind(answer, node_bool(node_get(answer, "return"), result),
                      path, name, error);
}

static bool get_uint(Machine *machine, const char *path, const char *name,
                     guint64 *result, GError **error)
{
    g_autoptr(JsonNode) answer = get_property(machine, path, name, error);

    return is_of_kind(answer, node_uint(node_get(answer, "return"), result),
                      path, name, error);
}

static bool has_property(Machine *machine, const char *path, const char *name,
                         bool *result, GError **error)
{
    g_autofree char *quoted = node_quote(path);
    g_autofree char *arguments = g_strdup_printf("{\"path\": %s}", quoted);
    g_autoptr(JsonNode) answer = qmp_execute(machine->qmp, "qom-list",
                                             arguments, error);
    JsonNode *list = node_get(answer, "return");
    unsigned i;

    *result = false;
    if (answer && !node_is_array(list)) {
        set_odd(error, path, "(all)");
        return false;
    }
    for (i = 0; i < node_length(list); i++) {
        if (!g_strcmp0(node_string(node_get(node_at(list, i), "name")),
                       name)) {
            *result = true;
        }
    }
    return answer;
}

/* The device whose bus an object sits on */
static char *owner_of_bus(Machine *machine, const char *path, GError **error)
{
    g_autofree char *bus = get_string(machine, path, "parent_bus", error);

    if (bus && !strchr(bus, '/')) {
        set_odd(error, path, "parent_bus");
        return NULL;
    }
    return bus ? g_path_get_dirname(bus) : NULL;
}

/* NULL if it was given none */
static const char *id_of(const char *path)
{
    const char *id = path + strlen(PERIPHERAL);

    return g_str_has_prefix(path, PERIPHERAL) && *id && !strchr(id, '/') ?
           id : NULL;
}

static JsonNode *find_by_id(JsonNode *devices, const char *id, unsigned depth)
{
    unsigned i;

    for (i = 0; i < node_length(devices) && depth < MAX_BUSES; i++) {
        JsonNode *device = node_at(devices, i);
        JsonNode *below;

        if (!g_strcmp0(node_string(node_get(device, "qdev_id")), id)) {
            return device;
        }
        below = node_get(node_get(device, "pci_bridge"), "devices");
        below = find_by_id(below, id, depth + 1);
        if (below) {
            return below;
        }
    }
    return NULL;
}

static JsonNode *find_by_place(JsonNode *devices, guint64 devfn)
{
    unsigned i;

    for (i = 0; i < node_length(devices); i++) {
        JsonNode *device = node_at(devices, i);
        guint64 slot, function;

        if (node_uint(node_get(device, "slot"), &slot) &&
            node_uint(node_get(device, "function"), &function) &&
            slot == devfn >> 3 && function == (devfn & 7)) {
            return device;
        }
    }
    return NULL;
}

/*
 * query-pci's view of a device, or NULL if it has none. Without an id it is
 * known by its bus, and that by the bridge above.
 */
static JsonNode *find_pci(Machine *machine, const char *path, unsigned depth)
{
    JsonNode *roots = node_get(machine->pci, "return");
    const char *id = id_of(path);
    g_autofree char *owner = NULL;
    JsonNode *above;
    JsonNode *found = NULL;
    guint64 devfn;
    unsigned i;

    for (i = 0; id && !found && i < node_length(roots); i++) {
        found = find_by_id(node_get(node_at(roots, i), "devices"), id, 0);
    }
    if (found || depth == MAX_BUSES ||
        !get_uint(machine, path, "addr", &devfn, NULL)) {
        return found;
    }
    owner = owner_of_bus(machine, path, NULL);
    above = owner ? find_pci(machine, owner, depth + 1) : NULL;
    if (above) {
        return find_by_place(node_get(node_get(above, "pci_bridge"),
                                      "devices"), devfn);
    }
    return node_length(roots) == 1 ?
           find_by_place(node_get(node_at(roots, 0), "devices"), devfn) : NULL;
}

static char *format_address(JsonNode *pci)
{
    guint64 bus, slot, function;

    if (!node_uint(node_get(pci, "bus"), &bus) ||
        !node_uint(node_get(pci, "slot"), &slot) ||
        !node_uint(node_get(pci, "function"), &function) ||
        bus > 255 || slot > 31 || function > 7) {
        return NULL;
    }
    return g_strdup_printf("0000:%02x:%02x.%x", (unsigned)bus, (unsigned)slot,
                           (unsigned)function);
}

static bool lists(JsonNode *names, const char *prefix)
{
    unsigned i;

    for (i = 0; i < node_length(names); i++) {
        const char *name = node_string(node_at(names, i));

        if (name && g_str_has_prefix(name, prefix)) {
            return true;
        }
    }
    return false;
}

static bool read_status(Machine *machine, const char *path, Device *device,
                        GError **error)
{
    g_autofree char *quoted = node_quote(path);
    g_autofree char *arguments = g_strdup_printf("{\"path\": %s}", quoted);
    g_autoptr(JsonNode) answer = qmp_execute(machine->qmp,
                                             "x-query-virtio-status",
                                             arguments, error);
    JsonNode *status = node_get(answer, "return");
    JsonNode *bits = node_get(node_get(status, "status"), "statuses");
    JsonNode *features =
        node_get(node_get(status, "guest-features"), "transports");

    if (!answer) {
        return false;
    }
    if (!node_bool(node_get(status, "broken"), &device->broken) ||
        !node_is_array(bits) || !node_is_array(features)) {
        set_odd(error, path, "status");
        return false;
    }
    device->negotiated = lists(features, "VIRTIO_F_SWIOTLB:") &&
                         lists(bits, "VIRTIO_CONFIG_S_FEATURES_OK:");
    return true;
}

/* A backend of the user's decides how large the window is. */
static bool read_size(Machine *machine, Device *device, GError **error)
{
    g_autofree char *memdev = get_string(machine, device->path,
                                         "swiotlb-memdev", error);
    g_autofree char *backend = NULL;

    if (!memdev) {
        return false;
    }
    backend = g_strdup_printf("/objects/%s", memdev);
    return *memdev ? get_uint(machine, backend, "size", &device->size, error)
                   : get_uint(machine, device->path, "swiotlb-size",
                              &device->size, error);
}

static bool read_window(Machine *machine, Device *device, GError **error)
{
    const char *path = device->path;

    return get_bool(machine, path, "swiotlb", &device->enabled, error) &&
           (!device->enabled ||
            (get_bool(machine, path, "swiotlb-required", &device->required,
                      error) &&
             get_uint(machine, path, "swiotlb-bar", &device->bar, error) &&
             get_uint(machine, path, "swiotlb-rejected", &device->rejected,
                      error) &&
             read_size(machine, device, error)));
}

static bool read_device(Machine *machine, Report *report, const char *path,
                        GError **error)
{
    g_autofree char *proxy = owner_of_bus(machine, path, error);
    g_autofree char *type = NULL;
    Device *device;

    if (!proxy) {
        return false;
    }
    type = get_string(machine, proxy, "type", error);
    if (!type) {
        return false;
    }
    device = device_new(id_of(proxy) ?: proxy, type);
    device->path = g_strdup(proxy);
    g_ptr_array_add(report->devices, device);
    if (!has_property(machine, proxy, "swiotlb", &device->capable, error) ||
        (device->capable && !read_window(machine, device, error)) ||
        !read_status(machine, path, device, error)) {
        return false;
    }
    if (machine->pci) {
        device->address = format_address(find_pci(machine, proxy, 0));
    }
    return true;
}

static bool read_list(Machine *machine, JsonNode *list, Report *report,
                      GError **error)
{
    unsigned i;

    if (!node_is_array(list)) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "QMP: the answer to x-query-virtio is no list; see that "
                    "the peer is QEMU");
        return false;
    }
    for (i = 0; i < node_length(list); i++) {
        const char *path = node_string(node_get(node_at(list, i), "path"));

        if (!path) {
            g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                        "QMP: a device of x-query-virtio has no 'path'; see "
                        "that the peer is QEMU");
            return false;
        }
        if (!read_device(machine, report, path, error)) {
            return false;
        }
    }
    return true;
}

static bool read_once(Qmp *qmp, Report *report, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(JsonNode) list = qmp_execute(qmp, "x-query-virtio", NULL,
                                           &reason);
    g_autoptr(JsonNode) pci = NULL;
    Machine machine = { .qmp = qmp };

    if (!list) {
        /* This is how QEMU says that the list is empty. */
        if (g_str_has_suffix(reason->message, ": No virtio devices found")) {
            return true;
        }
        g_propagate_error(error, g_steal_pointer(&reason));
        return false;
    }
    pci = qmp_execute(qmp, "query-pci", NULL, &reason);
    if (!pci && !g_error_matches(reason, CHECK_ERROR, CHECK_ERROR_ANSWER)) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return false;
    }
    machine.pci = pci;
    return read_list(&machine, node_get(list, "return"), report, error);
}

static int compare_ids(const void *one, const void *other)
{
    const Device *const *devices[] = { one, other };

    return strcmp((*devices[0])->id, (*devices[1])->id);
}

bool machine_read(Qmp *qmp, Report *report, GError **error)
{
    g_autoptr(GError) reason = NULL;
    int i;

    report->running = true;
    for (i = 0; i < ATTEMPTS; i++) {
        g_clear_error(&reason);
        report_clear(report);
        if (read_once(qmp, report, &reason)) {
            g_ptr_array_sort(report->devices, compare_ids);
            return true;
        }
        if (!g_error_matches(reason, CHECK_ERROR, CHECK_ERROR_ANSWER)) {
            break;
        }
    }
    g_propagate_error(error, g_steal_pointer(&reason));
    return false;
}
