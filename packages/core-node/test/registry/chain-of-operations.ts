import { devnetProfile, itemHash } from '@aleph-ts/protocol'
import type pg from 'pg'

const unit = 10n ** 18n
/** Who is believed about balances. */
const [authority] = devnetProfile.addresses.balances as [string]

/** Writes transfers and registry posts into a database as readers of a chain and the pipeline do. */
export class ChainOfOperations {
  readonly #pool: pg.Pool
  #count = 0

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** The chain was read up to a block. */
  async readTo(block: number): Promise<void> {
    await this.#pool.query(
      `insert into chain_cursors (chain, stream, source, block_number, block_hash)
       values ('ETH', 'token', 'test', $1::bigint, $1::text)
       on conflict (chain, stream) do update set block_number = excluded.block_number`,
      [String(block)],
    )
  }

  async transfer(block: number, sender: string, recipient: string, aleph: number): Promise<void> {
    this.#count += 1
    await this.#pool.query(
      `insert into token_transfers (chain, block_number, log_index, transaction_hash, sender, recipient, value)
       values ('ETH', $1, $2::int, $2::text, $3, $4, $5)`,
      [block, String(this.#count), sender, recipient, String(BigInt(aleph) * unit)],
    )
  }

  /** The chain takes back what is above a block. */
  async revertAbove(block: number): Promise<void> {
    await this.#pool.query('delete from token_transfers where block_number > $1', [block])
    await this.readTo(block)
  }

  /** A registry post that was confirmed at a block (null: by none); returns its hash. */
  async operate(
    block: number | null,
    address: string,
    action: string,
    ref: string | null = null,
    details: Record<string, unknown> = {},
  ): Promise<string> {
    this.#count += 1
    return this.#post(address, {
      time: this.#count,
      type: 'corechan-operation',
      ref,
      block,
      content: { action, tags: [action, 'devnet'], details },
    })
  }

  /** A report of the balances of `SABLIER` at a block, written at a time. */
  async report(
    time: number,
    block: number,
    balances: Record<string, number>,
    sender = authority,
  ): Promise<void> {
    const content = {
      tags: ['SABLIER', 'devnet'],
      platform: 'SABLIER',
      chain: 'ETH',
      main_height: block,
      balances,
    }
    await this.#post(sender, { time, type: 'balances-update', ref: null, block: null, content })
  }

  async #post(
    address: string,
    post: { time: number; type: string; ref: string | null; block: number | null; content: object },
  ): Promise<string> {
    const { time, type, ref, block, content } = post
    const text = JSON.stringify({ address, time, type, ref, content })
    const hash = itemHash(text)
    await this.#pool.query(
      `insert into messages (item_hash, seq, status, type, chain, sender, item_type, item_content, time, size,
         reception_time, owner, content_type, content_ref, place, sender_time, first_confirmed_height)
       values ($1, $2::bigint, 'processed', 'POST', 'ETH', $3, 'inline', $4, $2::bigint, 1, now(), $3, $5, $6, '', $2::bigint, $7)`,
      [hash, time, address, text, type, ref, block],
    )
    return hash
  }
}

/** A devnet whose nodes need 1,000 ALEPH. */
export const profile = {
  ...devnetProfile,
  tokens: [{ chain: 'ETH' as const, evmChainId: 1, contract: '0x0', decimals: 18, startBlock: 0 }],
}
