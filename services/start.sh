#!/bin/sh
# start.sh gateway|mcp-proxy: becomes that service. Anything else is run as it stands.
set -e
case ${1:-} in
  gateway | mcp-proxy)
    service=$1
    shift
    exec node "/app/services/$service/src/main.ts" "$@"
    ;;
  *) exec "$@" ;;
esac
