export { chipId, type FakeAmd, fakeAmd, guestCertificate, measurement, tcb } from './fake-amd.ts'
export { FakeSnpGuest } from './fake-snp-guest.ts'
