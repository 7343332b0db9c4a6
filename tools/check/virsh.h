/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * libvirt, by way of its command: needs no library to build or to start
 */

#ifndef CHECK_VIRSH_H
#define CHECK_VIRSH_H

#include <glib.h>

typedef struct Virsh {
    /* NULL for virsh's own default */
    const char *uri;
    const char *domain;
    /* In g_get_monotonic_time() */
    gint64 deadline;
} Virsh;

/* Milliseconds until then, for poll(): never negative */
int deadline_left(gint64 deadline);

/*
 * What 'virsh COMMAND --domain DOMAIN [ARGUMENT]' prints. NULL and an error if
 * it fails, or is not done in time.
 */
char *virsh_run(const Virsh *virsh, const char *command, const char *argument,
                GError **error);

#endif
