import { VmStartError } from '../supervisor/index.ts'
import { AgentError } from './errors.ts'

const MAX_LOG_CHARACTERS = 4_096

/** Why a VM did not start, in the words and codes clients see (protocol 05 §5.4). */
export function startRefusal(error: unknown): AgentError {
  if (error instanceof AgentError) return error
  if (!(error instanceof VmStartError)) {
    return new AgentError(
      'internal',
      'The program could not be started; the operator can find why in the log',
      {
        cause: error,
      },
    )
  }
  const options = { cause: error, log: error.log.slice(-MAX_LOG_CHARACTERS) }
  switch (error.code) {
    case 'program_exited':
    case 'guest_failed':
      return new AgentError(
        'program_failed',
        `The program ended before it listened: ${error.message}`,
        options,
      )
    case 'program_not_listening':
      return new AgentError(
        'program_not_listening',
        'The program started but does not listen on port 8080',
        options,
      )
    case 'insufficient_capacity':
      return new AgentError(
        'insufficient_capacity',
        'This node cannot host the requested program at this time',
        {
          cause: error,
          retryAfterSeconds: 30,
        },
      )
    case 'invalid_spec':
      return new AgentError(
        'invalid_program',
        `The program cannot be run as it is: ${error.message}`,
        options,
      )
    default:
      return new AgentError('hypervisor_failed', `The microVM did not start (${error.code}); try again`, {
        ...options,
        retryAfterSeconds: 5,
      })
  }
}
