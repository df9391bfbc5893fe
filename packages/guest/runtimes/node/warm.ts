/** Imported before the first program: what Node needs to read TypeScript is loaded by it. */
export const warm: boolean = true
