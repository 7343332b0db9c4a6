/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A monitor to ask: at a socket, or libvirt's
 */

#ifndef CHECK_QMP_H
#define CHECK_QMP_H

#include <glib.h>
#include "node.h"
#include "virsh.h"

typedef struct Qmp Qmp;

/* @deadline is for all that will be asked, in g_get_monotonic_time(). */
Qmp *qmp_connect(const char *path, gint64 deadline, GError **error);

/* @virsh has to live as long. */
Qmp *qmp_of_domain(const Virsh *virsh);

void qmp_free(Qmp *qmp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qmp, qmp_free)

/*
 * The answer to a command, whose "return" is what was asked for. @arguments is
 * JSON, or NULL. CHECK_ERROR_ANSWER if QEMU says that it cannot.
 */
JsonNode *qmp_execute(Qmp *qmp, const char *command, const char *arguments,
                      GError **error);

#endif
