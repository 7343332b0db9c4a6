/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The virtio devices of a running QEMU
 */

#ifndef CHECK_MACHINE_H
#define CHECK_MACHINE_H

#include <stdbool.h>
#include "device.h"
#include "qmp.h"

bool machine_read(Qmp *qmp, Report *report, GError **error);

#endif
