/** Opens connections to its node without end once it is called: some are kept, some dropped, some talk nonsense. */
export const knockingSource = `
import { connect } from 'node:net'
const kept = []
function knock(count: number): void {
  const socket = connect(process.env.ALEPH_API_UNIX_SOCKET!)
  socket.on('error', () => {}).on('connect', () => {
    if (count % 3 === 0) socket.write('GET /cache/visits HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'.repeat(100))
    if (count % 3 === 1) socket.write('nonsense')
    if (count % 3 === 2) socket.destroy()
  })
  if (count % 100 === 0) kept.push(socket)
  else setTimeout(() => socket.destroy(), 20)
}
export default (): Response => {
  let count = 0
  setInterval(() => {
    for (let burst = 0; burst < 50; burst++) knock(count++)
  }, 5)
  return new Response('knocking')
}
`

/** Serves a page that says hello, and does harm when asked. */
export const harmfulSource = `#!/bin/sh
mkdir -p /tmp/www/cgi-bin
echo -n hello >/tmp/www/index.html
cat >/tmp/www/cgi-bin/harm <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
case $PATH_INFO in
  /reach) nc -w 2 \${QUERY_STRING%:*} \${QUERY_STRING#*:} </dev/null 2>&1 && echo reached ;;
  /fill) dd if=/dev/zero of=$QUERY_STRING bs=1M 2>&1 ;;
  /write) rm -f /disk/file; dd if=/dev/zero of=/disk/other bs=1M count=$QUERY_STRING conv=fsync 2>&1 ;;
  /flood-socket) exec cat /dev/zero ;;
  /flood-log)
    line=$(printf 'x%.0s' $(seq 400))
    while :; do echo $line >&2; done </dev/null >/dev/null &
    echo flooding ;;
  /fork)
    bomb() { bomb | bomb & }
    bomb </dev/null >/dev/null 2>&1 &
    echo forked ;;
esac
END
chmod +x /tmp/www/cgi-bin/harm
exec httpd -f -p 127.0.0.1:8080 -h /tmp/www
`
