# shellcheck shell=bash
# Keys and passwords of the fleet, made at the first `up`, in the data directory's secrets/: one folder per service, each
# file readable by the uid of that service's container and nobody else. A secret that two services share lies there twice.
#
# docker-compose 1.29 mounts these files as they are, so owner and mode have to be right on this machine. Only root may give a
# file away: a throw-away container without network writes them, whoever calls, which also holds where the engine maps uids.

readonly GATEWAY_UID=10101 PROXY_UID=10102 WORKER_UID=10103 POOL_UID=10104

# Makes what is missing, and takes over admin.key and mcp-servers.json as they are now. What is there is never changed.
prepare_secrets() {
  local servers=$FLEET_DIR/mcp-servers.json webhook=$FLEET_DIR/webhook-secret output code=0
  resolve_servers_file "$servers"
  # shellcheck disable=SC2016 # expanded by the inner shell
  as_data_owner bash -c 'umask 077; cat >"$1"' - "$webhook" <<<"${EXECUTOR_APPROVAL_WEBHOOK_SECRET:-}"
  make_admin_key
  output=$(in_secrets_container \
    --volume "$DATA_DIR/admin.key:/from/admin.key:ro" --volume "$servers:/from/mcp-servers.json:ro" \
    --volume "$webhook:/from/webhook-secret:ro" \
    --volume "$ROOT/deploy/redis/users.acl:/from/users.acl:ro" \
    --env "REDIS_UID=$(uid_in_image "$REDIS_IMAGE" redis)" --env "POSTGRES_UID=$(uid_in_image "$POSTGRES_IMAGE" postgres)" \
    --env "GATEWAY_UID=$GATEWAY_UID" --env "PROXY_UID=$PROXY_UID" --env "WORKER_UID=$WORKER_UID" --env "POOL_UID=$POOL_UID" \
    -- bash /deploy/docker/write-secrets.sh 2>&1) || code=$?
  # First, since both hold secrets for the data directory's owner to read.
  rm -f -- "$servers" "$webhook"
  [[ $code == 0 ]] || die "$EXIT_DATA_DIR" "The secrets could not be written to $DATA_DIR/secrets: $(tail -n 1 <<<"$output")"
}

# in_secrets_container OPTION... -- COMMAND...: as root of a container that sees secrets/ and the scripts, and no network.
in_secrets_container() {
  local options=()
  while [[ $1 != -- ]]; do options+=("$1"); shift; done
  shift
  as_data_owner mkdir -p -m 0700 -- "$DATA_DIR/secrets"
  docker run --rm --interactive --network none --read-only --user 0:0 --cap-drop ALL \
    --cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER --security-opt no-new-privileges:true --entrypoint "" \
    --volume "$DATA_DIR/secrets:/secrets" --volume "$ROOT/deploy:/deploy:ro" "${options[@]}" "$SERVICES_IMAGE" "$@"
}

uid_in_image() {
  docker run --rm --network none --cap-drop ALL --entrypoint id "$1" -u "$2" ||
    die "$EXIT_PREREQUISITE" "The image $1 has no user '$2': it is not the image that docker-compose.yml expects."
}

make_admin_key() {
  local key
  ! grep -qxE 'cex_[A-Za-z0-9_-]{43}' "$DATA_DIR/admin.key" 2>/dev/null || return 0
  key=cex_$(head -c 32 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d '=')
  # shellcheck disable=SC2016 # expanded by the inner shell
  as_data_owner bash -c 'umask 077; cat >"$1.new" && mv -f -- "$1.new" "$1"' - "$DATA_DIR/admin.key" <<<"$key"
}

# The servers file with what it takes from the caller's environment filled in; mcp-proxy alone can read the copy it gets.
resolve_servers_file() {
  as_data_owner bash -c 'umask 077; cat >"$1"' - "$1" < <(
    if [[ -e $SERVERS_FILE ]]; then fleet_node_with_environment "$ROOT/deploy/docker/resolve-servers-file.ts" <"$SERVERS_FILE"; else printf '{"mcpServers": {}}\n'; fi
  )
}

as_data_owner() { if ((EUID == 0)); then as_service_user "$@"; else "$@"; fi; }
