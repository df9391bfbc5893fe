/** Sizes and ranges that every party enforces alike (protocol 01 §1.4). */
export const messageLimits = {
  /** Longest `item_content`, in UTF-16 code units as the reference counts characters. */
  inlineCharacters: 200_000,
  /** Deepest nesting of JSON in a content; the reference's parser stops here too. */
  jsonDepth: 1024,
  /** Largest exponent of a number in a content, either way: those of doubles. */
  jsonExponent: 324,
  /** Largest `content.time`, seconds: the last instant a signed 64-bit nanosecond clock can hold. */
  contentTimeSeconds: 9_223_372_036,
  /** First and last second of the years 1 to 9999. */
  envelopeTimeSeconds: { min: -62_135_596_800, max: 253_402_300_799.999 },
  /** Longest text that nodes index: addresses, channels, keys, post types, refs. */
  indexedCharacters: 512,
  signatureCharacters: 65_536,
} as const
