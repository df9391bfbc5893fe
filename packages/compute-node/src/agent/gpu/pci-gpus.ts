import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** A GPU of the host that may be given to one VM, whole. */
export interface PciGpu {
  /** `0000:01:00.0` */
  pciAddress: string
  /** `vendor:device` in hex, as lspci prints it. */
  deviceId: string
  /** PCI class: `0300` has a display, `0302` has none. */
  deviceClass: '0300' | '0302'
  vendor: 'NVIDIA' | 'AMD' | 'Intel'
  /** Name of the device under `/dev/vfio`. */
  vfioGroup: string
}

const vendors: Readonly<Record<string, PciGpu['vendor']>> = {
  '10de': 'NVIDIA',
  '1002': 'AMD',
  '8086': 'Intel',
}

/**
 * GPUs that the operator set aside for VMs by binding them to the driver `vfio-pci` (protocol 05 §13), from the
 * kernel's device tree at `sysfs`.
 */
export async function findGpus(sysfs: string): Promise<PciGpu[]> {
  const devices = join(sysfs, 'bus/pci/devices')
  const names = await readdir(devices).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const gpus = await Promise.all(names.sort().map((name) => gpuAt(join(devices, name), name)))
  return gpus.filter((gpu) => gpu !== null)
}

async function gpuAt(folder: string, pciAddress: string): Promise<PciGpu | null> {
  const [classCode, vendorId, device] = await Promise.all(['class', 'vendor', 'device'].map(hex))
  const deviceClass = classCode?.slice(0, 4)
  if (deviceClass !== '0300' && deviceClass !== '0302') return null
  if ((await linked('driver')) !== 'vfio-pci') return null
  const vfioGroup = await linked('iommu_group')
  const vendor = vendors[vendorId ?? '']
  if (!vendor || vfioGroup === null) return null
  return { pciAddress, deviceId: `${vendorId}:${device}`, deviceClass, vendor, vfioGroup }

  async function hex(name: string): Promise<string | undefined> {
    const text = await readFile(join(folder, name), 'utf8').catch(() => '')
    return /^0x([0-9a-f]+)$/.exec(text.trim())?.[1]
  }

  async function linked(name: string): Promise<string | null> {
    const target = await readlink(join(folder, name)).catch(() => null)
    return target && basename(target)
  }
}
