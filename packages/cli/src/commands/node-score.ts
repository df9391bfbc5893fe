import type { ScoreExplanation } from '@aleph-ts/sdk'
import type { Command } from 'commander'
import { Session } from '../session.ts'
import { printable, shownTime } from '../terminal/printable.ts'
import { fields, table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

const help = `
Observers measure every node; of what they find the median counts, so that no single one can lift or sink a node. The
score is the square root of performance times version, and performance the geometric mean of the factors.

Example:
  aleph node score HASH`

/** `aleph node score`: why a node has its score. */
export function scoreCommand(node: Command, terminal: Terminal): void {
  node
    .command('score')
    .argument('<hash>', 'hash of a node')
    .description('why a node has the score it has')
    .addHelpText('after', help)
    .action((hash: string, _options: object, command: Command) => show(Session.of(terminal, command), hash))
}

async function show(session: Session, hash: string): Promise<void> {
  const client = await session.reader()
  const explanation = await client.explainScore(hash, { signal: session.signal })
  session.output.result(explanation, () => explanationText(explanation))
}

function explanationText({ hash, score, period, explained, computed, observers }: ScoreExplanation): string {
  const summary = fields([
    ['node', hash],
    ['score', score.toFixed(4)],
    ['period', period ? `${shownTime(period.from)} to ${shownTime(period.to)}` : 'none yet'],
    ['performance', computed?.performance.toFixed(4)],
    ['version', computed?.version.toFixed(4)],
    ['decentralization', computed?.decentralization.toFixed(4)],
    [
      'checked',
      explained ? 'this core node comes to the same' : 'nobody measured it, or the scores say otherwise',
    ],
  ])
  const rows = observers.flatMap(({ observer, factors }) =>
    factors.map(({ name, measured, worst, value }) => [
      printable(observer, 14),
      printable(name, 40),
      measured === null ? '—' : `${measured.toFixed(3)} s`,
      `${worst} s`,
      value.toFixed(4),
    ]),
  )
  if (rows.length === 0) return summary
  return `${summary}\n\n${table(['observer', 'factor', 'measured', 'worth 0 at', 'value'], rows)}`
}
