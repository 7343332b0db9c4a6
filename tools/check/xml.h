/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The parts of libvirt's XML that matter here
 */

#ifndef CHECK_XML_H
#define CHECK_XML_H

#include <glib.h>

typedef struct XmlDevice {
    char *element;
    /* NULL before the domain runs, unless the user chose one */
    char *alias;
    GHashTable *attributes;
} XmlDevice;

typedef struct XmlProperty {
    char *name;
    char *type;
    char *value;
} XmlProperty;

typedef struct XmlOverride {
    char *alias;
    /* Of the front end, which is the device */
    GPtrArray *properties;
} XmlOverride;

typedef struct XmlDomain {
    GPtrArray *devices;
    GPtrArray *overrides;
    /* QEMU's, from qemu:commandline */
    GPtrArray *arguments;
} XmlDomain;

XmlDomain *xml_parse(const char *xml, GError **error);
void xml_domain_free(XmlDomain *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(XmlDomain, xml_domain_free)

/*
 * "@NAME" is the device's own attribute, "CHILD@NAME" that of the first such
 * element in it which has one. NULL if there is none.
 */
const char *xml_device_get(const XmlDevice *device, const char *attribute);

#endif
