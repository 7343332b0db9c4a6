/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The end, when something is not as it should be
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "common.h"

void die(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("bench-client: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}
