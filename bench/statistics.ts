/** The p-th percentile (0 to 100) of values in any order, nearest rank. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = Math.max(1, Math.ceil((p / 100) * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}

/** p50, p95 and p99 of durations, in milliseconds with one decimal. */
export function spread(ms: readonly number[]): { p50: number; p95: number; p99: number } {
  const of = (p: number) => Math.round(percentile(ms, p) * 10) / 10
  return { p50: of(50), p95: of(95), p99: of(99) }
}
