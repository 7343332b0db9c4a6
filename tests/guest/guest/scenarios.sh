# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
#
# What the guest can be asked to do. A scenario reports each thing that must
# hold as `RESULT NAME ok|not ok DETAIL`, and facts as `KEY VALUE...`.

# result NAME STATUS [DETAIL]
result()
{
	if [ "$2" -eq 0 ]; then
		echo "RESULT $1 ok"
	else
		echo "RESULT $1 not ok $(echo "$3" | tr '\n' ' ')"
	fi
	return "$2"
}

# same NAME GOT WANT
same()
{
	[ "$2" = "$3" ]
	result "$1" $? "got '$2', want '$3'"
}

sum()
{
	md5sum "$@" | cut -d' ' -f1
}

# await SECONDS COMMAND...: until COMMAND succeeds.
await()
{
	local left=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		usleep 100000
	done
}

# within SECONDS COMMAND...: status 124 if it is still running then. The
# process is left behind: one that waits for a device cannot be killed.
within()
{
	local left=$(($1 * 10)) pid
	shift
	"$@" </dev/null &
	pid=$!
	while kill -0 $pid 2>/dev/null && [ $left -gt 0 ]; do
		left=$((left - 1))
		usleep 100000
	done
	kill -0 $pid 2>/dev/null && return 124
	wait $pid
}

# load MODULE [PARAMETER=VALUE...]: with all that it needs, as modprobe would.
load()
{
	local order="/lib/mod/$1.order" last name
	shift
	last=$(tail -n 1 "$order")
	while read -r name; do
		[ -d "/sys/module/${name##*/}" ] && continue
		if [ "$name" = "$last" ]; then
			insmod "/lib/mod/$name.ko" "$@" || return 1
		else
			insmod "/lib/mod/$name.ko" || return 1
		fi
	done < "$order"
}

load_all()
{
	local name
	for name in "$@"; do
		load "$name" || return 1
	done
}

# In what follows, BDF is the name of a PCI device, or that of a virtio-mmio
# transport, such as a003e00.virtio_mmio.

# virtio BDF: the name of the virtio device there.
virtio()
{
	local path
	for path in /sys/bus/*/devices/"$1"/virtio[0-9]*; do
		[ -d "$path" ] && basename "$path" && return
	done
	return 1
}

# state BDF: its virtio device, driver, status, feature bits.
state()
{
	local name driver='-'
	name=$(virtio "$1") || return 1
	[ -e "/sys/bus/virtio/devices/$name/driver" ] &&
		driver=$(basename "$(readlink -f "/sys/bus/virtio/devices/$name/driver")")
	echo "STATE $name $driver $(cat "/sys/bus/virtio/devices/$name/status")" \
		"$(cat "/sys/bus/virtio/devices/$name/features")"
}

has_driver()
{
	local name
	name=$(virtio "$1") && [ -e "/sys/bus/virtio/devices/$name/driver" ]
}

# unbind BDF, bind BDF: its virtio driver.
unbind()
{
	local name driver
	name=$(virtio "$1") || return 1
	driver=$(readlink -f "/sys/bus/virtio/devices/$name/driver")
	echo "$name" > "$driver/unbind"
	! has_driver "$1"
}

bind()
{
	local name
	name=$(virtio "$1") || return 1
	echo "$name" > /sys/bus/virtio/drivers_probe
	has_driver "$1"
}

rebind()
{
	unbind "$1" && bind "$1"
}

# rebind_rounds BDF ROUNDS: its pool is empty whenever its driver is away.
rebind_rounds()
{
	local i=0
	while [ $i -lt "$2" ]; do
		unbind "$1"
		result unbind $?
		idle "$1"
		result pool_is_empty $? "$(pool "$1")"
		bind "$1" && settle "$1"
		result bind $?
		i=$((i + 1))
	done
	has_driver "$1"
}

# settle BDF: until the kernel has looked at a disk that has just come.
settle()
{
	case $(state "$1") in
	*virtio_blk* | *virtio_scsi*)
		dd "if=/dev/$(disk "$1")" of=/dev/null count=1 2>/dev/null ;;
	esac
}

# pool BDF: what our driver says about its pool.
pool()
{
	grep " $1 " /sys/kernel/debug/virtio_swiotlb
}

# idle BDF: no driver, no pool.
idle()
{
	pool "$1" | grep -q ' detached$'
}

# drained BDF: a pool that holds rings, and nothing that is mapped.
drained()
{
	await 5 eval "pool $1 | grep -q ' rings=[1-9][0-9]* mapped=0 '"
}

# numbers BDF: what our driver counts, as NAME VALUE.
numbers()
{
	(cd /sys/bus/*/devices/"$1"/virtio_swiotlb && grep -H . ./* |
		sed 's|^./\(.*\):|\1 |')
}

# number_is BDF NAME VALUE
number_is()
{
	[ "$(cat /sys/bus/*/devices/"$1/virtio_swiotlb/$2")" = "$3" ]
}

# was_full BDF: its window, at least once
was_full()
{
	! number_is "$1" full 0
}

# requests DISK: how many it has completed.
requests()
{
	awk '{ print $1 + $5 }' "/sys/block/$1/stat"
}

# read_at_once DISK READERS BLOCKS [SIZE]: so many readers of so many blocks of
# 4 KiB, or SIZE, each, past the page cache. The sum is of all that they read, in
# order.
read_at_once()
{
	local i=0 dir
	dir=$(mktemp -d /tmp/readers.XXXXXX)
	while [ $i -lt "$2" ]; do
		dd "if=/dev/$1" bs="${4:-4k}" skip=$((i * $3)) count="$3" iflag=direct \
			of="$dir/$(printf %04d $i)" 2>/dev/null &
		i=$((i + 1))
	done
	wait
	cat "$dir"/* | sum
	rm -r "$dir"
}

# rogue PLAN: what the test build of our driver is to do wrong next.
rogue()
{
	echo "$1" > /sys/module/virtio_swiotlb/parameters/rogue
}

rogue_left()
{
	cat /sys/module/virtio_swiotlb/parameters/rogue
}

# told VIRTIO: our driver has said why its requests do not end.
told()
{
	dmesg | grep -q "$1: the device has stopped (NEEDS_RESET)"
}

read_block()
{
	dd "if=/dev/$(block_of "$1")" of=/dev/null bs=4k count=1 iflag=direct
}

write_block()
{
	dd if=/dev/urandom bs=4k count=1 2>/dev/null |
		dd "of=/dev/$(block_of "$1")" bs=4k oflag=direct
}

# window BDF BAR: start, end and flags; then every owner /proc/iomem names.
window()
{
	local start end flags
	sed -n "$(($2 + 1))p" "/sys/bus/pci/devices/$1/resource" | {
		read -r start end flags
		echo "WINDOW $start $end $flags"
		sed -n "s/^ *$(printf '%08x-%08x' "$start" "$end") : /OWNER /p" /proc/iomem
	}
}

# block_of BDF: its block device.
block_of()
{
	local path
	for path in /sys/bus/*/devices/"$1"/virtio*/block/* \
		    /sys/bus/*/devices/"$1"/virtio*/host*/target*/*/block/*; do
		[ -d "$path" ] && basename "$path" && return
	done
	return 1
}

# disk BDF: the same, once it is there.
disk()
{
	await 20 block_of "$1"
	block_of "$1"
}

# fresh FILE MIB: random content.
fresh()
{
	dd if=/dev/urandom of="$1" bs=64k count=$(($2 * 16)) 2>/dev/null
}

# ext4 BDF MIB: a file system that the host made. Read what the host put
# there, write MIB of files, and find both again after a remount.
ext4()
{
	local dev dir i
	dev=$(disk "$1") || { result ext4_disk_appears 1 "no disk"; return; }
	dir=$(mktemp -d /tmp/ext4.XXXXXX)
	mkdir "$dir/mnt" "$dir/new"
	mount -t ext4 "/dev/$dev" "$dir/mnt"
	result ext4_mount $? "/dev/$dev"
	same ext4_read "$(sum "$dir/mnt/from-host")" "$(cat "$dir/mnt/from-host.md5")"
	i=0
	while [ $i -lt 8 ]; do
		fresh "$dir/new/file$i" $(($2 / 8))
		i=$((i + 1))
	done
	(cd "$dir/new" && md5sum file*) > "$dir/sums"
	cp "$dir/new"/file* "$dir/mnt/" && sync
	result ext4_write $? "$2 MiB"
	rm -r "$dir/new"
	umount "$dir/mnt"
	result ext4_umount $? "$(cat /proc/mounts)"
	blockdev --flushbufs "/dev/$dev"
	mount -t ext4 "/dev/$dev" "$dir/mnt"
	result ext4_remount $? "/dev/$dev"
	i=$(cd "$dir/mnt" && md5sum -c "$dir/sums" 2>&1)
	result ext4_verify $? "$i"
	umount "$dir/mnt"
	sed 's/^/SUM /' "$dir/sums"
	rm -r "$dir"
}

# say WORD: write it to the disk at /mnt, then read it from there. Reading comes
# last, so that no other request has taken its place in the window since.
say()
{
	echo "$1" > /mnt/word
	sync
	echo 3 > /proc/sys/vm/drop_caches
	dd if=/mnt/word bs=4k iflag=direct 2>/dev/null
}

# raw BDF MIB MD5: read MIB past the page cache, whose sum is MD5; write as
# much behind it, in requests of odd sizes, and read it again.
raw()
{
	local dev file
	dev=$(disk "$1") || { result raw_disk_appears 1 "no disk"; return; }
	file=$(mktemp /tmp/raw.XXXXXX)
	same raw_read "$(dd "if=/dev/$dev" bs=256k count=$(($2 * 4)) \
		iflag=direct 2>/dev/null | sum)" "$3"
	fresh "$file" "$2"
	dd "if=$file" "of=/dev/$dev" bs=64k seek=$(($2 * 16)) \
		oflag=direct conv=notrunc,fsync 2>/dev/null
	result raw_write $? "$2 MiB"
	same raw_verify "$(dd "if=/dev/$dev" bs=28k count=$(($2 * 1024 / 28)) \
		skip=$(($2 * 1048576)) iflag=direct,skip_bytes 2>/dev/null | sum)" \
		"$(dd "if=$file" bs=28k count=$(($2 * 1024 / 28)) 2>/dev/null | sum)"
	echo "SUM $(sum "$file") raw"
	rm "$file"
}

# post FILE HOST PORT: busybox's wget stops at the first zero byte.
post()
{
	{
		printf 'POST /upload HTTP/1.0\r\n'
		printf 'Content-Length: %d\r\n\r\n' "$(stat -c %s "$1")"
		cat "$1"
	} | nc "$2" "$3"
}

# has_interface BDF, has_port NAME: each looks anew what there is.
has_interface()
{
	ls -d /sys/bus/*/devices/"$1"/virtio*/net/*
}

has_port()
{
	grep -qx "$1" /sys/class/virtio-ports/*/name
}

# transfer INTERFACE PORT MIB MD5 SUBNET: fetch MIB whose sum is MD5 from the
# host's server, then send as much and compare the sum that the server answers.
transfer()
{
	local file
	file=$(mktemp /tmp/net.XXXXXX)
	ip link set lo up
	ip link set "$1" up
	ip addr add "$5.15/24" dev "$1"
	same net_download "$(wget -q -O - "http://$5.2:$2/download" | sum)" "$4"
	fresh "$file" "$3"
	same net_upload "$(post "$file" "$5.2" "$2" | tail -n 1)" "$(sum "$file")"
	ip addr flush dev "$1"
	ip link set "$1" down
	rm "$file"
}

# net BDF PORT MIB MD5 [SUBNET]: a transfer by the device's interface.
net()
{
	local iface
	await 20 has_interface "$1"
	iface=$(basename /sys/bus/*/devices/"$1"/virtio*/net/*)
	[ -d "/sys/class/net/$iface" ]
	result net_interface_appears $? "$iface" || return
	transfer "$iface" "$2" "$3" "$4" "${5:-10.0.2}"
}

# beside PID DISK BDF PORT MIB MD5: while a process is there, ask a disk for its
# serial number, which is "whole", and move MIB to and fro by a network device.
# Prints how often, and the seconds that the slowest answer of the disk took.
beside()
{
	local answers=0 longest=0 transfers=0 before took
	while kill -0 "$1" 2>/dev/null; do
		before=$(cut -d. -f1 /proc/uptime)
		same serial "$(cat "/sys/block/$2/serial")" whole >/tmp/answer ||
			cat /tmp/answer
		took=$(($(cut -d. -f1 /proc/uptime) - before))
		[ "$took" -le "$longest" ] || longest=$took
		answers=$((answers + 1))
		net "$3" "$4" "$5" "$6" >/tmp/transfer
		! grep -q 'not ok' /tmp/transfer || cat /tmp/transfer
		transfers=$((transfers + 1))
	done
	cat /tmp/answer /tmp/transfer
	echo "IDENTITIES $answers"
	echo "LONGEST $longest"
	echo "TRANSFERS $transfers"
}

# waiting BYTES: as many are in all sockets, unread.
waiting()
{
	local bytes=0 queue
	awk 'NR > 1 { sub(".*:", "", $5); print $5 }' /proc/net/tcp | {
		while read -r queue; do
			bytes=$((bytes + 0x$queue))
		done
		[ $bytes -ge "$1" ]
	}
}

# unread BDF PORT BYTES: what is mapped before and after so many BYTES, and
# some to fill a pipe, came for a program that does not read them.
unread()
{
	local at=/sys/bus/pci/devices/$1 iface before pid
	iface=$(basename "$at"/virtio*/net/*)
	ip link set "$iface" up
	ip addr add 10.0.2.15/24 dev "$iface"
	sleep 1
	before=$(cat "$at/virtio_swiotlb/mapped")
	# shellcheck disable=SC2216 # it is not to read
	wget -q -O - "http://10.0.2.2:$2/download" | sleep 1000 &
	pid=$!
	await 20 waiting "$3" || return
	sleep 1
	echo "MAPPED $before $(cat "$at/virtio_swiotlb/mapped")"
	kill $pid
	ip addr flush dev "$iface"
	ip link set "$iface" down
}

# rng BLOCKS: the host compares what comes with its source.
rng()
{
	local name
	name=$(cat /sys/class/misc/hw_random/rng_current)
	case $name in
	virtio_rng*) result rng_is_virtio 0 ;;
	*) result rng_is_virtio 1 "$name" ;;
	esac
	echo "RNG $(dd if=/dev/hwrng bs=64 "count=$1" 2>/dev/null | base64 | tr -d '\n')"
}

# serial NAME BYTES MD5: the host sends BYTES; send them back.
serial()
{
	local dev='' path file
	await 20 has_port "$1"
	for path in /sys/class/virtio-ports/*; do
		[ "$(cat "$path/name")" = "$1" ] && dev=/dev/$(basename "$path")
	done
	[ -n "$dev" ]
	result serial_port_appears $? "$1" || return
	file=$(mktemp /tmp/serial.XXXXXX)
	head -c "$2" < "$dev" > "$file"
	same serial_receive "$(sum "$file")" "$3"
	cat "$file" > "$dev"
	result serial_send $?
	rm "$file"
}

# p9 TAG MIB: a folder of the host's. Read what is there, leave MIB there.
p9()
{
	share p9 "$1" "$2" -t 9p -o trans=virtio,version=9p2000.L,msize=262144
}

# virtiofs TAG MIB: the same
virtiofs()
{
	share virtiofs "$1" "$2" -t virtiofs
}

# share NAME TAG MIB OPTION...: with options for mount(8)
share()
{
	local name=$1 tag=$2 mib=$3 dir
	shift 3
	dir=$(mktemp -d /tmp/share.XXXXXX)
	mkdir "$dir/mnt"
	mount "$@" "$tag" "$dir/mnt"
	result "${name}_mount" $? "$tag" || return
	same "${name}_read" "$(sum "$dir/mnt/from-host")" \
		"$(cat "$dir/mnt/from-host.md5")"
	fresh "$dir/new" "$mib"
	cp "$dir/new" "$dir/mnt/from-guest"
	result "${name}_write" $?
	umount "$dir/mnt"
	mount "$@" "$tag" "$dir/mnt"
	same "${name}_verify" "$(sum "$dir/mnt/from-guest")" "$(sum "$dir/new")"
	umount "$dir/mnt"
	echo "SUM $(sum "$dir/new") from-guest"
	rm -r "$dir"
}

# at_once COMMAND...: each COMMAND (one word each, quoted) beside the others.
at_once()
{
	local i=0 command
	mkdir -p /tmp/at_once
	for command in "$@"; do
		(eval "$command") > "/tmp/at_once/$i" 2>&1 &
		i=$((i + 1))
	done
	wait
	cat /tmp/at_once/*
	rm -r /tmp/at_once
}

# churn NAME COMMAND...: COMMAND again and again until enough_churn. What it prints
# is kept.
churn()
{
	local name=$1 rounds=0
	shift
	mkdir -p /tmp/churn
	echo 0 > "/tmp/churn/$name.rounds"
	while [ ! -e /tmp/churn/enough ]; do
		"$@" >> "/tmp/churn/$name.wrong" 2>&1
		rounds=$((rounds + 1))
		echo $rounds > "/tmp/churn/$name.new"
		mv "/tmp/churn/$name.new" "/tmp/churn/$name.rounds"
	done
	rm "/tmp/churn/$name.rounds"
}

# churned: how often each has been round, and what was wrong.
churned()
{
	(cd /tmp/churn && grep -sH . ./*.rounds | sed 's|^./\(.*\).rounds:|CHURN \1 |'
	 grep -sH . ./*.wrong | sed 's|^./\(.*\).wrong:|WRONG \1 |')
}

enough_churn()
{
	touch /tmp/churn/enough
	await 60 churn_has_ended
}

churn_has_ended()
{
	local file
	for file in /tmp/churn/*.rounds; do
		[ -e "$file" ] && return 1
	done
	return 0
}

# rewrite PATH SEEK MIB: MIB of random content SEEK MiB into it, past all caches
rewrite()
{
	local file got
	file=$(mktemp /tmp/rewrite.XXXXXX)
	fresh "$file" "$3"
	dd "if=$file" "of=$1" bs=64k seek=$(($2 * 16)) oflag=direct \
		conv=notrunc,fsync 2>/dev/null || echo 'the write failed'
	got=$(dd "if=$1" bs=64k skip=$(($2 * 16)) count=$(($3 * 16)) \
		iflag=direct 2>/dev/null | sum)
	[ "$got" = "$(sum "$file")" ] || echo "got $got, want $(sum "$file")"
	rm "$file"
}

# fetch PORT BYTES MD5: a connection may break, but what comes is right.
fetch()
{
	local file
	file=$(mktemp /tmp/fetch.XXXXXX)
	wget -q -T 5 -O "$file" "http://10.0.2.2:$1/download" 2>/dev/null
	[ "$(stat -c %s "$file")" -ne "$2" ] || [ "$(sum "$file")" = "$3" ] ||
		echo "got $(sum "$file"), want $3"
	rm "$file"
}

# entropy: all of it is the host's.
entropy()
{
	dd if=/dev/hwrng bs=64 count=16 2>/dev/null | grep -v '^[0-9]\{15\}$'
}

# keep_busy COMMAND...: each COMMAND (one word each, quoted) over and over, until
# come_to_rest. The pauses leave the emulated CPU to others.
keep_busy()
{
	local i=0 command
	for command in "$@"; do
		churn "busy$i" eval "$command; sleep 1" \
			< /dev/null > /dev/null 2>&1 &
		i=$((i + 1))
	done
}

# come_to_rest: once each COMMAND has ended, what they said.
come_to_rest()
{
	enough_churn
	cat /tmp/churn/*.wrong
	rm -r /tmp/churn
}

# use_rng NAME BLOCKS: so much randomness from that source.
use_rng()
{
	echo "$1" > /sys/class/misc/hw_random/rng_current
	same rng_is_current "$(cat /sys/class/misc/hw_random/rng_current)" "$1"
	same rng_read "$(dd if=/dev/hwrng bs=64 "count=$2" 2>/dev/null | wc -c)" \
		$((64 * $2))
}

# pci_reset BDF METHOD: flr or bus.
pci_reset()
{
	echo "$2" > "/sys/bus/pci/devices/$1/reset_method" &&
		echo 1 > "/sys/bus/pci/devices/$1/reset"
}

# pci_command BDF OCTAL: the low byte of the command register, three digits.
pci_command()
{
	printf '%b' "\\0$2" | dd "of=/sys/bus/pci/devices/$1/config" bs=1 seek=4 \
		conv=notrunc 2>/dev/null
}

# steady NAME VALUE: that is the status of a virtio device, each of many times.
steady()
{
	local i=0 status
	while [ $i -lt 200 ]; do
		read -r status < "/sys/bus/virtio/devices/$1/status"
		[ "$status" = "$2" ] || echo "status $status"
		i=$((i + 1))
	done
}

# flicker BDF TIMES: its BARs go away and come back.
flicker()
{
	local i=0
	while [ $i -lt "$2" ]; do
		pci_command "$1" 000 && pci_command "$1" 002 || return 1
		i=$((i + 1))
	done
}

# pci_rebind BDF: the PCI driver lets go of the device and takes it again.
pci_rebind()
{
	echo "$1" > "/sys/bus/pci/devices/$1/driver/unbind" &&
		echo "$1" > /sys/bus/pci/drivers_probe
}

# pci_give BDF DRIVER: to this PCI driver and no other; '': to whoever wants it.
pci_give()
{
	local at=/sys/bus/pci/devices/$1
	echo "$2" > "$at/driver_override" &&
		echo "$1" > "$at/driver/unbind" &&
		echo "$1" > /sys/bus/pci/drivers_probe &&
		[ -e "$at/driver" ]
}

# byte FILE OFFSET
byte()
{
	hexdump -s "$2" -n 1 -ve '1/1 "%d"' "$1"
}

# slot_control PORT LOW HIGH: both bytes, three digits in octal each
slot_control()
{
	local config=/sys/bus/pci/devices/$1/config at
	at=$(byte "$config" 52)
	until [ "$(byte "$config" "$at")" -eq 16 ]; do
		at=$(byte "$config" $((at + 1)))
	done
	printf '%b' "\\0$2\\0$3" | dd "of=$config" bs=2 seek=$(((at + 24) / 2)) \
		conv=notrunc 2>/dev/null
}

# cut_power PORT: to the slot of a PCI Express port. Its driver hears of it when
# the device is gone, and finds the power on.
cut_power()
{
	# No interrupts, power off; then all interrupts, power on
	slot_control "$1" 300 007 && slot_control "$1" 371 001
}

# leaks: what kmemleak misses. It takes for lost what is some seconds old and
# was not found twice.
leaks()
{
	sleep 6
	echo scan > /sys/kernel/debug/kmemleak
	echo scan > /sys/kernel/debug/kmemleak
	cat /sys/kernel/debug/kmemleak
}

# refuse_to MODULE: failslab is to refuse what this module asks for, no other.
refuse_to()
{
	local text size
	text=$(cat "/sys/module/$1/sections/.text")
	size=$(cat "/sys/module/$1/coresize")
	cd /sys/kernel/debug/failslab || return
	echo "$text" > require-start
	printf '0x%x\n' $((text + size)) > require-end
	echo N > ignore-gfp-wait
	echo 0 > verbose
}

# refuse_next NUMBER: of the pieces of memory that our driver asks for
refuse_next()
{
	refuse_to virtio_swiotlb && echo "$1" > ./times && echo 100 > probability
}

# refused_not_yet: how many of them; those that come are not refused any more.
refused_not_yet()
{
	echo 0 > /sys/kernel/debug/failslab/probability
	cat /sys/kernel/debug/failslab/times
}

# attach_refused BDF: attach the device again and again, and each time refuse the
# next one of the pieces of memory that our driver asks for, until it asks for no
# more.
attach_refused()
{
	local n=0 left=0
	(refuse_to virtio_swiotlb) || return
	while [ "$left" -eq 0 ]; do
		n=$((n + 1))
		echo "$1" > "/sys/bus/pci/devices/$1/driver/unbind" || return
		# The two are of this process.
		echo $n > /proc/self/fail-nth
		echo "$1" > /sys/bus/pci/drivers_probe
		read -r left < /proc/self/fail-nth
		echo 0 > /proc/self/fail-nth
		if has_driver "$1"; then
			echo "TRY $n bound"
		else
			echo "TRY $n refused"
		fi
	done
}

# has_slaves NUMBER: below one interface.
has_slaves()
{
	local number=$1
	set -- /sys/class/net/*/lower_*
	[ -e "$1" ] && [ $# -eq "$number" ]
}

# failover_net PORT MIB MD5: as net, by the interface that has slaves.
failover_net()
{
	local path
	for path in /sys/class/net/*/lower_*; do
		[ -e "$path" ] || return 1
	done
	path=${path%/lower_*}
	transfer "${path##*/}" "$1" "$2" "$3" 10.0.2
}
