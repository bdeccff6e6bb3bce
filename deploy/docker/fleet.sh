# shellcheck shell=bash disable=SC2153 # shared variables
# The Docker form of `up`, `down`, `status`, `logs` and `scale`. What is known of a fleet lies in the data directory:
#   run/fleet/project     the Compose project's name
#   run/fleet/fleet.env   the variables of docker-compose.yml
#   run/fleet/workers     how many workers were asked for
#   run/fleet/mounts.yml  directories that mcp-proxy sees, from EXECUTOR_MCP_MOUNTS and EXECUTOR_SECRET_FILES_DIR

readonly FLEET_TIMEOUT_SECONDS=240
readonly FLEET_SERVICES=(postgres redis mcp-proxy gateway worker)
# Settings of the containers that are handed on where the caller has set them; docker-compose.yml says to which service.
readonly FLEET_SETTINGS=(EXECUTOR_LOG_LEVEL EXECUTOR_ALLOWED_HOSTS EXECUTOR_RATE_LIMIT EXECUTOR_CONNECTIONS EXECUTOR_QUEUE_LIMIT EXECUTOR_RETENTION_DAYS
  EXECUTOR_SESSION_IDLE_SECONDS EXECUTOR_SESSIONS EXECUTOR_SESSIONS_PER_PRINCIPAL EXECUTOR_ARTIFACTS_MB
  EXECUTOR_AUDIT_RETENTION_DAYS
  EXECUTOR_CONCURRENCY EXECUTOR_POOL_TYPESCRIPT EXECUTOR_POOL_PYTHON EXECUTOR_MEMORY_MB EXECUTOR_PROCESSES EXECUTOR_OPEN_FILES
  EXECUTOR_FILE_SIZE_MB EXECUTOR_WORKSPACE_MB EXECUTOR_TMP_MB EXECUTOR_SHM_MB EXECUTOR_INODES
  EXECUTOR_WORKER_MEMORY EXECUTOR_WORKER_CPUS EXECUTOR_PROXY_MEMORY EXECUTOR_OUTBOUND_ALLOW EXECUTOR_OUTBOUND_STRICT EXECUTOR_WORKSPACES_TRUSTED
  EXECUTOR_APPROVAL_TTL_SECONDS EXECUTOR_APPROVAL_LIFE_SECONDS EXECUTOR_APPROVALS_BY_ANOTHER EXECUTOR_ADMIN_TOOLS EXECUTOR_SHIPPED_SKILLS EXECUTOR_APPROVAL_WEBHOOK_URL
  EXECUTOR_PAUSED_SANDBOXES EXECUTOR_PAUSE_KEEP_SECONDS EXECUTOR_PUBLIC_URL
  EXECUTOR_MCP_SESSION_IDLE_SECONDS EXECUTOR_MCP_SESSIONS EXECUTOR_MCP_SESSIONS_PER_PRINCIPAL EXECUTOR_MCP_INBAND_APPROVAL
  EXECUTOR_ANONYMOUS_ROLE EXECUTOR_ANONYMOUS_FORCE EXECUTOR_OIDC_ISSUER EXECUTOR_OIDC_AUDIENCE EXECUTOR_OIDC_ROLE_CLAIM
  EXECUTOR_OIDC_ROLES EXECUTOR_OIDC_DEFAULT_ROLE
  EXECUTOR_SECRET_FILES_DIR EXECUTOR_SECRET_CACHE_SECONDS EXECUTOR_VAULT_ADDR EXECUTOR_VAULT_NAMESPACE EXECUTOR_VAULT_AUTH_MOUNT
  EXECUTOR_VAULT_TOKEN_FILE EXECUTOR_VAULT_ROLE_ID EXECUTOR_VAULT_SECRET_ID_FILE
  EXECUTOR_CONTAINER_RUNTIME EXECUTOR_CONTAINER_CPUS EXECUTOR_CONTAINER_FIRST_UID EXECUTOR_CONTAINERS
  OTEL_EXPORTER_OTLP_ENDPOINT OTEL_TRACES_SAMPLER_ARG)
# Read by deploy.sh itself.
readonly DEPLOY_SETTINGS=(EXECUTOR_HOST EXECUTOR_PORT EXECUTOR_DATA_DIR EXECUTOR_MCP_SERVERS EXECUTOR_MCP_MOUNTS EXECUTOR_COMPOSE_PROJECT
  EXECUTOR_SERVICES_IMAGE EXECUTOR_WORKER_IMAGE EXECUTOR_REDIS_IMAGE EXECUTOR_POSTGRES_IMAGE EXECUTOR_TEST_FIXTURES
  EXECUTOR_SANDBOX EXECUTOR_SANDBOX_IMAGE EXECUTOR_APPROVAL_WEBHOOK_SECRET)

# Sets FLEET_DIR, PROJECT and WORKERS.
locate_fleet() {
  FLEET_DIR=$DATA_DIR/run/fleet
  PROJECT=$(cat "$FLEET_DIR/project" 2>/dev/null || true)
  if [[ -z $PROJECT ]]; then PROJECT=${EXECUTOR_COMPOSE_PROJECT:-code-executor-$(printf %s "$DATA_DIR" | sha256sum | cut -c 1-8)}; fi
  WORKERS=$(cat "$FLEET_DIR/workers" 2>/dev/null || printf 1)
}

# Whether this data directory's program is a fleet.
has_fleet() { [[ -s $DATA_DIR/run/fleet/project ]]; }

fleet_runs() { has_fleet && engine_answers && [[ -n $(docker ps --quiet --filter "label=com.docker.compose.project=$PROJECT") ]]; }

# ---- up

up_fleet() {
  require_engine
  locate_fleet
  [[ -z ${ASKED_WORKERS:-} ]] || WORKERS=$ASKED_WORKERS
  refuse_unknown_settings
  read_fleet_setting_files
  plan_images
  plan_sandboxes
  if answer_running_fleet; then return; fi
  ensure_service_user
  prepare_data_dir
  local reason
  # shellcheck disable=SC2016 # expanded by the inner shell
  reason=$(as_data_owner bash -c 'mkdir -p -m 0700 -- "$1" "$1/fleet" && head -c 65536 /dev/zero >"$1/.probe" && rm -- "$1/.probe"' - "$DATA_DIR/run" 2>&1) ||
    refuse_data_dir "$reason"
  take_turn
  if answer_running_fleet; then return; fi
  prepare_images
  prepare_sandboxes
  refuse_taken_fleet_port
  open_mounted_files
  prepare_secrets
  write_fleet_record
  start_fleet
  run_first_program_of_fleet
  introduce
}

refuse_unknown_settings() {
  local name
  while IFS= read -r name; do
    [[ " ${FLEET_SETTINGS[*]} ${DEPLOY_SETTINGS[*]} " == *" $name "* || " ${FLEET_SETTINGS[*]} ${DEPLOY_SETTINGS[*]} " == *" ${name%_FILE} "* ]] ||
      die "$EXIT_NOT_READY" "$name is no setting of the Docker form: docs/configuration.md lists those there are."
  done < <(compgen -e | grep '^EXECUTOR_' || true)
}

# EXECUTOR_X_FILE is a file of this machine: containers get what is in it. Those that are settings themselves are files of theirs.
read_fleet_setting_files() {
  local name file
  for name in "${FLEET_SETTINGS[@]}" EXECUTOR_APPROVAL_WEBHOOK_SECRET; do
    file=${name}_FILE
    [[ -n ${!file:-} ]] || continue
    [[ -z ${!name:-} ]] || die "$EXIT_NOT_READY" "$name and $file are both set; keep one."
    printf -v "$name" %s "$(cat -- "${!file}" 2>/dev/null)"
    [[ -n ${!name} ]] || die "$EXIT_NOT_READY" "$file: ${!file} is empty or cannot be read."
  done
}

answer_running_fleet() {
  fleet_runs || return 1
  local changed
  changed=$(changed_fleet_settings)
  if [[ -n $changed ]]; then
    die "$EXIT_FAILED" "It runs already (Compose project $PROJECT) with other settings ($changed), and programs may be running in it: './deploy.sh down && ./deploy.sh up' takes the new ones over."
  fi
  if [[ -n ${ASKED_WORKERS:-} ]]; then scale_fleet; fi
  say "✓ It runs already (Compose project $PROJECT)."
  wait_until_healthy || die "$EXIT_NOT_READY" "It runs but is not ready: './deploy.sh logs' shows why, './deploy.sh down && ./deploy.sh up' starts it afresh."
  introduce
}

fleet_environment() {
  local name
  printf '%s\n' "EXECUTOR_HOST=$HOST" "EXECUTOR_PORT=$PORT" "EXECUTOR_SECRETS_DIR=$DATA_DIR/secrets" \
    "EXECUTOR_SERVICES_IMAGE=$SERVICES_IMAGE" "EXECUTOR_WORKER_IMAGE=$WORKER_IMAGE" "EXECUTOR_REDIS_IMAGE=$REDIS_IMAGE" "EXECUTOR_POSTGRES_IMAGE=$POSTGRES_IMAGE"
  sandbox_environment
  # The gateway reads its keys.
  if [[ -n ${EXECUTOR_OIDC_ISSUER:-} ]]; then printf 'EXECUTOR_EDGE_MASQUERADE=true\n'; fi
  # The containers read it from a file (secrets.sh); here it only tells whether it has changed.
  if [[ -n ${EXECUTOR_APPROVAL_WEBHOOK_SECRET:-} ]]; then
    printf 'EXECUTOR_APPROVAL_WEBHOOK_SECRET=%s\n' "$(printf %s "$EXECUTOR_APPROVAL_WEBHOOK_SECRET" | sha256sum | cut -c 1-64)"
  fi
  for name in "${FLEET_SETTINGS[@]}"; do
    if [[ -n ${!name:-} ]]; then printf '%s=%s\n' "$name" "${!name//[$'\n\r']/ }"; fi
  done
}

fleet_mounts() {
  local mount path mounts=${EXECUTOR_MCP_MOUNTS:-} secrets=${EXECUTOR_SECRET_FILES_DIR:-}
  [[ -n $mounts$secrets ]] || return 0
  printf 'version: "3.8"\nservices:\n  mcp-proxy:\n    volumes:\n'
  for mount in ${secrets//,/ }; do
    path=$(realpath -e -- "$mount") || die "$EXIT_USAGE" "EXECUTOR_SECRET_FILES_DIR names $mount, which is not there."
    printf '      - "%s:%s:ro"\n' "$path" "$mount"
  done
  for mount in ${mounts//,/ }; do
    path=$(realpath -e -- "${mount%:ro}") || die "$EXIT_USAGE" "EXECUTOR_MCP_MOUNTS names ${mount%:ro}, which is not there."
    if [[ $mount == *:ro ]]; then printf '      - "%s:%s:ro"\n' "$path" "$path"; else printf '      - "%s:%s"\n' "$path" "$path"; fi
  done
}

# Names of settings that differ from those it was started with.
changed_fleet_settings() {
  {
    comm -3 <(sort "$FLEET_DIR/fleet.env" 2>/dev/null) <(fleet_environment | sort) | sed -E 's/^\t?//; s/=.*//' |
      sed -E 's/^EXECUTOR_(SERVICES|WORKER|SANDBOX)_IMAGE$/the checkout/'
    cmp -s <(cat "$FLEET_DIR/mounts.yml" 2>/dev/null) <(fleet_mounts) || printf 'EXECUTOR_MCP_MOUNTS\n'
  } | sort -u | paste -sd, | sed 's/,/, /g'
}

write_fleet_record() {
  local mounts
  mounts=$(fleet_mounts)
  # shellcheck disable=SC2016 # expanded by the inner shell
  as_data_owner bash -c 'umask 077; cd -- "$1" && printf "%s\n" "$2" >project && printf "%s\n" "$3" >fleet.env && printf "%s\n" "$4" >workers &&
    if [[ -n $5 ]]; then printf "%s\n" "$5" >mounts.yml; else rm -f mounts.yml; fi' - "$FLEET_DIR" "$PROJECT" "$(fleet_environment)" "$WORKERS" "$mounts"
}

# Where there is no Node of ours, who answers on the port is asked: that it is taken is all that can be said.
refuse_taken_fleet_port() {
  local sentence
  if choose_node; then
    sentence=$("$NODE" "$ROOT/deploy/check-port.ts" "$HOST" "$PORT") || die "$EXIT_PORT" "$sentence"
  elif timeout 2 bash -c 'exec 3<>"/dev/tcp/$1/$2"' - "$(reachable_host)" "$PORT" 2>/dev/null; then
    die "$EXIT_PORT" "Port $PORT is in use by another program: stop it, or choose another port with EXECUTOR_PORT=$((PORT == 9091 ? 9191 : 9091))."
  fi
}

reachable_host() {
  case $HOST in
    0.0.0.0 | '::' | '[::]') printf 127.0.0.1 ;;
    *) printf %s "${HOST//[\[\]]/}" ;;
  esac
}

# Containers read these files under other uids than the checkout's owner.
open_mounted_files() {
  chmod go+r -- "$ROOT"/deploy/redis/redis.conf "$ROOT"/deploy/postgres/create-role.sh 2>/dev/null || true
}

start_fleet() {
  local log_file code=0
  log_file=$(mktemp)
  with_progress "Starting the fleet with $WORKERS worker$( ((WORKERS == 1)) || printf s)" "$log_file" \
    compose_within "$FLEET_TIMEOUT_SECONDS" up --detach --no-build --remove-orphans --scale "worker=$WORKERS" || code=$?
  if ((code == 0)) && wait_until_healthy; then
    rm -f -- "$log_file"
    return
  fi
  local reason=$code
  if ((code)); then show_tail "$log_file" 6; fi
  if grep -qE 'port is already allocated|address already in use' "$log_file"; then reason=port; fi
  rm -f -- "$log_file"
  show_what_is_unwell
  compose stop --timeout 5 >/dev/null 2>&1 || true
  if [[ $reason == port ]]; then die "$EXIT_PORT" "Port $PORT is in use by another program: stop it, or choose another port with EXECUTOR_PORT=9191."; fi
  die "$EXIT_NOT_READY" "The fleet did not become ready and was stopped; the reason is above. './deploy.sh logs' has all, './deploy.sh doctor' checks what it needs."
}

compose_within() {
  local seconds=$1
  shift
  compose "$@" &
  local pid=$! waited=0
  while kill -0 "$pid" 2>/dev/null; do
    if ((waited++ >= seconds * 2)); then
      kill -TERM "$pid" 2>/dev/null || true
      printf 'docker-compose took longer than %s s\n' "$seconds"
      return 124
    fi
    sleep 0.5
  done
  wait "$pid"
}

# "SERVICE STATE" of each container, STATE being healthy, starting, unhealthy, exited …
container_states() {
  docker ps --all --filter "label=com.docker.compose.project=$PROJECT" --format '{{.Label "com.docker.compose.service"}}|{{.State}}|{{.Status}}' |
    sed -E 's/\|running\|.*\((healthy|unhealthy)\)$/ \1/; s/\|running\|.*\(health: starting\)$/ starting/; s/\|([a-z]+)\|.*/ \1/'
}

wait_until_healthy() {
  local started=$SECONDS states waiting shown=''
  while ((SECONDS - started < FLEET_TIMEOUT_SECONDS)); do
    states=$(container_states)
    waiting=$(awk '$2 != "healthy" {printf "%s%s (%s)", sep, $1, $2; sep = ", "}' <<<"$states")
    if [[ -z $waiting ]] && (($(grep -c '^worker ' <<<"$states") >= WORKERS)); then
      if [[ -t 1 ]]; then printf '\r\033[K'; fi
      return 0
    fi
    if [[ -t 1 ]]; then printf '\r\033[KNot ready yet: %s' "$waiting"; elif [[ $waiting != "$shown" ]]; then say "Not ready yet: $waiting …"; fi
    shown=$waiting
    sleep 0.5
  done
  return 1
}

show_what_is_unwell() {
  local service state
  while read -r service state; do
    [[ $state != healthy ]] || continue
    printf '  %s is %s:\n' "$service" "$state" >&2
    compose logs --no-color --tail 8 "$service" 2>&1 | show_tail /dev/stdin 8
  done < <(container_states | sort -u)
}

# A script of deploy/ with this machine's Node 24, or with the image's.
fleet_node() {
  if choose_node; then
    "$NODE" "$@"
  else
    docker run --rm --interactive --network host --user "$(id -u):$(id -g)" --entrypoint node --volume "$ROOT/deploy:$ROOT/deploy:ro" \
      --volume "$DATA_DIR/admin.key:$DATA_DIR/admin.key:ro" "$SERVICES_IMAGE" "$@"
  fi
}

# Only what a servers file refers to is handed on.
fleet_node_with_environment() {
  if choose_node; then
    "$NODE" "$@"
    return
  fi
  local options=() name
  while IFS= read -r name; do
    if [[ -n ${!name:-} ]]; then options+=(--env "$name"); fi
  done < <(grep -oE '\$\{(env:)?[A-Za-z_][A-Za-z0-9_]*' -- "$SERVERS_FILE" 2>/dev/null | sed -E 's/^\$\{(env:)?//' | sort -u)
  docker run --rm --interactive --network none "${options[@]}" --entrypoint node --volume "$ROOT/deploy:$ROOT/deploy:ro" "$SERVICES_IMAGE" "$@"
}

run_first_program_of_fleet() {
  fleet_node "$ROOT/deploy/run-first-program.ts" "$URL" "$DATA_DIR/admin.key" ||
    die "$EXIT_FAILED" "The fleet is up at $URL, but the first program failed; './deploy.sh logs' and './deploy.sh doctor' say more."
}

# ---- down, status, logs, scale

down_fleet() {
  require_engine
  if [[ -z $(docker ps --all --quiet --filter "label=com.docker.compose.project=$PROJECT") ]]; then
    say "Not running (Compose project $PROJECT, data directory $DATA_DIR)."
    return 0
  fi
  local log_file code=0
  log_file=$(mktemp)
  with_progress 'Stopping the fleet' "$log_file" compose down --remove-orphans || code=$?
  ((code == 0)) || show_tail "$log_file" 6
  rm -f -- "$log_file"
  ((code == 0)) || die "$EXIT_FAILED" 'The fleet could not be stopped; the last lines are above.'
  say "✓ Stopped (Compose project $PROJECT). Its volumes are kept: './deploy.sh up' goes on with them."
}

status_fleet() {
  require_engine
  if ! fleet_runs; then
    say "Not running (Compose project $PROJECT, data directory $DATA_DIR). './deploy.sh up' starts it."
    return "$EXIT_NOT_RUNNING"
  fi
  recall_fleet_address
  say "Running: Compose project $PROJECT, $URL, data directory $DATA_DIR"
  container_states | sort | uniq -c | awk '{printf "  %-10s %d %s\n", $2, $1, $3}'
  fleet_node "$ROOT/deploy/show-health.ts" "$URL" || return "$EXIT_FAILED"
  container_states | awk '$2 != "healthy" {exit 1}' || return "$EXIT_FAILED"
}

# Where it was started, whatever the caller's environment says now.
recall_fleet_address() {
  local recorded
  recorded=$(sed -n 's/^EXECUTOR_HOST=//p' "$FLEET_DIR/fleet.env") && HOST=${recorded:-$HOST}
  recorded=$(sed -n 's/^EXECUTOR_PORT=//p' "$FLEET_DIR/fleet.env") && PORT=${recorded:-$PORT}
  SERVICES_IMAGE=$(sed -n 's/^EXECUTOR_SERVICES_IMAGE=//p' "$FLEET_DIR/fleet.env")
  URL=http://$(url_host "$HOST"):$PORT
}

logs_fleet() {
  require_engine
  case ${1:-} in
    '') compose logs --tail 100 ;;
    -f) compose logs --tail 100 --follow ;;
    *) die "$EXIT_USAGE" 'usage: ./deploy.sh logs [-f]' ;;
  esac
}

scale() {
  [[ $# == 1 && $1 =~ ^[1-9][0-9]{0,2}$ ]] || die "$EXIT_USAGE" 'usage: ./deploy.sh scale WORKERS'
  settle
  locate_fleet
  require_engine
  fleet_runs || die "$EXIT_NOT_RUNNING" "No fleet runs for $DATA_DIR: './deploy.sh up --docker --workers $1' starts one."
  WORKERS=$1
  scale_fleet
}

scale_fleet() {
  local log_file code=0
  log_file=$(mktemp)
  with_progress "Scaling to $WORKERS worker$( ((WORKERS == 1)) || printf s)" "$log_file" \
    compose_within "$FLEET_TIMEOUT_SECONDS" up --detach --no-build --no-recreate --scale "worker=$WORKERS" || code=$?
  ((code == 0)) || show_tail "$log_file" 6
  rm -f -- "$log_file"
  ((code == 0)) || die "$EXIT_FAILED" 'The number of workers could not be changed; the last lines are above.'
  # shellcheck disable=SC2016 # expanded by the inner shell
  as_data_owner bash -c 'printf "%s\n" "$2" >"$1"' - "$FLEET_DIR/workers" "$WORKERS"
  wait_until_healthy || die "$EXIT_NOT_READY" "Not every worker became ready: './deploy.sh logs' shows why."
}
