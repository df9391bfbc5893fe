import { benchApply } from './apply.ts'
import { benchContent } from './content.ts'
import { benchFlood } from './flood.ts'
import { benchGossip } from './gossip.ts'
import { describeMachine } from './machine.ts'
import { benchMessages } from './messages.ts'
import { benchPlacement } from './placement.ts'
import { benchProgramProxy } from './program-proxy.ts'
import {
  benchProgramMemory,
  benchProgramRotation,
  benchProgramStarts,
  benchProgramThroughput,
} from './programs.ts'
import { benchReads } from './reads.ts'
import { benchReconcile } from './reconcile.ts'

const benches: Record<string, { what: string; run: () => Promise<object> }> = {
  messages: { what: 'Messages accepted and processed by one core node', run: benchMessages },
  gossip: { what: 'Delay from one core node to others', run: benchGossip },
  flood: { what: 'A core node that strangers send 5,000 forged messages a second', run: benchFlood },
  apply: { what: 'Mixed messages applied to an empty and to a large database', run: benchApply },
  reads: { what: 'Lists, pages and single things read from a large database', run: benchReads },
  placement: { what: 'The plan of a network of 1,000 core nodes with 100,000 VMs', run: benchPlacement },
  reconcile: { what: 'Bytes and rounds until two nodes know what each lacks', run: benchReconcile },
  content: { what: 'A file of 1 GiB through two core nodes by its CID', run: benchContent },
  'programs/starts': { what: 'Starts of a function, cold and from snapshots', run: benchProgramStarts },
  'programs/throughput': { what: 'Requests through one VM and through four', run: benchProgramThroughput },
  'programs/memory': { what: 'Memory of idle clones of one program', run: benchProgramMemory },
  'programs/rotation': { what: '100 programs called in turn, room for ten', run: benchProgramRotation },
  'programs/proxy': { what: "What a node's proxy adds to a request", run: benchProgramProxy },
}

/** `npm run bench [-- NAME…]`: runs the named benches (all without names) and prints their figures. */
export async function bench(names: string[]): Promise<number> {
  const chosen = names.length > 0 ? names.map(benchesNamed) : [Object.keys(benches)]
  const unknown = chosen.findIndex((found) => found.length === 0)
  if (unknown >= 0) {
    console.error(`No bench "${names[unknown]}". There are: ${Object.keys(benches).join(', ')}.`)
    return 2
  }
  console.log(describeMachine())
  for (const name of new Set(chosen.flat())) {
    const { what, run } = benches[name]!
    console.log(`\n${name}: ${what}`)
    console.log(JSON.stringify(await run(), null, 2))
  }
  return 0
}

/** `programs/memory` names one, `programs` all that begin with `programs/`. */
function benchesNamed(name: string): string[] {
  return Object.keys(benches).filter((known) => known === name || known.startsWith(`${name}/`))
}
