# shellcheck shell=bash
# `up`: from a fresh checkout to a service that has answered a first program.

readonly READY_TIMEOUT_SECONDS=120

up() {
  parse_form "$@"
  settle
  choose_form
  if [[ $FORM == docker ]]; then up_fleet; else up_embedded; fi
}

up_embedded() {
  if answer_running; then return; fi
  prepare_system_packages
  ensure_service_user
  prepare_dependencies
  prepare_data_dir
  plan_environment
  plan_view "$ROOT" "$DATA_DIR" "$(servers_file_view)" "${EXECUTOR_PYTHON_PACKAGES_DIR:-}"
  prove_data_dir_writable
  take_turn
  # Another `up` may have started it while this one waited for its turn.
  if answer_running; then return; fi
  namespaces_work || die "$EXIT_PREREQUISITE" "No sandbox can be made. $(why_no_namespaces)"
  [[ -n $(bun_path) ]] || warn "There is no Bun for this machine ($(uname -m)): TypeScript programs will not run."
  plan_settings
  show_servers_file_warnings
  refuse_taken_port
  start_service
  write_record
  wait_until_ready
  run_first_program
  introduce
}

# Sets ASKED_FORM and ASKED_WORKERS from the command line.
parse_form() {
  ASKED_FORM='' ASKED_WORKERS=''
  while (($#)); do
    case "$1 ${2:-}" in
      '--embedded '*) ASKED_FORM=embedded ;;
      '--docker '*) ASKED_FORM=docker ;;
      '--workers '[1-9] | '--workers '[1-9][0-9] | '--workers '[1-9][0-9][0-9])
        ASKED_WORKERS=$2
        shift
        ;;
      *) die "$EXIT_USAGE" 'usage: ./deploy.sh up [--embedded | --docker [--workers N]]' ;;
    esac
    shift
  done
  if [[ -n $ASKED_WORKERS && $ASKED_FORM == embedded ]]; then die "$EXIT_USAGE" "'--workers' belongs to the Docker form: the embedded form is one process."; fi
  if [[ -n $ASKED_WORKERS ]]; then ASKED_FORM=docker; fi
}

# Sets FORM. What a data directory was begun with it stays, because the other form does not see its history; a new one
# becomes a fleet where a Docker engine with Compose answers.
choose_form() {
  locate_fleet
  local used=
  if has_fleet; then used=docker; elif [[ -d $DATA_DIR/database ]]; then used=embedded; fi
  if [[ -n $ASKED_FORM ]]; then
    FORM=$ASKED_FORM
  elif [[ -n $used ]]; then
    FORM=$used
    if [[ $used == embedded ]] && engine_answers && ! find_running; then
      say "A Docker engine answers here, but the history in $DATA_DIR is the embedded form's: staying with it ('./deploy.sh up --docker' starts a fleet beside it, which does not see it)."
    fi
  elif engine_answers && choose_compose; then
    FORM=docker
  else
    FORM=embedded
  fi
  if [[ $FORM == docker ]] && find_running; then
    die "$EXIT_FAILED" "The embedded form runs in $DATA_DIR (pid $SERVICE_PID): './deploy.sh down' first."
  fi
  if [[ $FORM == embedded ]] && fleet_runs; then
    die "$EXIT_FAILED" "The Docker form runs for $DATA_DIR (Compose project $PROJECT): './deploy.sh down' first."
  fi
}

# Where it runs already: says so and returns 0, or ends with what to do. Returns 1 where it does not run.
answer_running() {
  find_running || return 1
  choose_node || die "$EXIT_PREREQUISITE" "It runs (pid $SERVICE_PID), but there is no Node $NODE_MAJOR_NEEDED here to ask it with."
  plan_settings
  local changed
  changed=$(changed_settings)
  if [[ -n $changed ]]; then
    die "$EXIT_FAILED" "It runs already (pid $SERVICE_PID, $RECORDED_URL) with other settings ($changed), and programs may be running in it: './deploy.sh down && ./deploy.sh up' takes the new ones over."
  fi
  say "✓ It runs already (pid $SERVICE_PID)."
  URL=$RECORDED_URL
  "$NODE" "$ROOT/deploy/wait-until-ready.ts" "$URL" "$SERVICE_PID" "$READY_TIMEOUT_SECONDS" || die "$EXIT_NOT_READY" \
    "It runs but is not ready: './deploy.sh logs' shows why, './deploy.sh down && ./deploy.sh up' starts it afresh."
  if checkout_is_newer; then say "! The checkout has changed since it was started: './deploy.sh down && ./deploy.sh up' takes that over."; fi
  introduce
}

checkout_is_newer() {
  [[ -n $(find "$ROOT"/{packages,services,sandbox-image,wrappers,package-lock.json} -name node_modules -prune -o -type f \
    ! -name '*.test.ts' -newer "$DATA_DIR/run/service" -print -quit 2>/dev/null) ]]
}

# One `up` at a time per data directory; the lock is freed with the descriptor.
take_turn() {
  exec 9<"$DATA_DIR/run"
  flock -w "$READY_TIMEOUT_SECONDS" 9 || die "$EXIT_NOT_READY" "Another './deploy.sh up' for $DATA_DIR has been at work for $READY_TIMEOUT_SECONDS s: wait for it to end."
}

show_servers_file_warnings() {
  in_view "${SETTINGS[@]}" "$NODE" "$ROOT/deploy/check-servers-file.ts" "$SERVERS_FILE" "$SERVICE_USER" "$([[ $EUID == 0 ]] || printf 'sudo ')" >&2 || true
}

refuse_taken_port() {
  local sentence
  sentence=$("$NODE" "$ROOT/deploy/check-port.ts" "$HOST" "$PORT") || die "$EXIT_PORT" "$sentence"
}

wait_until_ready() {
  local code=0 exit_code=0
  "$NODE" "$ROOT/deploy/wait-until-ready.ts" "$URL" "$SERVICE_PID" "$READY_TIMEOUT_SECONDS" || code=$?
  ((code != 0)) || return 0
  if ((code == 3)); then
    wait "$SERVICE_PID" || exit_code=$?
    show_log_tail
    clear_record
    if ((exit_code == 78)); then
      die "$EXIT_NOT_READY" "The service did not start because of its configuration; the line above says which setting is wrong."
    fi
    die "$EXIT_NOT_READY" "The service ended while it started (exit code $exit_code); its last lines are above, all of them in $DATA_DIR/logs/service.log."
  fi
  show_log_tail
  stop_service
  die "$EXIT_NOT_READY" "The service was not ready within $READY_TIMEOUT_SECONDS s and was stopped; the reason is above. './deploy.sh doctor' checks what it needs."
}

run_first_program() {
  "$NODE" "$ROOT/deploy/run-first-program.ts" "$URL" "$DATA_DIR/admin.key" ||
    die "$EXIT_FAILED" "The service is up at $URL, but the first program failed; './deploy.sh doctor' checks what it needs."
}

# The CLI as it finds this very service and its key.
cli_command() {
  local settings=''
  [[ $URL == http://127.0.0.1:9091 ]] || settings="EXECUTOR_URL=$URL "
  [[ $DATA_DIR == "${HOME:-}/.code-executor" ]] || settings+="EXECUTOR_DATA_DIR=$(printf %q "$DATA_DIR") "
  printf '%s%q' "$settings" "$ROOT/executor"
}

introduce() {
  local key_file=$DATA_DIR/admin.key
  say ''
  say "URL       $URL   (API description: $URL/docs)"
  say "Key file  $key_file"
  say 'Try it:'
  say ''
  say "  curl -sS $URL/execute -H \"Authorization: Bearer \$(cat $(printf %q "$key_file"))\" -H 'Content-Type: application/json' -d '{\"language\":\"typescript\",\"code\":\"return 6 * 7\"}'"
  say "  echo 'return 6 * 7' | $(cli_command) run -      # the CLI: $ROOT/executor --help"
  say ''
}
