/**
 * Whether a message is what a program's subscription (an item of `on.message`) asks for: every key of the subscription
 * is in the message with the same value, and objects need only hold what is asked of them (protocol 05 §5.5). Lists
 * never match. `message` is the envelope with its `content` parsed.
 *
 * @example
 * matchesSubscription({ type: 'POST', content: { type: 'chat' } }, message)
 */
export function matchesSubscription(subscription: Record<string, unknown>, message: object): boolean {
  return Object.entries(subscription).every(([key, wanted]) => {
    const value = Object.hasOwn(message, key) ? (message as Record<string, unknown>)[key] : undefined
    if (isObject(wanted)) return isObject(value) && matchesSubscription(wanted, value)
    return value !== undefined && value === wanted
  })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
