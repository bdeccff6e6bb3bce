#!/bin/sh
# start.sh gateway|mcp-proxy|worker ARGUMENT...: becomes that service.
set -e
service=$1
shift
exec node "/app/services/$service/src/main.ts" "$@"
