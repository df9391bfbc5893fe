import type { SettingsAggregate } from '../aggregates/settings.ts'

/** PCI device → model, in the order of lookup: 2685 is listed twice and the first entry counts. */
const gpus: readonly (readonly [device: string, model: string, name: string])[] = [
  ['26b9', 'L40S', 'AD102GL [L40S]'],
  ['2685', 'RTX 5090', 'GB202 [GeForce RTX 5090]'],
  ['2687', 'RTX 5090', 'GB202 [GeForce RTX 5090 D]'],
  ['2684', 'RTX 4090', 'AD102 [GeForce RTX 4090]'],
  ['2685', 'RTX 4090', 'AD102 [GeForce RTX 4090 D]'],
  ['2204', 'RTX 3090', 'GA102 [GeForce RTX 3090]'],
  ['2203', 'RTX 3090', 'GA102 [GeForce RTX 3090 Ti]'],
  ['27b0', 'RTX 4000 ADA', 'AD104GL [RTX 4000 SFF Ada Generation]'],
  ['27b2', 'RTX 4000 ADA', 'AD104GL [RTX 4000 Ada Generation]'],
  ['2336', 'H100', 'GH100 [H100]'],
  ['22a3', 'H100', 'GH100 [H100 NVSwitch]'],
  ['2313', 'H100', 'GH100 [H100 CNX]'],
  ['2330', 'H100', 'GH100 [H100 SXM5 80GB]'],
  ['2331', 'H100', 'GH100 [H100 PCIe]'],
  ['2080', 'A100', 'GA100'],
  ['2081', 'A100', 'GA100'],
  ['20b2', 'A100', 'GA100 [A100 SXM4 80GB]'],
  ['20b5', 'A100', 'GA100 [A100 PCIe 80GB]'],
  ['20b8', 'A100', 'GA100 [A100X]'],
]

/** Settings of a network that has published none (protocol 02 §13.1). */
export const defaultSettings: SettingsAggregate = {
  compatible_gpus: gpus.map(([device, model, name]) => ({
    name,
    model,
    vendor: 'NVIDIA',
    device_id: `10de:${device}`,
  })),
  community_wallet_address: '0x5aBd3258C5492fD378EBC2e0017416E199e5Da56',
  community_wallet_timestamp: 1_739_301_770,
  last_crn_version: '',
  authorized_allocation_signers: [],
}
