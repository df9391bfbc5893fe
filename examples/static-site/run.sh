#!/bin/sh
# Any executable that listens on $PORT is a program. This one is the web server of busybox, which the
# runtime "binary" brings along.
exec busybox httpd -f -p "127.0.0.1:${PORT:-8080}" -h /code/www
