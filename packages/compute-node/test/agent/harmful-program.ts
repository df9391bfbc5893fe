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
