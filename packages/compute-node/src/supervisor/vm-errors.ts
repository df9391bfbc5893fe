/** Why a VM did not start. The codes are stable and may be shown to users. */
export type VmStartErrorCode =
  /** The machine did not reach the guest agent in time. */
  | 'guest_boot_timeout'
  /** The guest agent refused a step (a disk does not mount, the command does not exist…). */
  | 'guest_failed'
  /** The program ended before it listened. */
  | 'program_exited'
  /** The program runs but nothing listens on its port in time. */
  | 'program_not_listening'
  /** The hypervisor did not start or died. */
  | 'hypervisor_failed'
  /** The node's memory or CPU budget is used up; worth a retry later. */
  | 'insufficient_capacity'
  /** `stop`, `destroy` or `stopAll` was called meanwhile. */
  | 'stopped'
  /** The specification itself cannot be run. */
  | 'invalid_spec'

/** A VM did not start. `log` holds the last lines of the guest's console. */
export class VmStartError extends Error {
  override readonly name = 'VmStartError'
  readonly code: VmStartErrorCode
  readonly log: string

  constructor(code: VmStartErrorCode, message: string, options: { log?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.log = options.log ?? ''
  }
}

/** The VM behind a `RunningVm` has stopped; ask `ensureRunning` for it again. */
export class VmNotRunningError extends Error {
  override readonly name = 'VmNotRunningError'
  readonly code = 'vm_not_running'

  constructor(id: string) {
    super(`VM ${id} is not running any more; call ensureRunning again`)
  }
}
