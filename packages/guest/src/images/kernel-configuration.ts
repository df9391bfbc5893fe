/**
 * The wished options that a kernel's configuration does not have, in its own notation. Kconfig drops what depends on
 * something absent, or was renamed, without a word.
 */
export function refusedOptions(wished: string, configuration: string): string[] {
  const present = new Set(options(configuration))
  return options(wished).filter((option) => !present.has(option))
}

function options(text: string): string[] {
  return text.split('\n').filter((line) => line.startsWith('CONFIG_'))
}
