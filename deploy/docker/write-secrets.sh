#!/usr/bin/env bash
# Runs as root of a throw-away container (secrets.sh): /secrets is the data directory's secrets/, /from holds what is taken over.
set -euo pipefail
umask 077
cd /secrets
mkdir -p gateway mcp-proxy worker container-pool redis postgres

main() {
  keep_or_make postgres/executor-password
  keep_or_make mcp-proxy/seal-key
  keep_or_make mcp-proxy/grant-key
  keep_or_make gateway/internal-key
  keep_or_make worker/internal-key
  keep_or_make worker/container-key
  local role
  for role in gateway mcp-proxy worker; do
    [[ -s $role/redis-url ]] || write "$role/redis-url" "redis://$(redis_user "$role"):$(random)@redis:6379"
  done
  copy gateway/internal-key mcp-proxy/gateway-internal-key
  copy worker/internal-key mcp-proxy/worker-internal-key
  copy worker/container-key container-pool/container-key
  write mcp-proxy/database-url "postgres://executor:$(cat postgres/executor-password)@postgres:5432/executor"
  copy mcp-proxy/database-url gateway/database-url
  copy /from/admin.key gateway/admin-key
  copy /from/mcp-servers.json mcp-proxy/mcp-servers.json
  copy /from/webhook-secret mcp-proxy/webhook-secret
  write redis/users.acl "$(redis_users)"

  own gateway "$GATEWAY_UID"
  own mcp-proxy "$PROXY_UID"
  own worker "$WORKER_UID"
  own container-pool "$POOL_UID"
  own redis "$REDIS_UID"
  own postgres "$POSTGRES_UID"
}

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

keep_or_make() { [[ -s $1 ]] || write "$1" "$(random)"; }

copy() { write "$2" "$(cat -- "$1")"; }

# In place where it is there: a running container has this very file mounted.
write() {
  [[ ! -f $1 || $(cat -- "$1") != "$2" ]] || return 0
  printf '%s\n' "$2" >"$1"
}

redis_user() { if [[ $1 == mcp-proxy ]]; then printf proxy; else printf %s "$1"; fi; }

# Redis gets digests: it holds no password.
redis_users() {
  local role url digest users
  users=$(cat /from/users.acl)
  for role in gateway mcp-proxy worker; do
    url=$(cat "$role/redis-url")
    url=${url#redis://*:}
    digest=$(printf %s "${url%@redis:6379}" | sha256sum | cut -c 1-64)
    users=${users//@$(redis_user "$role")@/$digest}
  done
  printf %s "$users"
}

own() {
  chmod 0700 -- "$1"
  chmod 0400 -- "$1"/*
  chown -R -- "$2:$2" "$1"
}

main
