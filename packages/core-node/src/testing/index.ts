export { MessageMill, type MillOptions, ordinaryMix, sizeOfMilledFile } from './message-mill.ts'
export { DatabaseServer, MilledDatabase } from './milled-database.ts'
