/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Devices and their properties, from libvirt's XML
 */

#include <string.h>
#include "arguments.h"
#include "check.h"
#include "domain.h"
#include "xml.h"

#define TRANSITIONAL "-transitional"
#define NON_TRANSITIONAL "-non-transitional"

/* Where an element says that it is a virtio device, and of which type */
static const struct {
    const char *element;
    const char *attribute;
    const char *type;
} kinds[] = {
    { "disk", "target@bus", "virtio-blk" },
    { "interface", "model@type", "virtio-net" },
    { "rng", "@model", "virtio-rng" },
    { "memballoon", "@model", "virtio-balloon" },
    { "video", "model@type", "virtio-gpu" },
    { "vsock", "@model", "vhost-vsock" },
    { "crypto", "@model", "virtio-crypto" },
    { "sound", "@model", "virtio-sound" },
    { "iommu", "@model", "virtio-iommu" },
};

/* libvirt's own alias is such a word and a number. */
static const struct {
    const char *element;
    const char *word;
    /* What has an alias of the user's is left out when it counts. */
    bool skips;
} aliases[] = {
    { "interface", "net", true },
    { "rng", "rng", true },
    { "filesystem", "fs", true },
    { "input", "input" },
    { "video", "video" },
    { "sound", "sound" },
    { "memballoon", "balloon" },
    { "vsock", "vsock" },
    { "crypto", "crypto" },
    { "iommu", "iommu" },
    { "hostdev", "hostdev" },
    { "serial", "serial" },
    { "parallel", "parallel" },
    { "channel", "channel" },
    { "console", "console" },
    { "tpm", "tpm" },
    { "watchdog", "watchdog" },
    { "redirdev", "redir" },
    { "smartcard", "smartcard" },
    { "shmem", "shmem" },
    { "hub", "hub" },
    { "panic", "panic" },
};

static const char *get(const XmlDevice *xml, const char *attribute)
{
    return xml_device_get(xml, attribute);
}

static bool is(const XmlDevice *xml, const char *attribute, const char *value)
{
    return !g_strcmp0(get(xml, attribute), value);
}

static bool is_virtio_model(const char *model)
{
    return !g_strcmp0(model, "virtio") ||
           !g_strcmp0(model, "virtio" TRANSITIONAL) ||
           !g_strcmp0(model, "virtio" NON_TRANSITIONAL);
}

static char *input_type(const XmlDevice *xml)
{
    const char *kind = get(xml, "@type");

    return g_strdup_printf("virtio-%s", is(xml, "@type", "passthrough") ?
                           "input-host" : kind ?: "input");
}

/* QEMU's name of a device without what follows from its bus, or NULL */
static char *stem_of(const XmlDevice *xml)
{
    const char *element = xml->element;
    unsigned i;

    if (g_str_equal(element, "filesystem")) {
        return g_strdup(is(xml, "driver@type", "virtiofs") ? "vhost-user-fs"
                                                           : "virtio-9p");
    }
    if (g_str_equal(element, "controller")) {
        return is(xml, "@type", "virtio-serial") ? g_strdup("virtio-serial") :
               is(xml, "@type", "scsi") &&
               (is(xml, "@model", "virtio-scsi") ||
                is_virtio_model(get(xml, "@model"))) ?
               g_strdup("virtio-scsi") : NULL;
    }
    if (g_str_equal(element, "memory")) {
        return is(xml, "@model", "virtio-mem") ||
               is(xml, "@model", "virtio-pmem") ?
               g_strdup(get(xml, "@model")) : NULL;
    }
    if (g_str_equal(element, "hostdev")) {
        return is(xml, "@type", "scsi_host") ? g_strdup("vhost-scsi") : NULL;
    }
    if (g_str_equal(element, "input")) {
        return is(xml, "@bus", "virtio") ? input_type(xml) : NULL;
    }
    if (g_str_equal(element, "disk") && is(xml, "@type", "vhostuser")) {
        return g_strdup("vhost-user-blk");
    }
    for (i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (g_str_equal(element, kinds[i].element) &&
            is_virtio_model(get(xml, kinds[i].attribute))) {
            return g_strdup(kinds[i].type);
        }
    }
    return NULL;
}

static bool is_on_pci(const XmlDevice *xml)
{
    const char *bus = get(xml, "address@type");

    return !bus || g_str_equal(bus, "pci") || g_str_equal(bus, "unassigned");
}

static const char *suffix_of(const XmlDevice *xml)
{
    const char *model = g_str_equal(xml->element, "interface") ?
                        get(xml, "model@type") : get(xml, "@model");

    return !model ? "" :
           g_str_has_suffix(model, NON_TRANSITIONAL) ? NON_TRANSITIONAL :
           g_str_has_suffix(model, TRANSITIONAL) ? TRANSITIONAL : "";
}

/* NULL if it is no virtio device */
static char *type_of(const XmlDevice *xml)
{
    g_autofree char *stem = stem_of(xml);

    if (!stem) {
        return NULL;
    }
    if (!is_on_pci(xml)) {
        return g_strconcat(stem, "-device", NULL);
    }
    if (g_str_equal(stem, "virtio-gpu") && is(xml, "model@primary", "yes")) {
        return g_strdup("virtio-vga");
    }
    return g_strconcat(stem, "-pci", suffix_of(xml), NULL);
}

/* 0 for vda, 26 for vdaa */
static int disk_index(const char *target)
{
    size_t letters = strlen(target);
    int index = 0;

    while (letters && g_ascii_isdigit(target[letters - 1])) {
        letters--;
    }
    /* All prefixes end with d, and are two or three letters. */
    target += g_str_has_prefix(target, "xvd") ? 3 : MIN(letters, 2);
    while (g_ascii_islower(*target) && index < G_MAXINT / 32) {
        index = index * 26 + *target++ - 'a' + 1;
    }
    return index - 1;
}

static char *foretell_disk(const XmlDevice *xml)
{
    const char *bus = get(xml, "target@bus") ?: "";

    if (!is(xml, "address@type", "drive")) {
        return g_strdup_printf("%s-disk%d", bus,
                               disk_index(get(xml, "target@dev") ?: ""));
    }
    return g_strdup_printf("%s%s-%s%s%s-%s", bus,
                           get(xml, "address@controller") ?: "0",
                           get(xml, "address@bus") ?: "0",
                           g_str_equal(bus, "scsi") ? "-" : "",
                           g_str_equal(bus, "scsi") ?
                           get(xml, "address@target") ?: "0" : "",
                           get(xml, "address@unit") ?: "0");
}

static char *foretell_controller(const XmlDevice *xml)
{
    const char *type = get(xml, "@type") ?: "";
    const char *index = get(xml, "@index") ?: "0";

    if (g_str_equal(type, "pci")) {
        return g_strdup_printf("%s.%s", is(xml, "@model", "pcie-root") ?
                               "pcie" : "pci", index);
    }
    if (g_str_equal(index, "0")) {
        if (g_str_equal(type, "ide") || g_str_equal(type, "sata")) {
            return g_strdup("ide");
        }
        if (g_str_equal(type, "usb")) {
            return g_strdup("usb");
        }
    }
    return g_strconcat(type, index, NULL);
}

static char *foretell_memory(const XmlDevice *xml, const GPtrArray *all)
{
    g_autofree char *word = g_strdup(get(xml, "@model") ?: "");
    unsigned count = 0;
    unsigned i;

    for (i = 0; g_ptr_array_index(all, i) != xml; i++) {
        const XmlDevice *other = g_ptr_array_index(all, i);

        count += g_str_equal(other->element, "memory") && !other->alias &&
                 is(other, "@model", word);
    }
    /* virtio-mem is called virtiomem0. */
    if (g_str_has_prefix(word, "virtio-")) {
        return g_strdup_printf("virtio%s%u", word + strlen("virtio-"), count);
    }
    return g_strdup_printf("%s%u", word, count);
}

static char *foretell(const XmlDevice *xml, const GPtrArray *all)
{
    unsigned count = 0;
    unsigned i, j;

    if (g_str_equal(xml->element, "disk")) {
        return foretell_disk(xml);
    }
    if (g_str_equal(xml->element, "controller")) {
        return foretell_controller(xml);
    }
    if (g_str_equal(xml->element, "memory")) {
        return foretell_memory(xml, all);
    }
    for (i = 0; i < G_N_ELEMENTS(aliases); i++) {
        if (!g_str_equal(xml->element, aliases[i].element)) {
            continue;
        }
        for (j = 0; g_ptr_array_index(all, j) != xml; j++) {
            const XmlDevice *other = g_ptr_array_index(all, j);

            count += g_str_equal(other->element, xml->element) &&
                     !(aliases[i].skips && other->alias);
        }
        return g_strdup_printf("%s%u", aliases[i].word, count);
    }
    return g_strdup(xml->element);
}

static char *alias_of(const XmlDevice *xml, const GPtrArray *all)
{
    return xml->alias ? g_strdup(xml->alias) : foretell(xml, all);
}

/* libvirt hands over values of JSON, for which QEMU wants the right type. */
static void apply_override(Device *device, const XmlProperty *property)
{
    if (!g_strcmp0(property->type, "remove")) {
        return;
    }
    if (g_str_equal(property->name, "swiotlb") &&
        g_strcmp0(property->type, "bool")) {
        device->enabled = false;
        g_free(device->reason);
        device->reason = g_strdup("its override sets 'swiotlb', but not with "
                                  "type='bool', which QEMU refuses; correct "
                                  "the type");
        return;
    }
    arguments_apply(device, property->name, property->value);
}

/* Only a libvirt that knows windows keeps these attributes. */
static void apply_driver(Device *device, const XmlDevice *xml)
{
    static const struct {
        const char *attribute;
        const char *property;
    } pairs[] = {
        { "driver@swiotlb", "swiotlb" },
        { "driver@swiotlbSize", "swiotlb-size" },
        { "driver@swiotlbRequired", "swiotlb-required" },
    };
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(pairs); i++) {
        const char *value = get(xml, pairs[i].attribute);

        if (value) {
            arguments_apply(device, pairs[i].property, value);
        }
    }
}

static void add_device(Report *report, const XmlDomain *domain,
                       const XmlDevice *xml, const char *type)
{
    g_autofree char *alias = alias_of(xml, domain->devices);
    Device *device = device_new(alias, type);
    unsigned i;

    device->capable = is_on_pci(xml);
    g_ptr_array_add(report->devices, device);
    if (!device->capable) {
        return;
    }
    arguments_apply_globals(device, domain->arguments);
    apply_driver(device, xml);
    for (i = 0; i < domain->overrides->len; i++) {
        const XmlOverride *override = g_ptr_array_index(domain->overrides, i);
        unsigned j;

        for (j = 0; g_str_equal(override->alias, alias) &&
             j < override->properties->len; j++) {
            apply_override(device,
                           g_ptr_array_index(override->properties, j));
        }
    }
}

static void add_devices(Report *report, const XmlDomain *domain)
{
    unsigned i;

    for (i = 0; i < domain->devices->len; i++) {
        const XmlDevice *xml = g_ptr_array_index(domain->devices, i);
        g_autofree char *type = type_of(xml);

        if (type) {
            add_device(report, domain, xml, type);
        }
    }
    arguments_add_devices(report, domain->arguments);
}

static bool turns_on(const XmlOverride *override)
{
    Device *device = device_new("", "");
    unsigned i;
    bool on;

    for (i = 0; i < override->properties->len; i++) {
        apply_override(device, g_ptr_array_index(override->properties, i));
    }
    on = device->enabled;
    device_free(device);
    return on;
}

static bool is_alias(const XmlDomain *domain, const char *alias)
{
    unsigned i;

    for (i = 0; i < domain->devices->len; i++) {
        g_autofree char *other = alias_of(
            g_ptr_array_index(domain->devices, i), domain->devices);

        if (g_str_equal(other, alias)) {
            return true;
        }
    }
    return false;
}

static void look_at_overrides(Report *report, const XmlDomain *domain)
{
    unsigned i;

    for (i = 0; i < domain->overrides->len; i++) {
        const XmlOverride *override = g_ptr_array_index(domain->overrides, i);
        Device *device = report_find(report, override->alias);

        if (!is_alias(domain, override->alias)) {
            g_ptr_array_add(report->unmatched, g_strdup(override->alias));
        } else if (device && report->running && !device->enabled &&
                   !device->reason && turns_on(override)) {
            device->reason = g_strdup("its qemu:override has no effect, as "
                                      "with hot-plugged devices; unplug it "
                                      "and start the domain with it");
        }
    }
}

bool domain_read(const char *xml, Report *report, GError **error)
{
    g_autoptr(XmlDomain) domain = xml_parse(xml, error);

    if (!domain) {
        return false;
    }
    if (!report->running) {
        add_devices(report, domain);
    }
    look_at_overrides(report, domain);
    return true;
}
