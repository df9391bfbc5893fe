/**
 * Names of the things that verdicts depend on. A message looks at names while it is judged; when a verdict changes
 * what stands under a name, whoever looked at it further on in the order is judged again. The hash of a message is
 * its own name.
 */

/** Who may act for an owner. */
export function rightsOf(owner: string): string {
  return `rights ${owner}`
}

/** What an account owes in one way of paying. */
export function chargesOf(account: string, paymentType: string): string {
  return `charges ${paymentType} ${account}`
}

/** ALEPH that an account holds. */
export function holdingsOf(account: string): string {
  return `holdings ${account}`
}

/** Credits of an account. */
export function creditsOf(address: string): string {
  return `credits ${address}`
}

/** Bills of a window of time, as {@link leaseWindow} tells it. */
export function billsOf(window: string): string {
  return `bills ${window}`
}

/** Revisions of the file of a STORE message. */
export function revisionsOf(hash: string): string {
  return `revisions ${hash}`
}

/** Amends of a post, versions of a VM. */
export function childrenOf(hash: string): string {
  return `children ${hash}`
}

/** VMs that use the file of a STORE message. */
export function usersOf(hash: string): string {
  return `users ${hash}`
}

/** Elements of an aggregate. */
export function elementsOf(owner: string, key: string): string {
  return `elements ${owner} ${key}`
}

/** Prices and settings of the network. */
export const prices = 'prices'
