/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Start another kernel from a running one: kexec KERNEL INITRAMFS COMMAND_LINE
 * With -p before these: once the running one has crashed.
 *
 * kexec-tools do the same, but their package wants to take part in each reboot
 * of the system that it is installed on.
 */

#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    bool on_crash = argc > 1 && !strcmp(argv[1], "-p");
    int kernel, initramfs;

    argc -= on_crash;
    argv += on_crash;
    if (argc != 4) {
        fprintf(stderr, "usage: kexec [-p] KERNEL INITRAMFS COMMAND_LINE\n");
        return 1;
    }
    kernel = open(argv[1], O_RDONLY);
    initramfs = open(argv[2], O_RDONLY);
    if (syscall(SYS_kexec_file_load, kernel, initramfs, strlen(argv[3]) + 1,
                argv[3], on_crash ? KEXEC_FILE_ON_CRASH : 0)) {
        perror("kexec_file_load");
        return 1;
    }
    if (on_crash) {
        return 0;
    }
    syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
            LINUX_REBOOT_CMD_KEXEC, NULL);
    perror("reboot");
    return 1;
}
