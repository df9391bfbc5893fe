import type { InstanceContent } from '@aleph-ts/protocol'

/** An encrypted root file system grows to the disk's size; whatever does not apply fails without consequence. */
const encryptedRoot = [
  'growpart /dev/vda 2 || true',
  'cryptsetup resize cr_root || true',
  'resize2fs /dev/mapper/cr_root || true',
]

/** GPUs need these kernel arguments, which take effect at the second boot. */
const gpuKernelArguments = [
  "grep -q pci=realloc=off /etc/default/grub || sed -i 's/^GRUB_CMDLINE_LINUX=\"/&pci=realloc=off pci=noaer /' /etc/default/grub || true",
  'update-grub || true',
]

/** Commands for the system's every boot (protocol 05 §7.3). */
export function bootCommands({ environment, requirements }: InstanceContent): string[] {
  return [
    ...(environment.trusted_execution ? encryptedRoot : []),
    ...(requirements?.gpu?.length ? gpuKernelArguments : []),
  ]
}
