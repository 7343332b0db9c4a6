/*
 * A named pipe answers QEMU as an input device of the host would
 *
 * Preloaded into QEMU, for virtio-input-host on hosts without /dev/uinput. What
 * the test writes to the pipe are the device's events.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/input.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static const char name[] = "fake-evdev";

static int is_pipe(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* A keyboard with every key that fits into @size bytes */
static int bits(int type, void *buf, size_t size)
{
    memset(buf, 0, size);
    if (type == EV_KEY) {
        memset(buf, 0xff, size);
    }
    return size;
}

static int answer(unsigned long request, void *arg)
{
    size_t size = _IOC_SIZE(request);
    unsigned int nr = _IOC_NR(request);

    if (request == EVIOCGVERSION) {
        *(int *)arg = EV_VERSION;
        return 0;
    }
    if (request == EVIOCGRAB) {
        return 0;
    }
    if (request == EVIOCGID) {
        *(struct input_id *)arg = (struct input_id) { .bustype = BUS_VIRTUAL };
        return 0;
    }
    if (nr == _IOC_NR(EVIOCGNAME(0))) {
        strncpy(arg, name, size);
        return sizeof(name);
    }
    if (nr >= _IOC_NR(EVIOCGBIT(0, 0)) && nr <= _IOC_NR(EVIOCGBIT(EV_MAX, 0))) {
        return bits(nr - _IOC_NR(EVIOCGBIT(0, 0)), arg, size);
    }
    return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*next)(int, unsigned long, ...);
    va_list args;
    void *arg;

    va_start(args, request);
    arg = va_arg(args, void *);
    va_end(args);

    if (_IOC_TYPE(request) == 'E' && is_pipe(fd)) {
        return answer(request, arg);
    }
    if (!next) {
        next = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    }
    return next(fd, request, arg);
}
