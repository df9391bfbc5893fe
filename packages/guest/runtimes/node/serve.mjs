import http from 'node:http'
const m = await import('/code/'+process.argv[2])
http.createServer((q,r)=>{r.end(m.default())}).listen(8080,'127.0.0.1')
