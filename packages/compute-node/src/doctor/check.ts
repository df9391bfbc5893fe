/** What one look at the machine or the settings came to. */
export interface Finding {
  /** What was looked at, in a word or two. */
  check: string
  /** `warn`: the node runs, with less than it could. */
  status: 'ok' | 'warn' | 'fail'
  /** What was found, and how to mend it. */
  message: string
}

export function ok(check: string, message: string): Finding {
  return { check, status: 'ok', message }
}

export function warn(check: string, message: string): Finding {
  return { check, status: 'warn', message }
}

export function fail(check: string, message: string): Finding {
  return { check, status: 'fail', message }
}
