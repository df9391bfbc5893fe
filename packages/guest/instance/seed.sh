#!/bin/sh
# Applies the part of a NoCloud seed (disk label cidata) that this image knows: host name, ssh keys of root,
# environment, mounts. Values are one per line and in double quotes, as compute nodes write them.
mkdir -p /run/seed
for disk in /dev/vd[b-z] /dev/sr[0-9]; do
  [ -b "$disk" ] && mount -t iso9660 -o ro "$disk" /run/seed 2>/dev/null || continue
  [ -f /run/seed/user-data ] && break
  umount /run/seed
done
[ -f /run/seed/user-data ] || exit 0
# For network.sh, which comes later.
[ -f /run/seed/network-config ] && cp /run/seed/network-config /run/network-config

# Items of one list of user-data, without dash and quotes.
list() {
  awk -v wanted="$1:" '
    /^[^ #]/ { inside = ($0 == wanted); next }
    inside && /^  - / { sub(/^  - /, ""); gsub(/^"|"$/, ""); gsub(/\\"/, "\""); print }
  ' /run/seed/user-data
}

name=$(sed -n 's/.*"local-hostname": *"\([a-z0-9.-]*\)".*/\1/p' /run/seed/meta-data)
if [ -n "$name" ]; then
  echo "$name" >/etc/hostname
  hostname "$name"
  printf '127.0.0.1 localhost %s\n::1 localhost\n' "$name" >/etc/hosts
fi

mkdir -p -m 0700 /root/.ssh
list ssh_authorized_keys >/run/authorized_keys
if [ -s /run/authorized_keys ]; then
  cp /run/authorized_keys /root/.ssh/authorized_keys
  chmod 0600 /root/.ssh/authorized_keys
fi

# Each mount is a flow sequence: "device", "folder", "type", …
list mounts | tr -d '[]" ' | while IFS=, read -r device folder type rest; do
  serial=${device##*/virtio-}
  for disk in /sys/block/vd*; do
    [ "$(cat "$disk/serial" 2>/dev/null)" = "$serial" ] || continue
    mkdir -p "$folder"
    mount -t "$type" "/dev/${disk##*/}" "$folder" || echo "the volume $folder could not be mounted"
    case $rest in
      *x-systemd.growfs*) resize2fs "/dev/${disk##*/}" >/dev/null 2>&1 || echo "the volume $folder could not be grown" ;;
    esac
  done
done
umount /run/seed
