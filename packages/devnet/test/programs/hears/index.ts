const heard: unknown[] = []

/** Tells what messages it was told of. */
export default async function (request: Request): Promise<Response> {
  const isMessage = request.headers.get('aleph-event') === 'message'
  if (isMessage) heard.push(((await request.json()) as { content: { content: unknown } }).content.content)
  return Response.json(heard)
}
