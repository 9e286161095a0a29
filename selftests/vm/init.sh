#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=dash
#
# First process of the guest, in the initramfs that run.sh makes.  Takes the file system of
# the machine, which it sees read-only over 9p, as its own, with a tmpfs over it for all
# that is written, and goes on in there with guest.sh.

fail()
{
	echo "guest: $*"
	/bin/busybox poweroff -f
}

/bin/busybox mkdir -p /proc /dev /host /over /root
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
exec >/dev/console 2>&1

while read -r module; do
	insmod "/modules/$module" || fail "cannot load $module"
done </modules/order

mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro lz-host /host ||
	fail "cannot mount the machine's file system"
mount -t tmpfs over /over
mkdir /over/up /over/work
mount -t overlay -o lowerdir=/host,upperdir=/over/up,workdir=/over/work root /root ||
	fail "cannot lay a tmpfs over the machine's file system"
mount --move /dev /root/dev
mkdir /root/lz-guest
cp /guest/* /root/lz-guest/
exec switch_root /root /bin/bash /lz-guest/guest.sh
