/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU's command line, as far as a domain has one of its own
 */

#ifndef CHECK_ARGUMENTS_H
#define CHECK_ARGUMENTS_H

#include "device.h"

/* Set one of our properties; what is no valid value leaves no window. */
void arguments_apply(Device *device, const char *name, const char *value);

/* What -global says about it, in the order in which it is said */
void arguments_apply_globals(Device *device, const GPtrArray *arguments);

/* What -device adds; what cannot be judged becomes a problem. */
void arguments_add_devices(Report *report, const GPtrArray *arguments);

#endif
