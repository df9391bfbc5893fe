import { gossipMessageId } from './gossip/message-id.ts'
const t = new TextEncoder()
for (const x of [t.encode(''), t.encode('hello'), t.encode('{"item_hash":"abc"}'), new Uint8Array(300)]) console.log(new TextDecoder().decode(gossipMessageId(x)))
const d=new Uint8Array(600); let s=performance.now(); for(let i=0;i<20000;i++) gossipMessageId(d); console.log((performance.now()-s)/20000*1000,'us')
