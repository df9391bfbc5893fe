#!/bin/sh
# Sets eth0 up: as the seed's network-config says where it names addresses, else as the network offers.
config=/run/network-config

# What network-config says of one setting at one depth: a value, or the items below it.
setting() {
  awk -v wanted="$1" -v depth="$2" '
    { line = $0; sub(/^ */, "", line); indent = length($0) - length(line) }
    indent <= depth { inside = 0 }
    indent == depth && index(line, wanted ":") == 1 {
      inside = 1
      line = substr(line, length(wanted) + 2)
      sub(/^ */, "", line)
    }
    inside && line != "" { sub(/^- /, "", line); gsub(/"/, "", line); print line }
  ' "$config"
}

ip link set eth0 up || exit 1
addresses=$([ -f "$config" ] && setting addresses 4)
if [ -z "$addresses" ]; then
  exec udhcpc -i eth0 -q -n -t 5 -T 1 -s /usr/lib/aleph/dhcp.sh >/dev/null 2>&1
fi
for address in $addresses; do
  case $address in
    *:*) ip -6 addr add "$address" dev eth0 ;;
    *) ip addr add "$address" dev eth0 ;;
  esac
done
for gateway in $(setting gateway4 4); do ip route add default via "$gateway" dev eth0; done
for gateway in $(setting gateway6 4); do ip -6 route add default via "$gateway" dev eth0; done
for server in $(setting addresses 6); do echo "nameserver $server"; done >/etc/resolv.conf
