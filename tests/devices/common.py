# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of device types share: the harness of the guest tests."""

import json
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'guest'))

from harness import cli, compat, devices, host, initramfs  # noqa: E402,F401
from harness.build import Build, BuildError, numbers  # noqa: E402,F401
from harness.machine import Machine, MachineError  # noqa: E402,F401


def bare(build, *args):
    """A QEMU in which no CPU runs."""
    command = [str(build.qemu()), '-accel', 'qtest', '-display', 'none',
               '-nodefaults', '-no-user-config', '-S']
    for folder in build.firmware():
        command += ['-L', str(folder)]
    return [*command, *args]


def start(build, *args, pass_fds=()):
    """Exit status and messages of a QEMU that is not to start."""
    try:
        run = subprocess.run(bare(build, *args), stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=60,
                             check=False, pass_fds=pass_fds)
    except subprocess.TimeoutExpired:
        return None, 'QEMU runs'
    return run.returncode, run.stdout + run.stderr


class Bare:
    """QEMU without a guest: the monitor answers, and the test is the CPU."""

    def __init__(self, build, *args):
        ours, theirs = socket.socketpair()
        self.cpu = ours.makefile('rw', encoding='ascii')
        ours.close()
        self.process = subprocess.Popen(
            bare(build, '-qmp', 'stdio', '-chardev',
                 f'socket,id=cpu,fd={theirs.fileno()}', '-qtest',
                 'chardev:cpu', '-qtest-log', 'none', *args),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, pass_fds=[theirs.fileno()])
        theirs.close()

    def __enter__(self):
        self.read()
        try:
            self.qmp('qmp_capabilities')
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.kill()
        self.process.wait()
        self.cpu.close()
        self.process.stdout.close()
        self.process.stderr.close()

    def read(self):
        """The next message; None if QEMU has ended."""
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def ask(self, command, **arguments):
        """The answer, be it an error."""
        request = {'execute': command, 'arguments': arguments}
        try:
            self.process.stdin.write(json.dumps(request) + '\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        message = self.read()
        while message and 'event' in message:
            message = self.read()
        if message is None:
            raise MachineError(f'QEMU died of {command} {arguments}: '
                               f'{self.process.stderr.read()}')
        return message

    def qmp(self, command, **arguments):
        message = self.ask(command, **arguments)
        if 'error' in message:
            raise MachineError(f"{command}: {message['error']['desc']}")
        return message['return']

    def hmp(self, line):
        return self.qmp('human-monitor-command', **{'command-line': line})

    def io(self, *words):
        """One request of the qtest protocol; the value that it answers."""
        self.cpu.write(' '.join(map(str, words)) + '\n')
        self.cpu.flush()
        answer = self.cpu.readline().split()
        if answer[:1] != ['OK']:
            raise MachineError(f'{words}: {answer}')
        return int(answer[1], 0) if answer[1:] else None

    def config_read(self, bus, slot, offset):
        self.io('outl', 0xcf8, 1 << 31 | bus << 16 | slot << 11 | offset)
        return self.io('inl', 0xcfc)

    def config_write(self, bus, slot, offset, value):
        self.io('outl', 0xcf8, 1 << 31 | bus << 16 | slot << 11 | offset)
        self.io('outl', 0xcfc, value)

    def config(self, bus, slot):
        """The first 256 bytes of configuration space."""
        return b''.join(self.config_read(bus, slot, offset).to_bytes(
            4, 'little') for offset in range(0, 256, 4))


def pci_types(build):
    """Every virtio-pci type that a user can create."""
    with Bare(build, '-machine', 'none') as qemu:
        return sorted(t['name'] for t in qemu.qmp(
            'qom-list-types', implements='virtio-pci', abstract=False))
