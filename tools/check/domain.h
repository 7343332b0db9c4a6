/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What libvirt's XML says about a domain's devices
 *
 * libvirt passes our properties to the device whose alias an override names,
 * and says nothing if there is none. Devices get an alias of libvirt's own
 * when they start, so for one that does not run it is foretold, as libvirt
 * would count.
 */

#ifndef CHECK_DOMAIN_H
#define CHECK_DOMAIN_H

#include <stdbool.h>
#include "device.h"

/*
 * Of a domain that does not run, all devices come from its XML. Of one that
 * does, only what @report does not know yet.
 */
bool domain_read(const char *xml, Report *report, GError **error);

#endif
