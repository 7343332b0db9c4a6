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

# disk_ready BDF: a disk is there, and no scheduler delays its requests.
disk_ready()
{
	disk "$1" && echo none >"/sys/block/$(block_of "$1")/queue/scheduler"
}

# start_load BDF KIND SIZE DEPTH BATCH: requests until stop_load.
start_load()
{
	local name
	name=$(block_of "$1") || return
	fio --name=load --filename="/dev/$name" --rw="$2" --bs="$3" \
		--iodepth="$4" --iodepth_batch_submit="$5" \
		--iodepth_batch_complete_min="$5" --thread --ioengine=libaio --direct=1 \
		--gtod_reduce=1 --norandommap --randrepeat=1 --time_based \
		--runtime=1d --eta=never >/tmp/fio.log 2>&1 &
	echo $! >/tmp/fio
}

stop_load()
{
	read -r pid </tmp/fio
	kill -9 "$pid"
	await 60 load_is_gone
}

load_is_gone()
{
	! kill -0 "$pid"
}

# verify BDF MIB: fio reads back all that it wrote; prints a sum of it.
verify()
{
	local name
	name=$(block_of "$1") || return
	fio --name=data --filename="/dev/$name" --ioengine=libaio --direct=1 \
		--iodepth=16 --rw=randwrite --bsrange=4k-128k --size="$2M" \
		--verify=crc32c --do_verify=1 --verify_fatal=1 --eta=never \
		>/tmp/verify 2>&1 || {
		cat /tmp/verify
		return 1
	}
	dd if="/dev/$name" bs=128k count=$(($2 * 8)) iflag=direct \
		2>/dev/null | sum
}

# wait_for_reads BDF NUMBER: until so many are under way; prints how many.
wait_for_reads()
{
	name=$(block_of "$1")
	await 120 has_reads "$2" && reads_of
}

reads_of()
{
	awk '{ print $1 }' "/sys/block/$name/inflight"
}

has_reads()
{
	[ "$(reads_of)" -ge "$1" ]
}

# keep_symbols BDF: the kernel's, on a disk. The console would take minutes.
keep_symbols()
{
	dd if=/proc/kallsyms of="/dev/$(block_of "$1")" bs=64k conv=sync \
		oflag=direct iflag=fullblock 2>/dev/null
}

# stream ADDRESS PORT KIB [IPERF_OPTION...]
stream()
{
	local address=$1 port=$2 kib=$3
	shift 3
	iperf3 -c "$address" -p "$port" -n "${kib}K" "$@" >/tmp/iperf 2>&1 || {
		cat /tmp/iperf
		return 1
	}
}

# busy BDF DEPTH REQUESTS ADDRESS PORT KIB: a disk, and a network in both
# directions, at once; prints how each second of the network was.
busy()
{
	local name
	name=$(block_of "$1") || return
	fio --name=busy --filename="/dev/$name" --ioengine=libaio --direct=1 \
		--rw=randrw --bs=4k --norandommap --iodepth="$2" \
		--number_ios="$3" --size=100% --eta=never >/tmp/fio.log 2>&1 &
	stream "$4" "$5" "$6" -i 1 -f k && cat /tmp/iperf &&
		stream "$4" "$5" "$6" -R -i 1 -f k && cat /tmp/iperf || return
	wait $!
}

# bounces BDF: Linux's own swiotlb is in use while a disk is read.
bounces()
{
	dd if="/dev/$(block_of "$1")" of=/dev/null bs=4k count=4 iflag=direct \
		2>/dev/null &
	await 20 has_bounces
}

has_bounces()
{
	[ "$(cat /sys/kernel/debug/swiotlb/io_tlb_used)" -gt 0 ]
}
