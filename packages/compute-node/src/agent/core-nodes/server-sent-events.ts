const MAX_EVENT_CHARS = 8 * 1024 * 1024

export interface ServerSentEvent {
  name: string
  data: string
  id?: string
}

/**
 * Events of an event stream, as they come; comments are skipped. Ends with the stream, also when that breaks.
 *
 * @throws Error when one event is larger than 8 Mi characters.
 */
export async function* readServerSentEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of untilBroken(body)) {
    onBytes()
    text += decoder.decode(bytes, { stream: true }).replaceAll('\r', '')
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    if (text.length > MAX_EVENT_CHARS) throw new Error('an event of the stream is too large')
    for (const block of blocks) {
      const event = parseEvent(block)
      if (event) yield event
    }
  }
}

async function* untilBroken(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch {
    // The server went away, as it may at any time; the caller comes back.
  }
}

function parseEvent(block: string): ServerSentEvent | null {
  const event: ServerSentEvent = { name: 'message', data: '' }
  const data: string[] = []
  for (const line of block.split('\n')) {
    const [, field, value] = /^(event|data|id): ?(.*)$/.exec(line) ?? []
    if (field === 'event') event.name = value ?? ''
    else if (field === 'data') data.push(value ?? '')
    else if (field === 'id') event.id = value ?? ''
  }
  return data.length > 0 ? { ...event, data: data.join('\n') } : null
}
