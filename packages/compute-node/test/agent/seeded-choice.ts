/** Numbers below a bound, the same ones for the same seed. */
export function seededChoice(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >>> 8) % bound
  }
}
