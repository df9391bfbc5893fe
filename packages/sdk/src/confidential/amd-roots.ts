/** AMD's families of server processors with SEV-SNP. */
export type AmdProduct = 'Milan' | 'Genoa' | 'Turin'

/**
 * Sha256 of the public key (SubjectPublicKeyInfo) of AMD's root key for each family, computed from AMD's certificates
 * ARK-Milan, ARK-Genoa and ARK-Turin as the crate `sev` 8.0.0 has them built in; a real report of a Milan processor
 * verifies up to the first. AMD serves the same ones at `https://kdsintf.amd.com/vcek/v1/<family>/cert_chain`.
 */
export const amdRoots: Readonly<Record<AmdProduct, string>> = {
  Milan: '9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9',
  Genoa: '429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831',
  Turin: '4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08',
}
