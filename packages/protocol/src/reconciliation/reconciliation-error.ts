/** The other side does not keep to the reconciliation protocol, or asks for more than anybody needs. */
export class ReconciliationError extends Error {
  override readonly name = 'ReconciliationError'
  readonly code = 'reconciliation_protocol'
}
