/** A block, named by its height and its hash. */
export interface BlockMark {
  number: number
  hash: string
}

/**
 * What one kind of chain must offer so that a `ChainReader` can follow one stream of its events.
 * Every method throws `ChainSourceError` and nothing else.
 */
export interface ChainSource<Event> {
  /** Names what is read, such as `eip155:1/0x…/10939070`; a change of it makes the reader start anew. */
  readonly identity: string
  /** The newest block. */
  head(): Promise<BlockMark>
  /** The block at a height on the chain as it is now; undefined when there is none (yet, or any more). */
  block(number: number): Promise<BlockMark | undefined>
  /** All events from one block to another, both included, in chain order. */
  events(from: number, to: number): Promise<Event[]>
  /** Ends requests under way; they reject with code `closed`. */
  close(): void
}

/**
 * Why a chain gave no answer:
 * `unreachable`: nobody answers, or asks us to come back later;
 * `refused`: an answer, and it is an error: maybe a smaller question would do;
 * `wrong_chain`: the endpoint speaks for another chain than the one configured;
 * `closed`: we hung up.
 */
export class ChainSourceError extends Error {
  readonly code: 'unreachable' | 'refused' | 'wrong_chain' | 'closed'
  constructor(code: ChainSourceError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** How far a reader trusts the end of its chain; numbers of blocks. */
export interface FinalityPolicy {
  /** Blocks of the head left unread; above 0 when the endpoint's servers disagree about the newest blocks. */
  headLag: number
  /** Blocks behind the head after which none is taken back any more in practice. */
  reorgWindow: number
}
