/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What all parts of virtio-swiotlb-check share
 */

#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include <glib.h>

#define CHECK_ERROR check_error_quark()

typedef enum {
    /* Nothing can be said about the devices. */
    CHECK_ERROR_TROUBLE,
    /* QEMU answered with an error. */
    CHECK_ERROR_ANSWER,
} CheckError;

GQuark check_error_quark(void);

#endif
