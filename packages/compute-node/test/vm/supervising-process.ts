import { pino } from 'pino'
import { type ProgramSpec, QemuHypervisor, Supervisor } from '../../src/supervisor/index.ts'

/** Starts the VMs it is told to, says so, and stays until it is killed. */
const { dataDir, images, specs } = JSON.parse(process.argv[2]!)
const log = pino({ level: 'silent' })
const supervisor = await Supervisor.create({
  dataDir,
  hypervisor: await QemuHypervisor.create({ dataDir, images, log }),
})
await supervisor.start()
await Promise.all(specs.map((spec: ProgramSpec) => supervisor.ensureRunning(spec)))
console.log(JSON.stringify(supervisor.list()))
setInterval(() => {}, 60_000)
