# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash disable=SC1091,SC2231
#
# What the guest does with the device types that scenarios.sh does not know.

. /scenarios.sh

# of BDF PATTERN: what it stands for below the device or its virtio device.
of()
{
	local path
	for path in "/sys/bus/pci/devices/$1"/virtio*/$2 \
		    "/sys/bus/pci/devices/$1"/$2; do
		[ -e "$path" ] && basename "$path" && return
	done
	return 1
}

# cdrom BDF BYTES MD5: read BYTES whose sum is MD5.
cdrom()
{
	local dev pattern='host*/target*/*/block/sr*'
	await 20 of "$1" "$pattern"
	dev=$(of "$1" "$pattern") || { result cd_appears 1; return; }
	same cd_read "$(head -c "$2" "/dev/$dev" | sum)" "$3"
}

# console TTY BYTES MD5: say LISTENING; the host sends BYTES; send them back.
console()
{
	local file
	await 20 test -c "/dev/$1"
	file=$(mktemp /tmp/console.XXXXXX)
	exec 4< "/dev/$1"
	stty raw -echo <&4
	echo LISTENING
	head -c "$2" <&4 > "$file"
	same console_receive "$(sum "$file")" "$3"
	cat "$file" > "/dev/$1"
	result console_send $?
	exec 4<&-
	rm "$file"
}

# random NUMBER: from the NUMBERth of the guest's sources.
random()
{
	echo "virtio_rng.$1" > /sys/class/misc/hw_random/rng_current
	same rng_chosen "$(cat /sys/class/misc/hw_random/rng_current)" "virtio_rng.$1"
	echo "RNG$1 $(dd if=/dev/hwrng bs=64 count=32 2>/dev/null | base64 | tr -d '\n')"
}

# events BDF COUNT: that many events of an input device, 24 bytes each.
events()
{
	local dev
	await 20 of "$1" 'input/input*/event*'
	dev=$(of "$1" 'input/input*/event*') || { result input_appears 1; return; }
	{
		echo LISTENING
		echo "EVENTS $(head -c $(($2 * 24)) | base64 | tr -d '\n')"
	} < "/dev/input/$dev"
}

# paint BDF FILE ROWS STRIDE: FILE's content, over and over, on the screen.
paint()
{
	local dev
	await 20 of "$1" 'graphics/fb*'
	dev=$(of "$1" 'graphics/fb*') || { result screen_appears 1; return; }
	echo "SCREEN $(cat "/sys/class/graphics/$dev/virtual_size")" \
		"$(cat "/sys/class/graphics/$dev/stride")" \
		"$(cat "/sys/class/graphics/$dev/bits_per_pixel")"
	cat "$2" > "/dev/$dev"
	result screen_painted $?
}

# play BDF FILE: 48 kHz, 16 bits, stereo.
play()
{
	local card
	await 20 of "$1" 'sound/card*'
	card=$(of "$1" 'sound/card*') || { result card_appears 1; return; }
	aplay -q -D "hw:${card#card},0" -t raw -f S16_LE -r 48000 -c 2 "$2" 2>&1
	result sound_played $?
}

# encrypt ALGORITHM KEY IV PLAIN, all in hexadecimal: print the cipher text, or
# HIDDEN if the kernel keeps the algorithm to itself.
encrypt()
{
	await 20 grep -q "driver *: $1\$" /proc/crypto
	result cipher_appears $? "$1" || return
	await 20 eval "selftest $1 | grep -q passed"
	same cipher_selftest "$(selftest "$1")" passed
	echo "$4" | unhex > /tmp/plain
	echo "$2" | unhex > /tmp/key
	kcapi-enc -e -c "$1" --iv "$3" -i /tmp/plain -o /tmp/cipher \
		--keyfd 3 3< /tmp/key > /tmp/said 2>&1
	set -- $?
	if grep -q 'AF_ALG: bind failed (errno: -2)' /tmp/said; then
		echo HIDDEN
		return
	fi
	result cipher_run "$1" "$(cat /tmp/said)"
	echo "CIPHER $(hexdump -ve '1/1 "%02x"' /tmp/cipher)"
}

# selftest DRIVER: what the kernel says about its test of an algorithm, when that
# has ended.
selftest()
{
	awk -v "driver=$1" '$1 == "driver" { found = $3 == driver }
		$1 == "selftest" && found && $3 != "unknown" { print $3 }' /proc/crypto
}

unhex()
{
	xxd -r -p
}

# spread BDF PORT: connections from both CPUs, so that all queues are used.
spread()
{
	local iface i
	iface=$(of "$1" 'net/*')
	ip link set "$iface" up
	ip addr add 10.0.2.15/24 dev "$iface"
	i=0
	while [ $i -lt 16 ]; do
		taskset $((1 + i % 2)) wget -q -O /dev/null "http://10.0.2.2:$2/small"
		i=$((i + 1))
	done
	result net_spread $?
	ip addr flush dev "$iface"
	ip link set "$iface" down
}

# stamp BDF WORD: the host's WORD fills the first block; write the second.
stamp()
{
	local dev
	dev=$(disk "$1") || { result disk_appears 1; return; }
	same stamp_read "$(dd "if=/dev/$dev" bs=4k count=1 iflag=direct \
		2>/dev/null | sort -u)" "$2"
	yes "$2" | head -c 4096 > /tmp/stamp
	dd if=/tmp/stamp "of=/dev/$dev" bs=4k seek=1 oflag=direct 2>/dev/null
	result stamp_written $?
}
