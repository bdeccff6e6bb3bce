# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with the other parts
# `doctor`: every prerequisite, one line each, and under what fails how to mend it. Changes nothing.

doctor() {
  (($# == 0)) || die "$EXIT_USAGE" "'doctor' takes no arguments."
  settle
  FAULTS=0
  if is_fleet; then
    NODE='' SERVICE_ENV=("HOME=$SERVICE_HOME" "PATH=$PATH") VIEW_BLOCKERS=() VIEW_PATHS=()
    doctor_fleet
    sum_up
    return
  fi
  NODE='' SERVICE_ENV=("HOME=$SERVICE_HOME" "PATH=$PATH") VIEW_BLOCKERS=() VIEW_PATHS=()
  check_account
  if [[ -n $SERVICE_UID ]]; then
    plan_environment
    plan_view_quietly
  fi
  check_dependencies
  check_system_packages
  if [[ -n $SERVICE_UID ]]; then check_namespaces; fi
  check_kernel
  check_data_dir
  check_resources
  if [[ -n $NODE ]]; then
    check_servers_file
    check_service
  else
    unsure 'MCP servers file, port, service: cannot be checked without Node 24' "./deploy.sh up"
  fi
  say_which_form
  sum_up
}

sum_up() {
  say ''
  if ((FAULTS)); then
    say "$FAULTS to mend."
    return "$EXIT_FAILED"
  fi
  say 'Nothing to mend.'
}

say_which_form() {
  if engine_answers && choose_compose; then
    if [[ -d $DATA_DIR/database ]]; then good 'a Docker engine answers; this data directory is the embedded form'"'"'s'; else good "a Docker engine answers: './deploy.sh up' takes the Docker form"; fi
  else
    good "no Docker engine that '$(id -un)' may use: './deploy.sh up' takes the embedded form"
    local reason
    if command -v docker >/dev/null && ! reason=$(why_no_engine); then say "    for the Docker form: $reason"; fi
  fi
}

good() { say "✓ $1"; }
bad() {
  FAULTS=$((FAULTS + 1))
  say "✗ $1"
  say "    mend: $2"
}
unsure() {
  say "! $1"
  say "    ${2:+mend: $2}"
}

check_account() {
  if [[ -n $SERVICE_UID ]]; then
    good "runs as '$SERVICE_USER' (uid $SERVICE_UID)"
  else
    unsure "the account '$SERVICE_USER' is not made yet" './deploy.sh up makes it'
  fi
}

plan_view_quietly() {
  # `die` inside would end the doctor before it has told the rest.
  local reason
  if reason=$(plan_view "$ROOT" "$DATA_DIR" "$(servers_file_view)" 2>&1); then
    plan_view "$ROOT" "$DATA_DIR" "$(servers_file_view)"
    if ((${#VIEW_BLOCKERS[@]})); then good "'$SERVICE_USER' cannot enter ${VIEW_BLOCKERS[*]}: it is shown what it needs in a private mount namespace"; fi
  else
    bad "${reason#✗ }" 'as it says'
  fi
}

check_dependencies() {
  local major
  major=$(node_major "$(command -v node || true)")
  if choose_node; then
    good "Node $("$NODE" --version) ($NODE)"
  elif ((major >= NPM_NODE_MAJOR_NEEDED)); then
    bad "Node $NODE_MAJOR_NEEDED is not here yet" './deploy.sh up brings it from npm'
  else
    bad "Node $NPM_NODE_MAJOR_NEEDED or newer is missing" 'install it from https://nodejs.org/en/download'
  fi
  if command -v npm >/dev/null; then good "npm $(npm --version 2>/dev/null)"; else unsure 'npm is missing' 'it comes with Node; needed to install the dependencies'; fi
  if { [[ -n $NODE ]] || ((major > 0)); } && dependencies_are_current; then
    good 'the dependencies are those of the lockfile'
  else
    bad 'the dependencies are missing or not those of the lockfile' './deploy.sh down && ./deploy.sh up'
  fi
  local bun
  if bun=$(bun_path) && "$bun" --version >/dev/null 2>&1; then
    good "Bun $("$bun" --version) ($bun)"
  else
    bad "no Bun that runs on this machine ($(uname -m))" "rm -rf $ROOT/node_modules && ./deploy.sh up"
  fi
}

check_system_packages() {
  if has_python; then
    good "$("$(system_command python3)" --version 2>&1) ($(system_command python3))"
  else
    bad 'Python 3 is missing: Python programs do not run' "$(install_command python3)"
  fi
  if has_compiler; then good 'C compiler: sandboxes are made by our launcher'; fi
  if has_bubblewrap; then good "$(bwrap --version) ($(system_command bwrap))"; fi
  if ! has_compiler && ! has_bubblewrap; then
    bad 'neither bubblewrap nor a C compiler: no sandbox can be made' "$(install_command bubblewrap gcc libc6-dev)"
  elif ! has_compiler; then
    unsure 'no C compiler: sandboxes are made by bubblewrap, which is slower' "$(install_command gcc libc6-dev)"
  elif ! has_bubblewrap; then
    unsure 'no bubblewrap: stdio MCP servers are not started' "$(install_command bubblewrap)"
  fi
}

check_namespaces() {
  if namespaces_work; then good "'$SERVICE_USER' can make user namespaces"; else bad 'user namespaces do not work: no sandbox can be made' "$(why_no_namespaces)"; fi
}

check_kernel() {
  if grep -q '^Seccomp:' /proc/self/status; then good 'seccomp is there'; else bad 'this kernel has no seccomp' 'use a kernel with CONFIG_SECCOMP_FILTER'; fi
  case $(setting kernel/apparmor_restrict_unprivileged_userns) in
    1) unsure 'AppArmor restricts user namespaces' 'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0' ;;
    *) good 'AppArmor does not restrict user namespaces' ;;
  esac
  local group
  group=$(sed -n 's/^0:://p' /proc/self/cgroup)
  if [[ -n $group && -w /sys/fs/cgroup$group/cgroup.procs ]]; then
    good 'cgroup v2 is writable here'
  else
    good 'no writable cgroup v2: memory is watched by sampling'
  fi
}

check_data_dir() {
  if [[ ! -e $DATA_DIR ]]; then
    unsure "the data directory $DATA_DIR is not made yet" './deploy.sh up makes it'
  elif [[ -n $SERVICE_UID ]] && in_view test -w "$DATA_DIR" -a -x "$DATA_DIR"; then
    good "the data directory $DATA_DIR can be written"
  else
    bad "the data directory $DATA_DIR cannot be written by '$SERVICE_USER'" "$(owner_command "$DATA_DIR")"
  fi
}

check_resources() {
  local place=$DATA_DIR free_kb memory_kb
  while [[ ! -d $place ]]; do place=$(dirname -- "$place"); done
  free_kb=$(df -Pk -- "$place" | awk 'NR == 2 {print $4}')
  if ((free_kb > 1048576)); then good "$((free_kb / 1048576)) GB free for the data directory"; else bad "only $((free_kb / 1024)) MB free for the data directory" "free at least 1 GB on the disk of $place"; fi
  memory_kb=$(awk '$1 == "MemAvailable:" {print $2}' /proc/meminfo)
  if ((memory_kb > 1048576)); then
    good "$((memory_kb / 1048576)) GB of memory available"
  else
    unsure "only $((memory_kb / 1024)) MB of memory available" 'the service takes about 600 MB, and each program up to 256 MB'
  fi
}

check_servers_file() {
  if [[ ! -e $SERVERS_FILE ]]; then
    good "no MCP servers file ($SERVERS_FILE): no servers at start"
    return
  fi
  plan_settings
  local report code=0
  report=$(in_view "${SETTINGS[@]}" "$NODE" "$ROOT/deploy/check-servers-file.ts" "$SERVERS_FILE" "$SERVICE_USER" "$([[ $EUID == 0 ]] || printf 'sudo ')" 2>&1) || code=$?
  if ((code)); then
    bad "the MCP servers file $SERVERS_FILE cannot be used" "${report#! }"
  elif [[ -n $report ]]; then
    say "$report"
  else
    good "the MCP servers file $SERVERS_FILE can be used"
  fi
}

check_service() {
  local sentence
  if find_running; then
    if sentence=$("$NODE" "$ROOT/deploy/show-health.ts" "$RECORDED_URL" 2>&1); then
      good "the service runs (pid $SERVICE_PID, $RECORDED_URL)"
    else
      bad "the service runs (pid $SERVICE_PID), but is not well" "$(tail -n 1 <<<"$sentence")  (./deploy.sh logs)"
    fi
  elif sentence=$("$NODE" "$ROOT/deploy/check-port.ts" "$HOST" "$PORT"); then
    good "the service does not run; port $PORT is free"
  else
    bad "${sentence%%:*}" "${sentence#*: }"
  fi
}
