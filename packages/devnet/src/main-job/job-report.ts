/** The machine-readable result of `npm run up -- --once`: its last line of standard output. */
export interface JobReport {
  ok: boolean
  steps: { step: number; name: string; ms: number }[]
  program?: {
    item_hash: string
    url: string
    status: number
    body: string
    /** URL of the core node it was assigned to. */
    core_node: string
    /** URL of the compute node that runs it. */
    compute_node: string
    /** From the request to the whole answer, with nothing running. */
    cold_start_ms: number
    /** The same with a snapshot of the program to start from. */
    restored_start_ms: number
  }
  /** The same program sent by the wallet that holds too little. */
  refused?: { sender: string; status: string; error_code: number }
  /** What went wrong, when `ok` is false. */
  error?: string
}
