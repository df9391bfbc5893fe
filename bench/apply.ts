import process from 'node:process'
import { DatabaseServer, MilledDatabase } from '@aleph-ts/core-node/testing'

const batchSize = 500

/** How long mixed messages take to apply, in batches, to an empty database and to one that holds a million. */
export async function benchApply({
  count = 10_000,
  before = Number(process.env.BENCH_MESSAGES ?? 1_000_000),
} = {}) {
  await using server = await DatabaseServer.start()
  const empty = await MilledDatabase.create(await server.create('empty'), { seed: 1 })
  const large = await MilledDatabase.create(await server.create('large'), { seed: 2 })
  const filling = performance.now()
  await large.fill(before, (done) => {
    if (done % 100_000 === 0) console.error(`  ${done} of ${before} messages`)
  })
  const filled = performance.now() - filling
  const toEmpty = await seconds(() => empty.apply(empty.mill.take(count), batchSize))
  const toLarge = await seconds(() => large.apply(large.mill.take(count), batchSize))
  return {
    messages: count,
    'batch size': batchSize,
    'already there': before,
    'filled, messages per second': Math.round((before / filled) * 1000),
    'to an empty database, s': round(toEmpty),
    'to the large database, s': round(toLarge),
    ratio: round(toLarge / toEmpty),
  }
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
