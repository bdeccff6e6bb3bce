#!/bin/sh
# start.sh gateway|mcp-proxy|worker|container-pool ARGUMENT...: becomes that service.
set -e
# A dump of its memory would hold what it keeps from everybody.
ulimit -c 0
service=$1
shift
exec node "/app/services/$service/src/main.ts" "$@"
