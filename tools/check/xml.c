/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * GMarkup knows no name spaces: the prefix of QEMU's is found by hand.
 */

#include <stdbool.h>
#include <string.h>
#include "check.h"
#include "xml.h"

#define NAME_SPACE "http://libvirt.org/schemas/domain/qemu/1.0"
#define ROOT "/domain"
#define OVERRIDE ROOT "/qemu:override/qemu:device"

typedef struct Parser {
    XmlDomain *domain;
    /* With the colon; NULL if there is no such name space */
    char *prefix;
    /* Names of the open elements, as in /domain/devices/disk */
    GString *path;
    unsigned depth;
    bool has_devices;
} Parser;

static void xml_device_free(XmlDevice *device)
{
    g_free(device->element);
    g_free(device->alias);
    g_hash_table_unref(device->attributes);
    g_free(device);
}

static void property_free(XmlProperty *property)
{
    g_free(property->name);
    g_free(property->type);
    g_free(property->value);
    g_free(property);
}

static void override_free(XmlOverride *override)
{
    g_free(override->alias);
    g_ptr_array_unref(override->properties);
    g_free(override);
}

static XmlDomain *domain_new(void)
{
    XmlDomain *domain = g_new0(XmlDomain, 1);

    domain->devices =
        g_ptr_array_new_with_free_func((GDestroyNotify)xml_device_free);
    domain->overrides =
        g_ptr_array_new_with_free_func((GDestroyNotify)override_free);
    domain->arguments = g_ptr_array_new_with_free_func(g_free);
    return domain;
}

void xml_domain_free(XmlDomain *domain)
{
    g_ptr_array_unref(domain->devices);
    g_ptr_array_unref(domain->overrides);
    g_ptr_array_unref(domain->arguments);
    g_free(domain);
}

const char *xml_device_get(const XmlDevice *device, const char *attribute)
{
    return g_hash_table_lookup(device->attributes, attribute);
}

static const char *find(const char **names, const char **values,
                        const char *name)
{
    for (; *names; names++, values++) {
        if (g_str_equal(*names, name)) {
            return *values;
        }
    }
    return NULL;
}

static void find_prefix(Parser *parser, const char **names,
                        const char **values)
{
    for (; *names; names++, values++) {
        if (g_str_has_prefix(*names, "xmlns:") &&
            g_str_equal(*values, NAME_SPACE)) {
            g_free(parser->prefix);
            parser->prefix = g_strconcat(*names + strlen("xmlns:"), ":", NULL);
        }
    }
}

static void enter(Parser *parser, const char *element)
{
    g_string_append_c(parser->path, '/');
    if (parser->prefix && g_str_has_prefix(element, parser->prefix)) {
        g_string_append(parser->path, "qemu:");
        element += strlen(parser->prefix);
    } else if (strchr(element, ':')) {
        element = "foreign";
    }
    g_string_append(parser->path, element);
    parser->depth++;
}

static void store(XmlDevice *device, const char *child, const char **names,
                  const char **values)
{
    for (; *names; names++, values++) {
        char *key = g_strconcat(child, "@", *names, NULL);

        if (g_hash_table_contains(device->attributes, key)) {
            g_free(key);
        } else {
            g_hash_table_insert(device->attributes, key, g_strdup(*values));
        }
    }
}

static void *last(const GPtrArray *array)
{
    return array->len ? g_ptr_array_index(array, array->len - 1) : NULL;
}

static void start_device(Parser *parser, const char *element,
                         const char **names, const char **values)
{
    XmlDevice *device = g_new0(XmlDevice, 1);

    device->element = g_strdup(element);
    device->attributes = g_hash_table_new_full(g_str_hash, g_str_equal,
                                               g_free, g_free);
    store(device, "", names, values);
    g_ptr_array_add(parser->domain->devices, device);
}

static void start_child(Parser *parser, const char *element,
                        const char **names, const char **values)
{
    XmlDevice *device = last(parser->domain->devices);

    store(device, element, names, values);
    if (!device->alias) {
        device->alias = g_strdup(xml_device_get(device, "alias@name"));
    }
}

static void start_override(Parser *parser, const char **names,
                           const char **values)
{
    XmlOverride *override = g_new0(XmlOverride, 1);

    override->alias = g_strdup(find(names, values, "alias") ?: "");
    override->properties =
        g_ptr_array_new_with_free_func((GDestroyNotify)property_free);
    g_ptr_array_add(parser->domain->overrides, override);
}

static void start_property(Parser *parser, const char **names,
                           const char **values)
{
    XmlOverride *override = last(parser->domain->overrides);
    XmlProperty *property = g_new0(XmlProperty, 1);

    property->name = g_strdup(find(names, values, "name") ?: "");
    property->type = g_strdup(find(names, values, "type") ?: "");
    property->value = g_strdup(find(names, values, "value") ?: "");
    g_ptr_array_add(override->properties, property);
}

static void start_element(GMarkupParseContext *context, const char *element,
                          const char **names, const char **values,
                          void *opaque, GError **error)
{
    Parser *parser = opaque;
    const char *path;

    if (!parser->depth) {
        find_prefix(parser, names, values);
    }
    enter(parser, element);
    path = parser->path->str;
    if (g_str_has_prefix(path, ROOT "/devices/")) {
        if (parser->depth == 3) {
            start_device(parser, element, names, values);
        } else if (parser->depth == 4) {
            start_child(parser, element, names, values);
        }
    } else if (g_str_equal(path, ROOT "/devices")) {
        parser->has_devices = true;
    } else if (g_str_equal(path, ROOT "/qemu:commandline/qemu:arg")) {
        g_ptr_array_add(parser->domain->arguments,
                        g_strdup(find(names, values, "value") ?: ""));
    } else if (g_str_equal(path, OVERRIDE)) {
        start_override(parser, names, values);
    } else if (g_str_equal(path, OVERRIDE "/qemu:frontend/qemu:property")) {
        start_property(parser, names, values);
    }
}

static void end_element(GMarkupParseContext *context, const char *element,
                        void *opaque, GError **error)
{
    Parser *parser = opaque;

    g_string_truncate(parser->path,
                      strrchr(parser->path->str, '/') - parser->path->str);
    parser->depth--;
}

XmlDomain *xml_parse(const char *xml, GError **error)
{
    static const GMarkupParser callbacks = {
        .start_element = start_element,
        .end_element = end_element,
    };
    g_autoptr(XmlDomain) domain = domain_new();
    Parser parser = { .domain = domain, .path = g_string_new(NULL) };
    g_autoptr(GMarkupParseContext) context =
        g_markup_parse_context_new(&callbacks, 0, &parser, NULL);
    g_autoptr(GError) reason = NULL;
    bool whole = g_markup_parse_context_parse(context, xml, strlen(xml),
                                              &reason) &&
                 g_markup_parse_context_end_parse(context, &reason);

    g_string_free(parser.path, TRUE);
    g_free(parser.prefix);
    if (!whole) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "virsh dumpxml: the domain's XML cannot be read: %s; see "
                    "that virsh is libvirt's", reason->message);
        return NULL;
    }
    if (!parser.has_devices) {
        g_set_error(error, CHECK_ERROR, CHECK_ERROR_TROUBLE,
                    "virsh dumpxml: there are no <devices> in the XML; see "
                    "that virsh is libvirt's");
        return NULL;
    }
    return g_steal_pointer(&domain);
}
