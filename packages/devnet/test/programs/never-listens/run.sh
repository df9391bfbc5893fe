#!/bin/sh
echo thinking
while true; do sleep 1; done
