#!/usr/bin/env bash
# Prints the fleet's Secrets with fresh keys; nothing of them is written to a file. Give them to `create`, which refuses what exists:
# a new seal key would make every stored credential unreadable.
#   k8s/make-secrets.sh home | kubectl create -f -
#   DATABASE_URL=postgres://… REDIS_URL=rediss://redis.example.com:6379 k8s/make-secrets.sh production | kubectl create -f -
# MCP_SERVERS=FILE: MCP servers that are registered at start ({"mcpServers": …}).
# For production DATABASE_URL is the services' own login; REDIS_URL names no user: the Secret "redis" then holds the users that
# this Redis has to be given (users.acl).
# `redis-users` prints the Secret "redis" alone, for the users' passwords as they are, from the "redis-url" of each role: for `apply`, where a
# version has other rights for them, or a password has changed (docs/kubernetes.md).
#   GATEWAY_REDIS_URL=… WORKER_REDIS_URL=… PROXY_REDIS_URL=… k8s/make-secrets.sh redis-users | kubectl apply -f -
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

main() {
  local form=${1:-}
  case $form in
    home)
      local postgres_password
      postgres_password=$(hex_key)
      DATABASE_URL=postgres://executor:$postgres_password@postgres:5432/executor
      REDIS_URL=redis://redis:6379
      ;;
    production)
      [[ ${DATABASE_URL:-} == postgres*://* ]] || refuse 'DATABASE_URL has to be the URL of PostgreSQL, with user and password'
      [[ ${REDIS_URL:-} =~ ^rediss?://[^@/]+/?[0-9]*$ ]] || refuse 'REDIS_URL has to be the URL of Redis, without user and password'
      ;;
    redis-users)
      redis_users "$(password_of gateway "${GATEWAY_REDIS_URL:-}")" "$(password_of worker "${WORKER_REDIS_URL:-}")" \
        "$(password_of proxy "${PROXY_REDIS_URL:-}")"
      return
      ;;
    *) refuse 'usage: k8s/make-secrets.sh home|production|redis-users' ;;
  esac
  local servers='{"mcpServers":{}}'
  if [[ -n ${MCP_SERVERS:-} ]]; then servers=$(cat -- "$MCP_SERVERS"); fi

  local gateway_key worker_key gateway_redis worker_redis proxy_redis
  gateway_key=$(hex_key)
  worker_key=$(hex_key)
  gateway_redis=$(hex_key)
  worker_redis=$(hex_key)
  proxy_redis=$(hex_key)

  secret gateway admin-key "$(admin_key)" database-url "$DATABASE_URL" internal-key "$gateway_key" redis-url "$(redis_url gateway "$gateway_redis")"
  secret worker internal-key "$worker_key" redis-url "$(redis_url worker "$worker_redis")"
  secret mcp-proxy database-url "$DATABASE_URL" gateway-internal-key "$gateway_key" grant-key "$(hex_key)" mcp-servers.json "$servers" \
    redis-url "$(redis_url proxy "$proxy_redis")" seal-key "$(hex_key)" worker-internal-key "$worker_key"
  redis_users "$gateway_redis" "$worker_redis" "$proxy_redis"
  secret migrate database-url "$DATABASE_URL"
  if [[ $form == home ]]; then secret postgres executor-password "$postgres_password"; fi
}

# redis_users PASSWORD_OF_GATEWAY PASSWORD_OF_WORKER PASSWORD_OF_PROXY
redis_users() {
  [[ -n $1 && -n $2 && -n $3 ]] || exit 2
  secret redis users.acl "$(sed -e "s/@gateway@/$(digest "$1")/" -e "s/@worker@/$(digest "$2")/" -e "s/@proxy@/$(digest "$3")/" \
    "$root/deploy/redis/users.acl")"
}

# password_of USER URL
password_of() {
  [[ $2 =~ ^rediss?://$1:([^@:/]+)@ ]] || refuse "the URL of the user $1 has to be redis://$1:PASSWORD@…, as its Secret has it"
  printf %s "${BASH_REMATCH[1]}"
}

# secret NAME KEY VALUE [KEY VALUE…]
secret() {
  printf -- '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: code-executor\n' "$1"
  printf '  labels:\n    app.kubernetes.io/part-of: code-executor\ntype: Opaque\ndata:\n'
  shift
  while (($#)); do
    printf '  %s: %s\n' "$1" "$(printf '%s\n' "$2" | base64 | tr -d '\n')"
    shift 2
  done
}

hex_key() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
admin_key() { printf 'cex_%s' "$(head -c 32 /dev/urandom | base64 | tr -d '=\n' | tr '+/' '-_')"; }
digest() { printf %s "$1" | sha256sum | cut -d' ' -f1; }
redis_url() { printf '%s://%s:%s@%s' "${REDIS_URL%%://*}" "$1" "$2" "${REDIS_URL#*://}"; }
refuse() {
  printf '%s\n' "$1" >&2
  exit 2
}

main "$@"
