export {
  type ConfidentialSupport,
  createHypervisor,
  FakeHypervisor,
  type FakeProgram,
  type Hypervisor,
  type HypervisorCapabilities,
  HypervisorError,
  type LaunchControl,
  QemuHypervisor,
  type SnpVcpuType,
  snpVcpuTypes,
} from '../hypervisor/index.ts'
export type { GuestService, OnGuestStream } from './guest-setup.ts'
export { Supervisor, type SupervisorOptions } from './supervisor.ts'
export { VmNotRunningError, VmStartError, type VmStartErrorCode } from './vm-errors.ts'
export type {
  ConfidentialLaunch,
  DiskImage,
  GpuDevice,
  InstanceDisk,
  InstanceSpec,
  LogLine,
  LogOptions,
  PortForward,
  ProgramSpec,
  RunningVm,
  VmInfo,
  VmKind,
  VmSpec,
  VmState,
  VolumeMount,
} from './vm-spec.ts'
