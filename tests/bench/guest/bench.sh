# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash disable=SC2154
#
# What guests of the benchmark can be asked to do, besides scenarios.sh.

# interface BDF: the network interface of a device.
interface()
{
	basename "/sys/bus/pci/devices/$1"/virtio*/net/*
}

# join BDF ADDRESS [PEER]: an interface with that address, until PEER is there.
join()
{
	local name
	await 30 has_interface "$1"
	name=$(interface "$1")
	ip link set lo up
	ip link set "$name" up
	ip addr show dev "$name" | grep -q "inet $2/" ||
		ip addr add "$2/24" dev "$name"
	[ -z "$3" ] || await 30 ping -c 1 -W 1 "$3"
}
