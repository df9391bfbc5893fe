export { DatabaseServer } from './database-server.ts'
export { MessageMill, type MillOptions, ordinaryMix, sizeOfMilledFile } from './message-mill.ts'
export { MilledDatabase } from './milled-database.ts'
