import type { VmHost } from '../vm-host.ts'
import type { NodeFacts } from './node-facts.ts'

/** The page a person sees who opens the node's address in a browser. */
export function indexPage(facts: NodeFacts, vms: VmHost): string {
  const running = vms.list().filter(({ state }) => state === 'running').length
  const { hypervisor, accelerator, version } = vms.capabilities
  const rows: [string, string][] = [
    ['Network', facts.network],
    ['Node hash', facts.nodeHash ?? 'not registered'],
    ['Owner', facts.ownerAddress || 'not set'],
    ['Version', facts.version],
    ['Hypervisor', `${hypervisor} ${version} (${accelerator})`],
    ['Running VMs', String(running)],
  ]
  const table = rows.map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`).join('')
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Aleph compute node</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 42rem; margin: 3rem auto; padding: 0 1rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1.5rem }
dt { opacity: .7 } dd { margin: 0; overflow-wrap: anywhere }
</style>
<h1>Aleph compute node</h1>
<dl>${table}</dl>
<p>Call a program: <code>/vm/&lt;item hash&gt;/</code>.
See <a href="/status/config">config</a>, <a href="/about/usage/system">usage</a>,
<a href="/v2/about/executions/list">executions</a>, <a href="/metrics">metrics</a>.</p>
</html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
