# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that goes from one QEMU to the next."""

import contextlib
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'guest'))

# pylint: disable=wrong-import-position,unused-import
from harness import cli, devices, host  # noqa: E402,F401
from harness.machine import Machine, MachineError  # noqa: E402,F401

RUNNING = ('setup', 'active', 'pre-switchover', 'device', 'wait-unplug',
           'postcopy-active', 'none')


def unix(path):
    """An address in the form that QMP wants."""
    return {'transport': 'socket', 'type': 'unix', 'path': str(path)}


class Journey:
    """The QEMU that has the guest now is `machine`; use it as a context.

    arguments  QEMU's, the same for all of them
    options    of Machine
    """

    def __init__(self, context, initramfs, arguments, **options):
        self.context = context
        self.initramfs = initramfs
        self.arguments = list(arguments)
        self.options = {'deadline': 300, **options}
        # Capabilities that every way is gone with
        self.always = []
        self.stack = contextlib.ExitStack()
        self.machine = None
        self.hops = 0

    def new(self, **options):
        """One more QEMU, not started yet."""
        self.hops += 1
        name = f"{self.options.get('name', 'journey')}-{self.hops}"
        return Machine(self.context.build, self.context.kernel, self.initramfs,
                       self.arguments,
                       **{**self.options, **options, 'name': name})

    def __enter__(self):
        self.machine = self.stack.enter_context(self.new())
        return self

    def __exit__(self, *exc):
        self.stack.__exit__(*exc)

    def path(self, name):
        return self.context.folder / f'{name}-{self.hops}'

    def target(self, **options):
        """A QEMU that waits for the guest."""
        return self.stack.enter_context(self.new(incoming=['defer'],
                                                 **options))

    def refused(self, arguments):
        """Try a QEMU with other arguments; return what it says."""
        source = self.machine
        target = Machine(self.context.build, self.context.kernel,
                         self.initramfs, arguments,
                         **{**self.options, 'name': 'refused',
                            'incoming': ['defer']})
        with target:
            where = f"unix:{self.path('refused')}"
            target.qmp('migrate-incoming', uri=where)
            source.qmp('migrate', uri=where)
            target.process.wait(60)
            said = target.report(1).splitlines()
        if ended(source) != 'failed':
            source.fail('a migration that was refused did not fail')
        source.wait_for(lambda: running(source), 20, 'the guest to go on')
        return [line for line in said if 'swiotlb: ' in line]

    def arrived(self, target, capabilities=()):
        """The guest runs there; the QEMU that it left ends."""
        source = self.machine
        for machine in (source, target):
            finished(machine)
        target.wait_for(lambda: running(target), 20, 'the guest to run')
        setup([target], [*capabilities, *self.always], False)
        target.console_text = source.console_text
        target.expected = source.expected
        source.process.kill()
        source.process.wait()
        self.machine = target
        return target

    # Ways to go

    def precopy(self, capabilities=(), **options):
        target = self.target(**options)
        setup([self.machine, target], [*capabilities, *self.always])
        where = f"unix:{self.path('socket')}"
        target.qmp('migrate-incoming', uri=where)
        self.machine.qmp('migrate', uri=where)
        return self.arrived(target, capabilities)

    def postcopy(self):
        """Memory comes when the guest asks for it; return how often it did."""
        source, target = self.machine, self.target()
        setup([source, target], ['postcopy-ram'])
        where = f"unix:{self.path('socket')}"
        source.qmp('migrate-set-parameters', max_bandwidth=8 << 20)
        target.qmp('migrate-incoming', uri=where)
        source.qmp('migrate', uri=where)
        source.wait_for(lambda: status(source) == 'active' or None, 20,
                        'the migration to start')
        source.qmp('migrate-start-postcopy')
        source.wait_for(lambda: status(source) != 'active' or None, 20,
                        'postcopy to start')
        source.qmp('migrate-set-parameters', max_bandwidth=1 << 30)
        finished(source)
        asked = source.qmp('query-migrate')['ram']['postcopy-requests']
        self.arrived(target, ['postcopy-ram'])
        return asked

    def file(self, capabilities=(), mode='normal'):
        """Through a file, with the guest stopped meanwhile."""
        path = self.path('state')
        source = self.machine
        source.qmp('migrate-set-parameters', mode=mode)
        setup([source], [*capabilities, *self.always])
        source.qmp('migrate', uri=f'file:{path}')
        finished(source)
        target = self.target()
        target.qmp('migrate-set-parameters', mode=mode)
        setup([target], [*capabilities, *self.always])
        target.qmp('migrate-incoming', uri=f'file:{path}')
        self.arrived(target, capabilities)
        target.qmp('migrate-set-parameters', mode='normal')
        path.unlink()
        return target

    def cpr_transfer(self):
        """All memory stays where it is; QEMU's successor gets the files."""
        socket, cpr = self.path('socket'), self.path('cpr')
        target = self.new(incoming=['defer', json.dumps(
            {'channel-type': 'cpr', 'addr': unix(cpr)})])
        target.launch()
        self.stack.push(target)
        source = self.machine
        source.wait_for(lambda: cpr.exists() or None, 20,
                        'the new QEMU to listen')
        source.qmp('migrate-set-parameters', mode='cpr-transfer')
        source.qmp('migrate', channels=[
            {'channel-type': 'main', 'addr': unix(socket)},
            {'channel-type': 'cpr', 'addr': unix(cpr)}])
        target.meet()
        target.qmp('migrate-incoming', uri=f'unix:{socket}')
        return self.arrived(target)


def setup(machines, capabilities, state=True):
    """Set what both sides have to agree on."""
    for machine in machines:
        if capabilities:
            machine.qmp('migrate-set-capabilities', capabilities=[
                {'capability': name, 'state': state}
                for name in capabilities])


def status(machine):
    return machine.qmp('query-migrate').get('status', 'none')


def ended(machine):
    """How the migration ended on this side."""
    def look():
        now = status(machine)
        return None if now in RUNNING else now
    return machine.wait_for(look, 120, 'the migration to end')


def finished(machine):
    """The migration has completed on this side."""
    now = ended(machine)
    if now != 'completed':
        what = machine.qmp('query-migrate').get('error-desc', '')
        machine.fail(f'the migration ended as {now}: {what}')


def running(machine):
    return True if machine.qmp('query-status')['running'] else None


def window_files(machine):
    """The files that hold windows in a QEMU process, by inode."""
    found = set()
    folder = f'/proc/{machine.process.pid}/fd'
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            if os.readlink(path).startswith('/memfd:swiotlb'):
                found.add(os.stat(path).st_ino)
    return found


class Churn:
    """I/O that goes on in the guest all the time, and says what is wrong."""

    def __init__(self, fleet, machine):
        at = machine.address
        server = fleet.server
        machine.must(f"mount -t ext4 /dev/$(disk {at('disk')}) /mnt && "
                     'mkdir -p /tmp/churn && dd if=/dev/zero of=/mnt/churn '
                     'bs=1M count=2 2>/dev/null && sync')
        machine.must(
            f"i=$(basename /sys/bus/pci/devices/{at('net')}/virtio*/net/*); "
            'ip link set lo up; ip link set $i up; '
            'ip addr add 10.0.2.15/24 dev $i')
        work = {
            'disk': 'rewrite /mnt/churn 0 1',
            'scsi': f"rewrite /dev/$(disk {at('scsi')}) {fleet.raw.mib} 1",
            'net': f'fetch {server.port} {len(server.data)} '
                   f'{host.md5(server.data)}',
            'rng': 'entropy'}
        for name, command in work.items():
            machine.must(f'churn {name} {command} >/dev/null 2>&1 &')
        self.names = set(work)

    def rounds(self, machine):
        """How often each has been round; MachineError if one went wrong."""
        found = {}
        for line in machine.run('churned')[1]:
            if line.startswith('CHURN '):
                _, name, count = line.split()
                found[name] = int(count)
            else:
                raise MachineError(f'the guest\'s I/O went wrong: {line}')
        return found

    def goes_on(self, tap, machine, what):
        """Each gets round twice: the first may have begun long ago."""
        before = self.rounds(machine)

        def moved():
            now = self.rounds(machine)
            return now if all(now.get(n, 0) > before.get(n, 0) + 1
                              for n in self.names) else None
        try:
            machine.wait_for(moved, 90, 'all I/O of the guest to go on')
            tap.ok(True, f'{what}: all I/O goes on, and is right')
        except MachineError as error:
            tap.ok(False, f'{what}: all I/O goes on, and is right', error)
            raise

    def stop(self, machine):
        machine.must('enough_churn', 120)
        machine.must('umount /mnt && ip addr flush dev '
                     f"$(basename /sys/bus/pci/devices/"
                     f"{machine.address('net')}/virtio*/net/*)")
        self.rounds(machine)
