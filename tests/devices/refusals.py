# SPDX-License-Identifier: GPL-2.0-or-later
"""Device types that are refused: with one line, and nothing is left behind."""

import re

from common import Bare, start

PREFIX = re.compile(r'^qemu-system-\w+: -device [^ ]+: ')
# What a sanitizer has to say is not QEMU's.
SANITIZER = re.compile(r'^==|^\s*$')


def joined(*parts):
    return ','.join(part for part in parts if part)


def own_lines(errors):
    return [line for line in errors.splitlines() if not SANITIZER.match(line)]


def at_start(record, build, qtype, refused, option=''):
    """The message, without what says whose it is; None if there is none."""
    device = joined(qtype, refused.options, option, 'swiotlb=on')
    status, errors = start(build, '-machine', refused.machine,
                           *refused.before, '-device', device)
    lines = own_lines(errors)
    record.equal(status, 1, 'QEMU does not start')
    if not record.equal(len(lines), 1, 'it says why in one line'):
        record.tap.note('\n'.join(lines))
        return None
    message = PREFIX.sub('', lines[0])
    missing = [word for word in refused.words if word not in message]
    record.ok(message.startswith('swiotlb') and not missing,
              'the line says why and what to use instead',
              f'{missing} not in: {message}')
    return message


def contents(qemu):
    """What a machine has: devices, PCI functions, memory regions."""
    return ([entry['name'] for path in ('/machine/peripheral',
                                        '/machine/peripheral-anon')
             for entry in qemu.qmp('qom-list', path=path)],
            qemu.hmp('info pci'), qemu.hmp('info mtree'))


def arguments_of(options):
    """As device_add takes them; all of ours are strings or switches."""
    pairs = (part.split('=', 1) for part in options.split(',') if part)
    return {name: {'on': True, 'off': False}.get(value, value)
            for name, value in pairs}


def at_run_time(record, build, qtype, refused, message, option=''):
    """device_add says the same, if the type can be plugged at run time."""
    options = joined(refused.options, option, 'swiotlb=on')
    with Bare(build, '-machine', 'pc', *refused.before) as qemu:
        before = contents(qemu)
        answer = qemu.ask('device_add', driver=qtype, id='dev0',
                          **arguments_of(options))
        said = answer.get('error', {}).get('desc', 'no error')
        record.ok(said == message or 'hotplug' in said,
                  'device_add says the same', f'{said}\n{message}')
        record.equal(contents(qemu), before, 'and leaves nothing behind')
        good = qemu.ask('device_add', driver='virtio-rng-pci', id='dev0',
                        swiotlb=True)
        record.ok('error' not in good, 'its id is free', good)


def vhost_net(record, build, network):
    """A kernel without vhost-net: the network back end says so itself."""
    status, errors = start(
        build, '-netdev', f'tap,id=net,fd={network.taps[0]},vhost=on',
        '-device', 'virtio-net-pci,netdev=net,romfile=,swiotlb=on',
        pass_fds=network.taps)
    record.equal(status, 1, 'vhost=on without vhost-net: QEMU does not start')
    lines = own_lines(errors)
    record.ok(len(lines) == 1 and 'vhost' in lines[0],
              'it says why in one line', errors)
