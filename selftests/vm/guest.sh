# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Process 1 of the guest once it stands on the machine's file system: the mounts every
# program expects, the guest's own modules, then the test.  Its output goes to the second
# serial port; the last line there is "lz-guest-exit STATUS".  /lz-guest/command is run.sh's.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM=dumb

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t bpf -o mode=700 bpf /sys/fs/bpf
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for dir in /dev/shm /run; do
	mount -t tmpfs tmpfs "$dir"
done
hostname lz-guest
ip link set lo up

stty -F /dev/ttyS1 raw
exec </dev/null >/dev/ttyS1 2>&1

(
	# shellcheck source=/dev/null
	. /lz-guest/command
	mkdir -p /lib/modules && mount --bind "$LZ_GUEST_MODULES" /lib/modules || exit 1
	cd "$LZ_GUEST_FOLDER" && exec bash "${LZ_GUEST_COMMAND[@]}"
)
echo "lz-guest-exit $?"
exec busybox poweroff -f
