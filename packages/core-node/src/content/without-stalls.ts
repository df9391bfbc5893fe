/** Passes a body on, and calls `abort` when nothing comes for `stallMs`. */
export async function* withoutStalls(
  body: AsyncIterable<Uint8Array>,
  stallMs: number,
  abort: (reason: Error) => void,
): AsyncGenerator<Uint8Array> {
  const stalled = setTimeout(() => abort(new Error('the sender stopped sending')), stallMs)
  try {
    for await (const chunk of body) {
      stalled.refresh()
      yield chunk
    }
  } finally {
    clearTimeout(stalled)
  }
}
