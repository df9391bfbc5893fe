export { createHypervisor, type HypervisorChoice } from './create-hypervisor.ts'
export { FakeHypervisor, type FakeMachine, type FakeProgram } from './fake/fake-hypervisor.ts'
export {
  type Accelerator,
  type ConfidentialSupport,
  type ConfidentialTechnology,
  type DiskShape,
  type Forward,
  type GuestLink,
  type Hypervisor,
  type HypervisorCapabilities,
  HypervisorError,
  type LaunchControl,
  type LaunchMeasurement,
  type LaunchRequest,
  type Machine,
  type MachineExit,
  type MachineRecord,
  type MachineShape,
  type MachineStart,
  type SnapshotFiles,
  type SnpVcpuType,
  snpVcpuTypes,
  type TapShape,
} from './hypervisor.ts'
export type { BootImages } from './qemu/boot-images.ts'
export type { DiskLimits } from './qemu/disk-limits.ts'
export { QemuHypervisor, type QemuHypervisorOptions } from './qemu/qemu-hypervisor.ts'
