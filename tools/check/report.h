/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the user gets to see
 */

#ifndef CHECK_REPORT_H
#define CHECK_REPORT_H

#include "device.h"

void report_print_table(const Report *report);
void report_print_json(const Report *report);

/* A line for each thing that is not as it should be; how many there are */
unsigned report_print_faults(const Report *report);

/* One line on standard error, with the program's name */
void G_GNUC_PRINTF(1, 2) report_say(const char *format, ...);

#endif
