/** Rows of text as columns of equal width. */
export function formatTable(rows: string[][]): string {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, index) => Math.max(cell.length, widest[index] ?? 0)),
    [],
  )
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function printTable(rows: string[][]): void {
  if (rows.length > 0) process.stdout.write(`${formatTable(rows)}\n`)
}
