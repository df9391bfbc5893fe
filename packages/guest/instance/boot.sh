#!/bin/sh
# Boots the system: kernel file systems, disk size, the owner's wishes from the seed disk, network, keys.
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t devtmpfs -o nosuid devtmpfs /dev
mkdir -p /dev/pts /dev/shm /run/sshd
mount -t devpts -o nosuid,noexec,mode=0620,ptmxmode=0666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /dev/shm
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /tmp
ln -sf /proc/self/fd /dev/fd
resize2fs /dev/vda1 >/dev/null 2>&1 || echo "the file system could not be grown"
hostname localhost
ip link set lo up

/usr/lib/aleph/seed.sh || echo "the seed disk could not be read"

/usr/lib/aleph/network.sh || echo "no network"
[ -f /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
acpid -c /etc/acpi -l /dev/null
echo "$(hostname) is up"
