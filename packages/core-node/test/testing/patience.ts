/** How long tests wait for what nodes do in their own time: a busy machine is slow, not wrong. */
export const patience = { timeout: 60_000, interval: 25 }
