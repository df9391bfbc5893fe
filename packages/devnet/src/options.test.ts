import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parseOptions, UsageError } from './options.ts'

test('without options: three core nodes, two compute nodes, data in .devnet', () => {
  expect(parseOptions([])).toEqual({
    coreNodes: 3,
    computeNodes: 2,
    dataDir: resolve('.devnet'),
    portBase: undefined,
    once: false,
    central: false,
    quick: false,
    guestKernel: 'debian',
  })
})

test('every option is read', () => {
  const args = [
    '--nodes',
    '5',
    '--compute',
    '4',
    '--data-dir',
    '/tmp/x',
    '--port-base',
    '30000',
    '--once',
    '--central',
    '--kernel',
    'lean',
  ]
  expect(parseOptions(args)).toEqual({
    coreNodes: 5,
    computeNodes: 4,
    dataDir: '/tmp/x',
    portBase: 30_000,
    once: true,
    central: true,
    quick: false,
    guestKernel: 'lean',
  })
})

test.each([
  [['--nodes', 'many'], '--nodes must be a whole number from 1 to 32, got "many"'],
  [['--nodes', '0'], '--nodes must be a whole number from 1 to 32, got "0"'],
  [['--port-base', '80'], '--port-base must be a whole number from 1024 to 65000, got "80"'],
  [['--kernel', 'mine'], '--kernel must be debian or lean, got "mine"'],
  [['--speed'], "Unknown option '--speed'"],
  [['here'], "Unexpected argument 'here'"],
])('a wrong command line %j is refused with the option named', (args, message) => {
  expect(() => parseOptions(args)).toThrow(UsageError)
  expect(() => parseOptions(args)).toThrow(message)
})
