import { closedIpv4Ranges, closedIpv6Ranges, type IpRange, openIpv6Ranges } from '@aleph-ts/protocol'
import type { Forward } from '../hypervisor/index.ts'
import type { TapLink } from './tap-link.ts'

/** What a guest's link lets through. */
export interface LinkRules {
  link: TapLink
  /** Whether the guest may open connections. */
  internet: boolean
  forwards: readonly Forward[]
}

/** What is the same for all guests of a node. */
export interface RulesetOptions {
  /** Begins the name of every link's host end, and names the table. */
  tapPrefix: string
  /** The host's interface to the outside. */
  uplink: string
  ipv4Pool: string
  ipv6Pool: string
  /** Networks that guests may reach although they are not public, such as `10.1.0.0/16`. */
  allowedNetworks: readonly string[]
  /** Most of a guest's traffic each way, in megabits a second; null: no limit. */
  mbitPerGuest: number | null
}

/** Connections of one guest that the host keeps track of. */
const maxConnections = 4096

/**
 * The host's whole firewall for its guests as one table of nftables, replacing the former at once
 * (protocol 05 §8.3, §23 N3, §24.5). Other tables are not touched, and what they drop stays dropped.
 *
 * A guest speaks as itself only; reaches public addresses (if it may) and allowed networks, but neither the host
 * nor other guests; and is reached at its forwarded ports and its IPv6 address.
 */
export function ruleset(options: RulesetOptions, guests: readonly LinkRules[]): string {
  const { tapPrefix, uplink, ipv4Pool, ipv6Pool, allowedNetworks, mbitPerGuest } = options
  const taps = `"${tapPrefix}*"`
  const online = guests.filter(({ internet }) => internet)
  const links = guests.map(({ link }) => link)
  const allowed = [...allowedNetworks]
  return `table inet ${tapPrefix}
delete table inet ${tapPrefix}
table inet ${tapPrefix} {
${set(
  'own4',
  'ifname . ether_addr . ipv4_addr',
  '',
  links.map(({ tap, mac, ipv4 }) => `"${tap}" . ${mac} . ${ipv4.address}`),
)}
${set(
  'own6',
  'ifname . ether_addr . ipv6_addr',
  '',
  links.map(({ tap, mac, ipv6 }) => `"${tap}" . ${mac} . ${ipv6.address}`),
)}
${set(
  'macs',
  'ifname . ether_addr',
  '',
  links.map(({ tap, mac }) => `"${tap}" . ${mac}`),
)}
${set(
  'guests4',
  'ipv4_addr',
  '',
  links.map(({ ipv4 }) => ipv4.address),
)}
${set(
  'guests6',
  'ipv6_addr',
  '',
  links.map(({ ipv6 }) => ipv6.address),
)}
${set(
  'online',
  'ifname',
  '',
  online.map(({ link }) => `"${link.tap}"`),
)}
${set('closed4', 'ipv4_addr', 'flags interval; auto-merge;', [...closedIpv4Ranges.map(rangeText), ipv4Pool])}
${set('closed6', 'ipv6_addr', 'flags interval; auto-merge;', [...closedIpv6Ranges.map(rangeText), ipv6Pool])}
${set(
  'allowed4',
  'ipv4_addr',
  'flags interval; auto-merge;',
  allowed.filter((network) => !network.includes(':')),
)}
${set(
  'allowed6',
  'ipv6_addr',
  'flags interval; auto-merge;',
  allowed.filter((network) => network.includes(':')),
)}
${portMap('tcp_ports', guests, 'tcp')}
${portMap('udp_ports', guests, 'udp')}
  set connections { type ifname; flags dynamic; size 65535; }
  set sent { type ifname; flags dynamic; size 65535; }
  set received { type ifname; flags dynamic; size 65535; }

  chain spoofing {
    type filter hook prerouting priority raw; policy accept;
    iifname != ${taps} accept
${rateRule('iifname', 'sent', mbitPerGuest)}    iifname . ether saddr . ip saddr @own4 accept
    iifname . ether saddr . ip6 saddr @own6 accept
    iifname . ether saddr @macs ip6 saddr { ::, fe80::/10 } icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    counter drop
  }

  chain host {
    type filter hook input priority filter; policy accept;
    iifname != ${taps} accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    drop
  }

  chain forwarding {
    type filter hook forward priority filter; policy accept;
    iifname ${taps} jump from_guest
    oifname ${taps} jump to_guest
  }

  chain from_guest {
    ct state established,related accept
    ct state invalid drop
    iifname != @online reject with icmpx type admin-prohibited
    ct state new add @connections { iifname ct count over ${maxConnections} } drop
    ip daddr @allowed4 accept
    ip6 daddr @allowed6 accept
    ip daddr @closed4 reject with icmpx type admin-prohibited
    ip6 daddr @closed6 reject with icmpx type admin-prohibited
    ip6 daddr != { ${openIpv6Ranges.map(rangeText).join(', ')} } reject with icmpx type admin-prohibited
    accept
  }

  chain to_guest {
${rateRule('oifname', 'received', mbitPerGuest)}    ct state established,related accept
    ct status dnat accept
    iifname "${uplink}" ip6 daddr @guests6 accept
    drop
  }

  chain ports {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "${uplink}" fib daddr type local dnat ip to tcp dport map @tcp_ports
    iifname "${uplink}" fib daddr type local dnat ip to udp dport map @udp_ports
  }

  chain own_ports {
    type nat hook output priority -100; policy accept;
    ip daddr != 127.0.0.0/8 fib daddr type local dnat ip to tcp dport map @tcp_ports
    ip daddr != 127.0.0.0/8 fib daddr type local dnat ip to udp dport map @udp_ports
  }

  chain outside {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr @guests4 oifname != ${taps} masquerade
  }
}
`
}

function set(name: string, type: string, flags: string, elements: readonly string[]): string {
  const content = elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`
  return `  set ${name} { type ${type};${flags && ` ${flags}`}${content} }`
}

function portMap(name: string, guests: readonly LinkRules[], protocol: 'tcp' | 'udp'): string {
  const elements = guests.flatMap(({ link, forwards }) =>
    forwards
      .filter((forward) => forward[protocol])
      .map(({ host, guest }) => `${host} : ${link.ipv4.address} . ${guest}`),
  )
  const content = elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`
  return `  map ${name} { type inet_service : ipv4_addr . inet_service;${content} }`
}

/** Drops what is beyond the rate; up to a quarter of a second may come at once. */
function rateRule(key: 'iifname' | 'oifname', name: string, mbit: number | null): string {
  if (mbit === null) return ''
  const kilobytes = Math.round(mbit * 125)
  const burst = Math.max(64, Math.round(kilobytes / 4))
  return `    update @${name} { ${key} limit rate over ${kilobytes} kbytes/second burst ${burst} kbytes } counter drop\n`
}

function rangeText([first, bits]: IpRange): string {
  return `${first}/${bits}`
}
