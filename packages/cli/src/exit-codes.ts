/** What the process ends with; scripts may rely on it. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  notFound: 4,
  rejected: 5,
  unpaid: 6,
  forbidden: 7,
  conflict: 8,
  cancelled: 9,
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export const exitCodeHelp = `Exit codes:
  0 done                     5 the message, or a proof, was rejected
  1 anything else            6 balance too low
  2 wrong use                7 not allowed, or no account
  3 node not reachable       8 exists already
  4 not found                9 cancelled     130 interrupted`
