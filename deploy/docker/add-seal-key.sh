#!/usr/bin/env bash
# Runs as root of a throw-away container (secrets.sh): appends a key to the file that mcp-proxy has mounted. What is cut off
# half-way is half a line, which counts as none.
set -euo pipefail
file=/secrets/mcp-proxy/seal-key
[[ -s $file ]]
[[ -z $(tail -c 1 -- "$file") ]] || printf '\n' >>"$file"
printf '%s\n' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >>"$file"
sync -- "$file"
