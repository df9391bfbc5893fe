import { benchContent } from './content.ts'

console.log(await benchContent({ megabytes: Number(process.argv[2] ?? 400) }))
