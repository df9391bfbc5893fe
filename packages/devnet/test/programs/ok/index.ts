export default (): Response => new Response('ok')
