/** A part of each turn, at its end, in which what was sent is given time to be in a block. */
const quietPart = 0.2

/**
 * Whether an emitter may begin a batch at a block. Where several are authorised they take turns of so many blocks, so
 * that no two of them pack the same messages; without turns, any of them may at any time.
 */
export function mayPack(
  block: number,
  emitter: string,
  { authorizedEmitters, turnBlocks }: { authorizedEmitters: string[]; turnBlocks?: number | undefined },
): boolean {
  if (turnBlocks === undefined || authorizedEmitters.length === 1) return true
  const whose = authorizedEmitters[Math.floor(block / turnBlocks) % authorizedEmitters.length]
  return whose === emitter && block % turnBlocks < turnBlocks * (1 - quietPart)
}
