/** Times as the network's compute nodes have always printed them: `2025-03-28 11:21:21.744592+00:00`. */
export function formatTime(epochSeconds: number): string {
  const micros = Math.round(epochSeconds * 1e6)
  const seconds = new Date(Math.floor(micros / 1e6) * 1000).toISOString().slice(0, 19).replace('T', ' ')
  return `${seconds}.${String(micros % 1_000_000).padStart(6, '0')}+00:00`
}
