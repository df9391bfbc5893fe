import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeZip } from '../../src/testing/zip-writer.ts'
import { harmfulSource } from '../agent/harmful-program.ts'
import { InstanceOwner } from '../agent/instance-owner.ts'
import { killAtOnce, livingMachines } from '../agent/living-machines.ts'
import { patientSsh } from '../agent/patient-ssh.ts'
import { type Execution, RealNode } from '../agent/real-node.ts'
import { tracesOf } from '../agent/traces.ts'
import { TestNamespace, whyNoNamespaces, world } from './test-namespace.ts'

const obstacle = await whyNoNamespaces()
const servicePort = 8099

describe.skipIf(obstacle !== null)(
  `instances with taps${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let space: TestNamespace
    let node: RealNode
    let owner: InstanceOwner
    let first: string
    let second: string

    beforeAll(async () => {
      owner = await InstanceOwner.create()
      space = await TestNamespace.create()
      await space.answer(space.host, servicePort)
      await space.answer(space.outside, 80)
      const environment = {
        ALEPH_VM_NETWORK: 'tap',
        ALEPH_VM_IPV6_ADDRESS_POOL: world.ipv6Pool,
        ALEPH_VM_GUEST_ALLOWED_NETWORKS: '10.1.0.0/16',
        // Less than a guest sends even where several are emulated on a busy machine.
        ALEPH_VM_NETWORK_MBIT: '2',
      }
      node = await RealNode.start(environment, undefined, space)
      const publish = (internet: boolean) =>
        owner.publish(node, { environment: { internet, hypervisor: 'qemu' } })
      first = publish(true)
      second = publish(false)
      expect(await node.allocate({ instances: [first, second] })).toMatchObject({ success: true })
    }, 600_000)

    afterAll(async () => {
      await node?.[Symbol.asyncDispose]()
      await space?.[Symbol.asyncDispose]()
      await owner?.[Symbol.asyncDispose]()
    })

    /** Runs a command as root inside an instance, coming in from outside at its forwarded port. */
    async function ssh(hash: string, command: string): Promise<string> {
      const port = (await networking(hash)).mapped_ports?.['22']?.host
      const run = (args: string[]) => space.exec(space.outside, 'ssh', args)
      return patientSsh({ folder: owner.folder, host: world.host4, port, command, run })
    }

    async function networking(hash: string): Promise<Execution['networking']> {
      return (await node.execution(hash))?.networking ?? {}
    }

    /** The host's end of an instance's link. */
    const gateway = async (hash: string) => `${(await networking(hash)).ipv4_ip}`.replace(/\.2$/, '.1')

    /** What an instance hears from an address, or `silence`. */
    const hear = (hash: string, address: string, port = 80) =>
      ssh(hash, `nc -w 2 ${address} ${port} </dev/null 2>/dev/null | grep -e hello -e SSH || echo silence`)

    /** What an instance hears when it sends a datagram to an address, or `silence`. */
    const datagramTo = (hash: string, address: string, port = servicePort) =>
      ssh(
        hash,
        `timeout 2 bash -c 'exec 3<>/dev/udp/${address}/${port} && echo >&3 && timeout 1 head -n 1 <&3' 2>/dev/null | grep hello || echo silence`,
      )

    /** What another machine hears when it sends a datagram to the host's service, or `silence`. */
    async function hearDatagram(from: string, address: string): Promise<string> {
      const script = `
        const socket = require('node:dgram').createSocket('udp4')
        const say = (text) => { console.log(String(text)); process.exit() }
        socket.on('message', say).send('', ${servicePort}, '${address}')
        setTimeout(say, 2000, 'silence')`
      return (await space.exec(from, process.execPath, ['-e', script])).trim()
    }

    /** An instance hears what it should; packets may come late where everything is emulated. */
    const expectHears = (hash: string, address: string, words: string) =>
      expect.poll(() => hear(hash, address), { timeout: 30_000 }).toBe(words)

    test('its owner comes in from outside, and it has the addresses that the node says', async () => {
      expect(await ssh(first, 'whoami')).toBe('root')
      const { ipv4_ip, ipv6_ip, host_ipv4 } = await networking(first)
      expect(ipv4_ip).toMatch(/^172\.16\.[45]\.2$/)
      expect(host_ipv4).toBe(world.host4)
      expect(await ssh(first, 'ip -o addr show dev eth0')).toContain(` ${ipv4_ip}/24 `)
      expect(await ssh(first, 'ip -o -6 addr show dev eth0')).toContain(` ${ipv6_ip}/124 `)
    })

    test('it reaches the world in the name of its host, and by IPv6 in its own', async () => {
      await expectHears(first, world.public4, `hello ${world.host4}`)
      const { ipv6_ip } = await networking(first)
      // An address of IPv6 is not used before nobody else was found to have it.
      await expectHears(first, world.public6, `hello ${ipv6_ip}`)
    })

    test('the world reaches it by IPv6, without any port being forwarded', async () => {
      const { ipv6_ip } = await networking(first)
      expect(await space.hear(space.outside, ipv6_ip as string, 22)).toContain('SSH-2.0')
    })

    test('it reaches no service of its host, by none of its addresses', async () => {
      expect(await space.hear(space.outside, world.host4, servicePort)).toBe('hello 80.80.80.1')
      expect(await hearDatagram(space.outside, world.host4)).toBe('hello 80.80.80.1')
      const { ipv6_ip } = await networking(first)
      const gateway6 = `${ipv6_ip}`.replace(/.$/, '0')
      const tap = await space.exec(space.host, 'ip', [
        '-6',
        '-o',
        'addr',
        'show',
        'dev',
        'vmtap4',
        'scope',
        'link',
      ])
      const linkLocal = `${/fe80:[0-9a-f:]+/.exec(tap)?.[0]}%eth0`
      expect(linkLocal).toContain('fe80')
      const addresses = [await gateway(first), gateway6, linkLocal, world.host4, world.host6]
      for (const address of [...addresses, `::ffff:${world.host4}`]) {
        expect(await hear(first, address, servicePort), address).toBe('silence')
        expect(await datagramTo(first, address), address).toBe('silence')
      }
    })

    test('it reaches neither metadata nor private networks, but those that its operator allows', async () => {
      for (const address of world.privates6) {
        expect(await space.hear(space.host, address, 80)).toContain('hello')
      }
      const mapped = world.privates.map((address) => `::ffff:${address}`)
      for (const address of [world.metadata, ...world.privates, ...mapped, ...world.privates6]) {
        expect(await hear(first, address), address).toBe('silence')
        expect(await datagramTo(first, address, 80), address).toBe('silence')
      }
      await expectHears(first, world.allowed, `hello ${world.host4}`)
      expect(await datagramTo(first, world.allowed, 80)).toBe(`hello ${world.host4}`)
    })

    test('it does not reach its neighbour', async () => {
      await ssh(second, 'while :; do echo hello | nc -l -p 80; done >/dev/null 2>&1 </dev/null &')
      const { ipv4_ip, ipv6_ip, mapped_ports } = await networking(second)
      const port = mapped_ports?.['22']?.host as number
      await expect.poll(() => space.hear(space.host, ipv4_ip as string, 80)).toBe('hello')
      expect(await space.hear(space.outside, world.host4, port)).toContain('SSH')
      expect(await hear(first, ipv4_ip as string)).toBe('silence')
      expect(await hear(first, ipv6_ip as string, 22)).toBe('silence')
      expect(await hear(first, world.host4, port)).toBe('silence')
    })

    test('one whose message says so reaches nothing, and is reached all the same', async () => {
      expect(await hear(second, world.public4)).toBe('silence')
      expect(await hear(second, world.allowed)).toBe('silence')
      expect(await ssh(second, 'whoami')).toBe('root')
    })

    test('its web server is shown under its name, by the node', async () => {
      await ssh(first, 'mkdir -p /www && echo page >/www/index.html && busybox httpd -p 80 -h /www')
      expect(await (await node.call(first)).text()).toBe('page\n')
    })

    test('a program on such a node reaches nobody at all', async () => {
      const program = node.core.program({
        runtime: node.core.store(await readFile(node.images.runtimes.binary.path)),
        code: node.core.store(writeZip([{ name: 'run.sh', content: harmfulSource }])),
        entrypoint: 'run.sh',
        seconds: 20,
        extra: { resources: { vcpus: 1, memory: 256, seconds: 20 } },
      })
      const places = [
        `172.16.4.1:${servicePort}`,
        `${(await networking(first)).ipv4_ip}:22`,
        `${world.host4}:${servicePort}`,
      ]
      for (const place of [...places, `${world.metadata}:80`, `${world.public4}:80`]) {
        const answer = await node.call(program, `/cgi-bin/harm/reach?${place}`)
        expect(await answer.text()).toContain('Network is unreachable')
      }
    })

    test('it cannot speak as somebody else', async () => {
      const dropped = async () => {
        const rules = await space.exec(space.host, 'nft', ['list', 'chain', 'inet', 'vmtap', 'spoofing'])
        return Number(/^\s*counter packets (\d+)/m.exec(rules)?.[1])
      }
      for (const address of [`${(await networking(second)).ipv4_ip}`, '80.80.80.7']) {
        const before = await dropped()
        await ssh(first, `ip addr add ${address}/32 dev eth0`)
        await ssh(first, `ip route replace ${world.public4} via ${await gateway(first)} src ${address}`)
        expect(await hear(first, world.public4)).toBe('silence')
        expect(await dropped()).toBeGreaterThan(before)
      }
      await ssh(first, `ip route del ${world.public4}`)
      await expectHears(first, world.public4, `hello ${world.host4}`)
    })

    test('what goes beyond its rate is dropped, in either direction', async () => {
      const dropped = async (chain: string) => {
        const rules = await space.exec(space.host, 'nft', ['list', 'chain', 'inet', 'vmtap', chain])
        return Number(/limit rate over.*counter packets (\d+)/.exec(rules)?.[1])
      }
      const [sent, received] = [await dropped('spoofing'), await dropped('to_guest')]
      const { ipv6_ip } = await networking(first)
      await ssh(first, '(dd if=/dev/zero bs=1000000 count=1 | nc -l -p 8082) >/dev/null 2>&1 </dev/null &')
      const read = `require('node:net').connect(8082, '${ipv6_ip}').resume().on('end', () => process.exit())`
      await space.exec(space.outside, process.execPath, ['-e', read])
      expect(await dropped('spoofing')).toBeGreaterThan(sent)
      const flood = `
        const socket = require('node:dgram').createSocket('udp6')
        const send = (left) => left ? socket.send(Buffer.alloc(1000), 9, '${ipv6_ip}', () => send(left - 1)) : socket.close()
        send(4000)`
      await space.exec(space.outside, process.execPath, ['-e', flood])
      expect(await dropped('to_guest')).toBeGreaterThan(received)
      expect(await ssh(first, 'whoami')).toBe('root')
    })

    test('kill -9 of the node changes nothing for it; afterwards a port its owner asks for opens', async () => {
      const boot = await ssh(first, 'cat /proc/sys/kernel/random/boot_id')
      await node.kill()
      expect(await space.exec(space.host, 'nft', ['list', 'tables'])).toContain('vmtap')
      await space.exec(space.host, 'ip', ['tuntap', 'add', 'dev', 'vmtap99', 'mode', 'tap'])
      await node.run()
      expect(await ssh(first, 'cat /proc/sys/kernel/random/boot_id')).toBe(boot)
      await expectHears(first, world.public4, `hello ${world.host4}`)
      expect(await space.exec(space.host, 'ip', ['link'])).not.toContain('vmtap99')

      const ports = { '8080': { tcp: true, udp: false } }
      node.core.aggregates.set(`${node.core.owner.address}/port-forwarding`, { [first]: { ports } })
      await fetch(`${node.url}/control/machine/${first}/update`, { method: 'POST' })
      const port = (await networking(first)).mapped_ports?.['8080']?.host
      await ssh(first, 'busybox httpd -p 8080 -h /www')
      const script = `fetch('http://${world.host4}:${port}/').then((r) => r.text()).then(console.log)`
      expect((await space.exec(space.outside, process.execPath, ['-e', script])).trim()).toBe('page')
    })

    test('what somebody broke of the host’s side is made anew when a scheduler asks for it', async () => {
      const { ipv4_ip } = await networking(first)
      await space.exec(space.host, 'nft', ['delete', 'table', 'inet', 'vmtap'])
      for (const tap of ['vmtap4', 'vmtap5'])
        await space.exec(space.host, 'ip', ['addr', 'flush', 'dev', tap])
      expect(await space.hear(space.host, ipv4_ip as string, 22)).toBe('silence')
      const answer = await node.asScheduler('POST', '/control/network/recreate')
      expect(answer.status).toBe(200)
      expect(await answer.json()).toMatchObject({
        success: true,
        recreated_count: 2,
        failed_count: 0,
        recreated_vms: expect.arrayContaining([first, second]),
        failed_vms: [],
      })
      await expectHears(first, world.public4, `hello ${world.host4}`)
      expect(await ssh(second, 'whoami')).toBe('root')
    })

    test('kill -9 of its machine gives it back, with its link', async () => {
      const { ipv4_ip, ipv6_ip, mapped_ports } = await networking(first)
      const [machine] = (await livingMachines(node.dataDir)).filter(({ vm }) => vm === first)
      killAtOnce(machine!.pid)
      const state = async () => (await node.execution(first))?.allocation?.state
      await expect.poll(state).toBe('failed')
      await expect.poll(state, { timeout: 60_000 }).toBe('running')
      expect(await networking(first)).toMatchObject({ ipv4_ip, ipv6_ip, mapped_ports })
      expect(await ssh(first, 'whoami')).toBe('root')
      await expectHears(first, world.public4, `hello ${world.host4}`)
      expect(await hear(first, world.host4, servicePort)).toBe('silence')
    })

    test('one that is erased takes its link along: tap, addresses and rules', async () => {
      const { ipv4_ip, ipv6_ip } = await networking(second)
      const ofSecond = async () => {
        const rules = await space.exec(space.host, 'nft', ['list', 'ruleset'])
        const addresses = await space.exec(space.host, 'ip', ['address'])
        const proxies = await space.exec(space.host, 'ip', ['-6', 'neighbour', 'show', 'proxy'])
        const network4 = `${ipv4_ip}`.replace(/2$/, '')
        const network6 = `${ipv6_ip}`.replace(/.$/, '')
        return [rules, addresses, proxies].map((text) => text.includes(network4) || text.includes(network6))
      }
      expect(await ofSecond()).toEqual([true, true, true])
      await owner.operate(node, second, 'erase')
      expect(await ofSecond()).toEqual([false, false, false])
      expect(await tracesOf(node.dataDir, second)).toEqual([])
      await expectHears(first, world.public4, `hello ${world.host4}`)
    })

    test('when the node stops its instances, nothing of them stays on the host', async () => {
      await node.terminate()
      expect(await space.exec(space.host, 'nft', ['list', 'ruleset'])).toBe('')
      expect(await space.exec(space.host, 'ip', ['link'])).not.toContain('vmtap')
      expect(await space.exec(space.host, 'ip', ['-6', 'neighbour', 'show', 'proxy'])).toBe('')
    })
  },
)
