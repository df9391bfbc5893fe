/**
 * A function: one handler from a web Request to a web Response, TypeScript as it is.
 *
 *   GET  /            a greeting as JSON
 *   GET  /stream      one line at a time
 *   POST /echo        the body comes back while it is still being sent
 */
export default async function handle(request: Request): Promise<Response> {
  const url = new URL(request.url)
  switch (url.pathname) {
    case '/':
      return Response.json({
        message: `Hello, ${url.searchParams.get('name') ?? 'world'}!`,
        runtime: `Node.js ${process.version}`,
        method: request.method,
      })
    case '/stream':
      return new Response(countTo(5).pipeThrough(new TextEncoderStream()), {
        headers: { 'content-type': 'text/plain; charset=utf-8' },
      })
    case '/echo':
      return new Response(request.body, {
        headers: { 'content-type': request.headers.get('content-type') ?? 'application/octet-stream' },
      })
    default:
      return Response.json({ error: `There is nothing at ${url.pathname}` }, { status: 404 })
  }
}

function countTo(last: number): ReadableStream<string> {
  let count = 0
  return new ReadableStream({
    async pull(controller) {
      if (count === last) return controller.close()
      await new Promise((resolve) => setTimeout(resolve, 100))
      controller.enqueue(`${++count}\n`)
    },
  })
}
