#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands for libvirt's virsh, with one domain.

What it knows is in the folder FAKE_DOMAIN: its state, its XML, and the QMP
socket of the QEMU that it runs as.
"""

import json
import os
import socket
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ['FAKE_DOMAIN'])


def monitor(request):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(FOLDER / 'qmp'))
        stream = connection.makefile('rw')
        stream.readline()
        for line in ('{"execute": "qmp_capabilities"}', request):
            stream.write(line.strip() + '\n')
            stream.flush()
            answer = stream.readline()
            while 'event' in json.loads(answer):
                answer = stream.readline()
        return answer


def main():
    words = sys.argv[1:]
    (FOLDER / 'words').open('a').write(json.dumps(words) + '\n')
    if words[0] == '--connect':
        words = words[2:]
    command, option, domain, *rest = words
    if (FOLDER / 'hangs').exists():
        time.sleep(600)
    if option != '--domain' or domain != FOLDER.name:
        print(f"error: failed to get domain '{domain}'\n", file=sys.stderr)
        return 1
    if command == 'domstate':
        print((FOLDER / 'state').read_text())
    elif command == 'dumpxml':
        print((FOLDER / ('inactive.xml' if rest == ['--inactive']
                         else 'live.xml')).read_text())
    elif command == 'qemu-monitor-command':
        print(monitor(*rest))
    else:
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
