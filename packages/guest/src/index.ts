export {
  GuestChannel,
  type GuestChannelOptions,
  type ProgramState,
  type StreamHandler,
} from './channel/guest-channel.ts'
export { GuestError, type GuestErrorCode } from './guest-error.ts'
export { withLock } from './images/build-lock.ts'
export {
  buildGuestImages,
  type GuestImages,
  type GuestKernel,
  guestKernels,
  type KernelFiles,
  loadGuestImages,
  type RuntimeImage,
} from './images/guest-images.ts'
export {
  type HostTool,
  instanceHostTools,
  leanKernelTools,
  missingHostTools,
  requiredHostTools,
} from './images/host-tools.ts'
export { buildInstanceImage, type InstanceImage } from './images/instance-image.ts'
export { channelPortName } from './images/kernel.ts'
export { type RuntimeName, runtimeNames } from './images/runtime-recipes.ts'
export { legacyAsgiCommand, legacyRuntimeMarker } from './legacy-runtime.ts'
