/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Start another kernel from a running one: kexec KERNEL INITRAMFS COMMAND_LINE
 *
 * kexec-tools do the same, but their package wants to take part in each reboot
 * of the system that it is installed on.
 */

#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int kernel, initramfs;

    if (argc != 4) {
        fprintf(stderr, "usage: kexec KERNEL INITRAMFS COMMAND_LINE\n");
        return 1;
    }
    kernel = open(argv[1], O_RDONLY);
    initramfs = open(argv[2], O_RDONLY);
    if (syscall(SYS_kexec_file_load, kernel, initramfs, strlen(argv[3]) + 1,
                argv[3], 0)) {
        perror("kexec_file_load");
        return 1;
    }
    syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
            LINUX_REBOOT_CMD_KEXEC, NULL);
    perror("reboot");
    return 1;
}
