import type { PaymentType } from '../profile/network-profile.ts'

/** A file named by a STORE message; an estimate may say its size in MiB instead. */
export interface CostedFile {
  ref: string
  use_latest?: boolean
  estimated_size_mib?: number
}

export interface CostedVolume {
  ref?: string
  use_latest?: boolean
  size_mib?: number
  mount?: string | null
  estimated_size_mib?: number
}

interface Costed {
  payment?: { type: PaymentType } | null
}

export interface CostedStore extends Costed {
  estimated_size_mib?: number
}

interface CostedExecutable extends Costed {
  resources: { vcpus: number; memory: number }
  volumes?: CostedVolume[]
}

export interface CostedProgram extends CostedExecutable {
  on: { persistent?: boolean | null }
  environment: { internet?: boolean }
  code: CostedFile
  runtime: CostedFile
  data?: CostedFile | null
}

export interface CostedInstance extends CostedExecutable {
  environment: { trusted_execution?: object | null }
  rootfs: { parent: { ref: string }; size_mib: number }
  requirements?: { gpu?: { device_id: string }[] | null } | null
}

export interface CostedVProgram extends Costed {
  resources: { vcpus: number; memory: number }
}

/** The parts of a content that decide its price; every parsed content fits. POST, AGGREGATE and FORGET are free. */
export type CostableMessage =
  | { type: 'STORE'; content: CostedStore }
  | { type: 'PROGRAM'; content: CostedProgram }
  | { type: 'INSTANCE'; content: CostedInstance }
  | { type: 'V-PROGRAM'; content: CostedVProgram }
  | { type: 'POST' | 'AGGREGATE' | 'FORGET'; content: unknown }
