const scale = 18
const one = 10n ** BigInt(scale)

/** Reads plain decimal text as a count of 10⁻¹⁸; digits beyond that are cut. */
export function toUnits(decimal: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(decimal)
  if (!match) throw new TypeError(`Not a plain decimal number: ${decimal}`)
  const [, sign, whole, fraction = ''] = match
  const units = BigInt(whole!) * one + BigInt(fraction.slice(0, scale).padEnd(scale, '0'))
  return sign ? -units : units
}

/** Plain decimal text of a count of 10⁻¹⁸, without needless zeros. */
export function fromUnits(units: bigint): string {
  const [sign, size] = units < 0n ? ['-', -units] : ['', units]
  const fraction = (size % one).toString().padStart(scale, '0').replace(/0+$/, '')
  return `${sign}${size / one}${fraction ? `.${fraction}` : ''}`
}
