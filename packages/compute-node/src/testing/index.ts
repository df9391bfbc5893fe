/** Parts for tests and benches of compute nodes: a core node in memory, and a hypervisor without guests. */
export { FakeHypervisor, type FakeProgram } from '../hypervisor/index.ts'
export { FakeCoreNode, type ProgramOptions, type TestAccount, testAccount } from './fake-core-node.ts'
export { imagesDir, testKernel } from './warm-seed.ts'
export { writeZip, type ZipEntry } from './zip-writer.ts'
