#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2317 # clean_up is called by a trap
#
# usage: run.sh [--kernel SUITE] [--timeout SECONDS] [--instructions] SCRIPT [ARG...]
#
# Runs a bash script as root in a QEMU guest with the kernel of a Debian suite (default this
# machine's own; also bookworm-backports, trixie, ...), for device kinds and kernels that
# this machine does not have.  The guest sees this machine's file system as it is, through
# a tmpfs that keeps its writes from it: the same programs, the same build, the same paths.
#
# --instructions: emulated, and the guest's clock counts instructions: each takes one nanosecond.
#
# Prints what SCRIPT prints; the exit status is SCRIPT's, 124 when SECONDS (default 600) are
# over, 125 when the guest ended without finishing it.  Needs root.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib/deb.sh
. "$here/../lib/deb.sh"

KERNEL=$(lz_suite_own)
TIMEOUT_S=600
MEMORY_MIB=1024
INSTRUCTIONS=
PROBE_S=10	# KVM boots to user space in 2 s; where it is broken it hangs

main()
{
	while [ $# -gt 0 ]; do
		case $1 in
		--kernel) KERNEL=$2; shift 2 ;;
		--timeout) TIMEOUT_S=$2; shift 2 ;;
		--instructions) INSTRUCTIONS=1; shift ;;
		-*) usage ;;
		*) break ;;
		esac
	done
	[ $# -gt 0 ] || usage
	[ "$(id -u)" = 0 ] || { echo "vm: needs root; run it with sudo" >&2; exit 1; }
	if [ "$(uname -m)" != x86_64 ]; then
		echo "vm: this machine is $(uname -m), the guest is made for x86_64 only" >&2
		exit 1
	fi

	lz_kernel_unpack "$KERNEL"
	ROOT=$LZ_BUILD/deps/kernel-$KERNEL
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/lz-vm-XXXXXX")
	QEMU=
	trap 'clean_up' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP

	initramfs_make "$WORK/initramfs" "$@"
	if [ "$INSTRUCTIONS" ]; then
		ACCEL=tcg,thread=single
	else
		accel_choose
	fi
	guest_run
}

usage()
{
	echo "usage: run.sh [--kernel SUITE] [--timeout SECONDS] [--instructions] SCRIPT [ARG...]" >&2
	exit 1
}

clean_up()
{
	[ -z "$QEMU" ] || kill -KILL "$QEMU" 2>/dev/null || true
	rm -rf "$WORK"
}

# initramfs_make FILE SCRIPT [ARG...]: busybox, the modules it takes to see the machine's
# file system, and the command.
initramfs_make()
{
	local file=$1 tree=$WORK/tree
	shift
	mkdir -p "$tree/bin" "$tree/modules" "$tree/guest"
	cp "$(PATH=/usr/bin:/bin command -v busybox)" "$tree/bin/busybox"
	cp "$here/init.sh" "$tree/init"
	chmod 755 "$tree/init"
	cp "$here/guest.sh" "$tree/guest/"
	{
		printf 'LZ_GUEST_COMMAND=('
		printf ' %q' "$(realpath "$1")" "${@:2}"
		printf ' )\nLZ_GUEST_FOLDER=%q\nLZ_GUEST_MODULES=%q\n' "$PWD" "$(realpath "$ROOT")/lib/modules"
		printf 'export LZ_BUILD=%q\n' "$(realpath "$LZ_BUILD")"
	} >"$tree/guest/command"
	modules_copy "$tree/modules" virtio_pci 9pnet_virtio 9p overlay
	(cd "$tree" && find . | cpio --quiet -o -H newc) >"$file"
}

# modules_copy DIR MODULE...: each with what it depends on, and DIR/order to load them in.
modules_copy()
{
	local dir=$1 module path name
	shift
	for module; do
		modprobe -d "$ROOT" -S "$(ls "$ROOT/lib/modules")" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
		name=$(basename "$path")
		case $name in
		*.xz) name=${name%.xz}; xz -dc "$path" >"$dir/$name" ;;
		*.zst) name=${name%.zst}; zstd -dcq "$path" >"$dir/$name" ;;
		*) cp "$path" "$dir/" ;;
		esac
		echo "$name" >>"$dir/order"
	done
}

# KVM where a guest really boots with it, else emulation.  That /dev/kvm exists says little
# in a nested machine.  Found out once for each boot of this machine.
accel_choose()
{
	local stamp
	stamp=$LZ_BUILD/vm-accel-$(cat /proc/sys/kernel/random/boot_id)
	if [ ! -e "$stamp" ]; then
		if [ -w /dev/kvm ] && (accel_probe) 2>/dev/null; then
			echo kvm >"$stamp"
		else
			echo tcg >"$stamp"
		fi
	fi
	ACCEL=$(cat "$stamp")
}

accel_probe()
{
	mkdir -p "$WORK/probe/bin"
	cp "$WORK/tree/bin/busybox" "$WORK/probe/bin/"
	printf '#!/bin/busybox sh\necho lz-probe\nexec /bin/busybox poweroff -f\n' >"$WORK/probe/init"
	chmod 755 "$WORK/probe/init"
	(cd "$WORK/probe" && find . | cpio --quiet -o -H newc) >"$WORK/probe.cpio"
	ACCEL=kvm
	qemu_start "$PROBE_S" "$WORK/probe.cpio" -serial "file:$WORK/probe.log"
	wait "$QEMU" || true
	grep -q lz-probe "$WORK/probe.log"
}

# qemu_start SECONDS INITRAMFS OPTION...: in the background, its process id in QEMU.
qemu_start()
{
	local limit_s=$1 initramfs=$2
	shift 2
	timeout --foreground --signal=KILL "$limit_s" \
		setpriv --pdeathsig KILL \
		qemu-system-x86_64 -accel "$ACCEL" -cpu max -smp "${INSTRUCTIONS:-2}" -m "$MEMORY_MIB" \
		${INSTRUCTIONS:+-icount shift=0,sleep=off} \
		-nodefaults -display none -no-reboot \
		-kernel "$ROOT"/boot/vmlinuz-* -initrd "$initramfs" \
		-append "console=ttyS0 quiet loglevel=4 panic=-1" "$@" </dev/null &
	QEMU=$!
}

guest_run()
{
	local status=0 result='' line
	mkfifo "$WORK/result"
	qemu_start "$TIMEOUT_S" "$WORK/initramfs" \
		-serial "file:$WORK/console" -serial "file:$WORK/result" \
		-virtfs local,path=/,mount_tag=lz-host,security_model=none,readonly=on,multidevs=remap
	while IFS= read -r line; do
		case $line in
		'lz-guest-exit '*) result=${line#lz-guest-exit } ;;
		*) printf '%s\n' "$line" ;;
		esac
	done <"$WORK/result"
	wait "$QEMU" || status=$?
	QEMU=
	[ -z "$result" ] || exit "$result"
	echo "vm: the guest did not finish; its console said:" >&2
	tail -n 20 "$WORK/console" >&2
	if [ "$status" = 137 ]; then
		echo "vm: stopped after $TIMEOUT_S s" >&2
		exit 124
	fi
	exit 125
}

main "$@"
