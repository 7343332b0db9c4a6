/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Pools in ACPI, as a devicetree has them: a device with _HID "PRP0001" is
 * what its property "compatible" says (ACPI specification 6.2.5, _DSD; for
 * Linux, firmware-guide/acpi/enumeration)
 */

#include "qemu/osdep.h"
#include "hw/acpi/aml-build.h"
#include "hw/virtio/virtio-mmio.h"
#include "hw/virtio/swiotlb/pool.h"

/* What _DSD has for properties */
#define PROPERTIES "DAFFD814-6EBA-4D8C-8A91-BC9BBF4AA301"

/* Four characters are all that a name has; more pools do not fit into RAM. */
static char *pool_name(VirtioDMAPool *wanted)
{
    VirtioDMAPool *pool;
    unsigned number = 0;

    QSIMPLEQ_FOREACH(pool, &swiotlb_pools, next) {
        if (pool == wanted) {
            break;
        }
        number++;
    }
    return g_strdup_printf("P%03X", number);
}

static Aml *property(const char *name, Aml *value)
{
    Aml *pair = aml_package(2);

    aml_append(pair, aml_string("%s", name));
    aml_append(pair, value);
    return pair;
}

/* @pool: what "memory-region" refers to, or NULL */
static void add_properties(Aml *dev, const char *compatible, const char *pool)
{
    Aml *dsd = aml_package(2);
    Aml *properties = aml_package(pool ? 2 : 1);

    aml_append(properties, property("compatible",
                                    aml_string("%s", compatible)));
    if (pool) {
        aml_append(properties, property("memory-region",
                                        aml_name("\\_SB.%s", pool)));
    }
    aml_append(dsd, aml_touuid(PROPERTIES));
    aml_append(dsd, properties);
    aml_append(dev, aml_name_decl("_HID", aml_string("PRP0001")));
    aml_append(dev, aml_name_decl("_DSD", dsd));
}

void swiotlb_acpi_describe_pools(Aml *scope)
{
    VirtioDMAPool *pool;

    QSIMPLEQ_FOREACH(pool, &swiotlb_pools, next) {
        g_autofree char *name = pool_name(pool);
        Aml *dev = aml_device("%s", name);
        Aml *crs = aml_resource_template();

        add_properties(dev, "restricted-dma-pool", NULL);
        /* The others of this _HID have numbers. */
        aml_append(dev, aml_name_decl("_UID",
                                      aml_string("%s",
                                                 swiotlb_pool_id(pool))));
        aml_append(crs, aml_memory32_fixed(pool->base, pool->size,
                                           AML_READ_WRITE));
        aml_append(dev, aml_name_decl("_CRS", crs));
        aml_append(scope, dev);
    }
}

bool swiotlb_acpi_describe_transport(Aml *scope, VirtIOMMIOProxy *proxy,
                                     hwaddr base, hwaddr size, uint32_t irq,
                                     unsigned number)
{
    VirtioDMAPool *pool = proxy->swiotlb.pool;
    g_autofree char *name = NULL;
    Aml *dev, *crs;

    if (!pool) {
        return false;
    }
    name = pool_name(pool);
    dev = aml_device("VR%02u", number);
    add_properties(dev, "virtio,mmio", name);
    aml_append(dev, aml_name_decl("_UID", aml_int(number)));
    aml_append(dev, aml_name_decl("_CCA", aml_int(1)));
    crs = aml_resource_template();
    aml_append(crs, aml_memory32_fixed(base, size, AML_READ_WRITE));
    aml_append(crs, aml_interrupt(AML_CONSUMER, AML_LEVEL, AML_ACTIVE_HIGH,
                                  AML_EXCLUSIVE, &irq, 1));
    aml_append(dev, aml_name_decl("_CRS", crs));
    aml_append(scope, dev);
    return true;
}
