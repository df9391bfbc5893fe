#!/bin/busybox sh
# First process of an instance: finds the disk, grows its partition to the disk's size, and hands over to it.
/bin/busybox mkdir -p /proc /sys /dev /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
while read -r module; do
  /bin/busybox insmod "/modules/$module" || echo "module $module was not loaded"
done </modules/order

wait_for() {
  tries=0
  while [ ! -b "$1" ] && [ $tries -lt 100 ]; do
    tries=$((tries + 1))
    /bin/busybox usleep 50000
  done
}
wait_for /dev/vda1

start=$(/bin/busybox cat /sys/block/vda/vda1/start)
size=$(/bin/busybox cat /sys/block/vda/vda1/size)
room=$(($(/bin/busybox cat /sys/block/vda/size) - start))
if [ "$room" -gt $((size + 2048)) ]; then
  # The length of the first partition: four bytes, the least significant first.
  bytes=""
  for shift in 0 8 16 24; do
    bytes="$bytes\\x$(/bin/busybox printf %02x $((room >> shift & 255)))"
  done
  /bin/busybox printf "$bytes" | /bin/busybox dd of=/dev/vda bs=1 seek=458 conv=notrunc 2>/dev/null
  /bin/busybox blockdev --rereadpt /dev/vda
  wait_for /dev/vda1
fi

/bin/busybox mount -t ext4 /dev/vda1 /root || exec /bin/busybox sh
/bin/busybox mkdir -p /root/run/modules
/bin/busybox mount -t tmpfs -o mode=0755 tmpfs /root/run
/bin/busybox mkdir -p /root/run/modules
/bin/busybox umount /dev
/bin/busybox umount /sys
/bin/busybox umount /proc
exec /bin/busybox switch_root /root /sbin/init
