import type pg from 'pg'

/** A pool for single statements, or one of its connections inside a transaction. */
export type Queryable = pg.Pool | pg.PoolClient
