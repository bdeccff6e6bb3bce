# shellcheck shell=bash disable=SC2153 # SERVICE_UID is set by identity.sh
# The running service: its record in the data directory (run/), starting it, and `down`, `status`, `logs`.
#   run/service   "PID START_TIME": the start time (clock ticks since boot) tells a recycled pid from ours
#   run/url       where it listens, as this machine reaches it
#   run/settings  one line per setting it was started with, "NAME SHA-256"; values may be secrets

readonly STOP_GRACE_SECONDS=20

settle() {
  read_setting_files
  resolve_identity
  resolve_data_dir
  HOST=${EXECUTOR_HOST:-127.0.0.1}
  PORT=${EXECUTOR_PORT:-9091}
  if [[ -n ${EXECUTOR_PYTHON_PACKAGES_DIR:-} ]]; then EXECUTOR_PYTHON_PACKAGES_DIR=$(realpath -m -- "$EXECUTOR_PYTHON_PACKAGES_DIR"); fi
  URL=http://$(url_host "$HOST"):$PORT
}

# EXECUTOR_X_FILE of the settings that deploy.sh itself must know.
read_setting_files() {
  local name file
  for name in EXECUTOR_HOST EXECUTOR_PORT EXECUTOR_DATA_DIR EXECUTOR_MCP_SERVERS; do
    file=${name}_FILE
    if [[ -n ${!file:-} && -z ${!name:-} ]]; then
      printf -v "$name" %s "$(cat -- "${!file}")"
      unset "$file"
    fi
  done
}

url_host() {
  case $1 in
    0.0.0.0 | localhost) printf 127.0.0.1 ;;
    :: | '[::]') printf '[::1]' ;;
    \[*) printf %s "$1" ;;
    *:*) printf '[%s]' "$1" ;;
    *) printf %s "$1" ;;
  esac
}

# ---- the record

# Sets SERVICE_PID where the recorded service is alive, and RECORDED_URL.
find_running() {
  SERVICE_PID='' RECORDED_URL=''
  local pid started
  read -r pid started 2>/dev/null <"$DATA_DIR/run/service" || return 1
  [[ $pid =~ ^[0-9]+$ && -n $started && $(start_time "$pid") == "$started" ]] || return 1
  # The record lies where the service's account writes: nothing of another user's is ever taken for it.
  [[ $(stat -c %u "/proc/$pid" 2>/dev/null) == "$SERVICE_UID" ]] || return 1
  SERVICE_PID=$pid
  RECORDED_URL=$(cat "$DATA_DIR/run/url" 2>/dev/null || printf %s "$URL")
}

# Field 22 of /proc/PID/stat; nothing where there is no such process, or only its zombie.
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  local fields
  read -r -a fields <<<"${stat##*) }"
  [[ ${fields[0]} == Z ]] || printf %s "${fields[19]}"
}

write_record() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  in_view bash -c 'umask 077; cd -- "$1/run" && printf "%s\n" "$2" >service && printf "%s\n" "$3" >url && printf "%s\n" "$4" >settings' - \
    "$DATA_DIR" "$SERVICE_PID $(start_time "$SERVICE_PID")" "$URL" "$(settings_now)"
}

clear_record() { as_service_user rm -f -- "$DATA_DIR/run/service" 2>/dev/null || rm -f -- "$DATA_DIR/run/service"; }

settings_now() {
  local setting
  printf '%s\n' "checkout=$ROOT" "${SETTINGS[@]}" | sort | while IFS= read -r setting; do
    printf '%s %s\n' "${setting%%=*}" "$(printf %s "${setting#*=}" | sha256sum | cut -c 1-64)"
  done
}

# Names of settings that differ from those it was started with.
changed_settings() {
  comm -3 <(sort "$DATA_DIR/run/settings" 2>/dev/null) <(settings_now | sort) | awk '{print $1}' | sort -u | paste -sd' '
}

# Sets SETTINGS: what the service gets beside SERVICE_ENV.
plan_settings() {
  SETTINGS=("EXECUTOR_HOST=$HOST" "EXECUTOR_PORT=$PORT" "EXECUTOR_DATA_DIR=$DATA_DIR" "EXECUTOR_MCP_SERVERS=$SERVERS_FILE")
  local name
  while IFS= read -r name; do
    case $name in
      EXECUTOR_HOST | EXECUTOR_PORT | EXECUTOR_DATA_DIR | EXECUTOR_MCP_SERVERS | EXECUTOR_TEST_*) ;;
      EXECUTOR_* | OTEL_* | DATABASE_URL | REDIS_URL) SETTINGS+=("$name=${!name}") ;;
    esac
  done < <(compgen -e)
  # What the servers file refers to as ${NAME} comes from the caller's environment, and nothing else of it.
  while IFS= read -r name; do
    if [[ -n ${!name:-} && $name != EXECUTOR_* && $name != OTEL_* ]]; then SETTINGS+=("$name=${!name}"); fi
  done < <(grep -oE '\$\{(env:)?[A-Za-z_][A-Za-z0-9_]*' -- "$SERVERS_FILE" 2>/dev/null | sed -E 's/^\$\{(env:)?//' | sort -u)
}

# ---- starting and stopping

# Starts it in a session of its own; sets SERVICE_PID. Every word before `node` replaces itself, so the pid is the service's.
start_service() {
  rotate_log
  LOG_START=$(stat -c %s -- "$DATA_DIR/logs/service.log")
  view_command
  # shellcheck disable=SC2016 # expanded by the inner shell
  setsid "${VIEW_COMMAND[@]}" "${SETTINGS[@]}" bash -c 'ulimit -c 0 && cd -- "$1" && exec "$2" services/standalone/src/main.ts >>"$3" 2>&1' - \
    "$ROOT" "$NODE" "$DATA_DIR/logs/service.log" </dev/null >/dev/null 2>&1 9>&- &
  SERVICE_PID=$!
}

# The end of what the service has logged since this start.
show_log_tail() { tail -c "+$((LOG_START + 1))" -- "$DATA_DIR/logs/service.log" 2>/dev/null | show_tail /dev/stdin 15; }

rotate_log() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  in_view bash -c '
    umask 077; cd -- "$1/logs" || exit
    if [[ -f service.log ]] && (($(stat -c %s service.log) > 10485760)); then
      for number in 3 2 1; do [[ ! -f service.log.$number ]] || mv -f service.log.$number service.log.$((number + 1)); done
      mv -f service.log service.log.1; rm -f service.log.4
    fi
    : >>service.log' - "$DATA_DIR"
}

# Ends SERVICE_PID and everything it started; says how many had to be killed.
stop_service() {
  local tree=() entry killed=0 waited=0
  mapfile -t tree < <(descendants "$SERVICE_PID")
  local started
  started=$(start_time "$SERVICE_PID")
  kill -TERM "$SERVICE_PID" 2>/dev/null || true
  while [[ -n $started && $(start_time "$SERVICE_PID") == "$started" ]]; do
    if ((waited++ >= STOP_GRACE_SECONDS * 10)); then
      warn "It did not end within $STOP_GRACE_SECONDS s of SIGTERM; killing it."
      kill -KILL "$SERVICE_PID" 2>/dev/null || true
      sleep 0.5
      break
    fi
    sleep 0.1
  done
  # Children end with their parent; those that have not a moment later are killed.
  for ((waited = 0; waited < 20; waited++)); do
    any_alive "${tree[@]}" || break
    sleep 0.1
  done
  for entry in "${tree[@]}"; do
    if [[ $(start_time "${entry% *}") == "${entry#* }" ]] && kill -KILL "${entry% *}" 2>/dev/null; then killed=$((killed + 1)); fi
  done
  ((killed == 0)) || warn "$killed processes that it had started were still there and were killed."
  clear_record
}

any_alive() {
  local entry
  for entry; do [[ $(start_time "${entry% *}") != "${entry#* }" ]] || return 0; done
  return 1
}

# "PID START_TIME" of every process below one.
descendants() {
  local stat fields pid
  local -A parent=() started=()
  for stat in /proc/[0-9]*/stat; do
    stat=$(cat "$stat" 2>/dev/null) || continue
    pid=${stat%% *}
    read -r -a fields <<<"${stat##*) }"
    parent[$pid]=${fields[1]} started[$pid]=${fields[19]}
  done
  local open=("$1") child
  while ((${#open[@]})); do
    pid=${open[0]}
    open=("${open[@]:1}")
    for child in "${!parent[@]}"; do
      if [[ ${parent[$child]} == "$pid" ]]; then
        printf '%s %s\n' "$child" "${started[$child]}"
        open+=("$child")
      fi
    done
  done
}

# ---- commands; a data directory with a fleet's record is asked through Compose (docker/fleet.sh)

is_fleet() {
  locate_fleet
  has_fleet
}

down() {
  (($# == 0)) || die "$EXIT_USAGE" "'down' takes no arguments."
  settle
  refuse_unreadable
  if ! find_running; then
    if is_fleet; then
      down_fleet
      return
    fi
    say "Not running (data directory $DATA_DIR)."
    return 0
  fi
  stop_service
  say "✓ Stopped (pid $SERVICE_PID)."
}

status() {
  (($# == 0)) || die "$EXIT_USAGE" "'status' takes no arguments."
  settle
  refuse_unreadable
  if ! find_running; then
    if is_fleet; then
      status_fleet
      return
    fi
    say "Not running (data directory $DATA_DIR). './deploy.sh up' starts it."
    return "$EXIT_NOT_RUNNING"
  fi
  say "Running: pid $SERVICE_PID as '$SERVICE_USER', $RECORDED_URL, data directory $DATA_DIR"
  choose_node || die "$EXIT_PREREQUISITE" "There is no Node $NODE_MAJOR_NEEDED here to ask it with: './deploy.sh doctor' says what is missing."
  "$NODE" "$ROOT/deploy/show-health.ts" "$RECORDED_URL" || return "$EXIT_FAILED"
}

logs() {
  settle
  refuse_unreadable
  if ! find_running && is_fleet; then
    logs_fleet "$@"
    return
  fi
  local log_file=$DATA_DIR/logs/service.log
  [[ -f $log_file ]] || die "$EXIT_NOT_RUNNING" "There is no log yet ($log_file): './deploy.sh up' starts the service."
  case ${1:-} in
    '') tail -n 100 -- "$log_file" | readable ;;
    -f) tail -n 100 -F -- "$log_file" | readable ;;
    *) die "$EXIT_USAGE" "usage: ./deploy.sh logs [-f]" ;;
  esac
}

# JSON lines as they are for a program, in colours and local time for a person at a terminal.
readable() {
  if [[ -t 1 ]] && choose_node; then
    "$NODE" "$ROOT/node_modules/.bin/pino-pretty" --translateTime SYS:HH:MM:ss --ignore pid,hostname
  else
    cat
  fi
}

refuse_unreadable() {
  [[ ! -d $DATA_DIR || -x $DATA_DIR ]] ||
    die "$EXIT_DATA_DIR" "The data directory $DATA_DIR belongs to $(stat -c %U -- "$DATA_DIR"): ask as that user, or as root."
}
