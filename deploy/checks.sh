# shellcheck shell=bash
# `test`: every check of the project in one go. The last line counts checks and tests, each as one.

run_checks() {
  (($# == 0)) || die "$EXIT_USAGE" "'test' takes no arguments."
  settle
  prepare_system_packages
  ensure_service_user
  prepare_dependencies
  plan_environment
  plan_view "$ROOT" "${EXECUTOR_TEST_FIXTURES:-}"
  PASSED=0 FAILED=0 SKIPPED=0
  TEST_DIR=$(as_service_user mktemp -d /tmp/ce-test.XXXXXX)
  trap 'rm -rf -- "$TEST_DIR"' EXIT
  # Whatever a test starts and forgets carries this variable.
  local mark=CODE_EXECUTOR_TEST_RUN=$$-$RANDOM
  SERVICE_ENV+=("TMPDIR=$TEST_DIR" "$mark")
  if [[ -n ${EXECUTOR_TEST_FIXTURES:-} ]]; then SERVICE_ENV+=("EXECUTOR_TEST_FIXTURES=$EXECUTOR_TEST_FIXTURES"); fi
  if [[ -n ${EXECUTOR_TEST_INSPECTOR:-} ]]; then SERVICE_ENV+=("EXECUTOR_TEST_INSPECTOR=$EXECUTOR_TEST_INSPECTOR"); fi
  if [[ -n ${EXECUTOR_TEST_MOCKS:-} ]]; then SERVICE_ENV+=("EXECUTOR_TEST_MOCKS=$EXECUTOR_TEST_MOCKS"); fi
  [[ -t 1 ]] || SERVICE_ENV+=(NO_COLOR=1)

  check 'format and lint (biome)' tool biome check .
  check 'types (tsc)' tool tsc --noEmit
  check 'dead code (knip)' tool knip
  check 'duplication (jscpd)' tool jscpd .
  run_suites host
  run_fleet_suites
  check 'nothing left running by the tests' nothing_left_running "$mark"

  ((SKIPPED == 0)) || say "$SKIPPED skipped (named above)"
  say "$PASSED passed, $FAILED failed"
  ((FAILED == 0)) || return "$EXIT_FAILED"
}

# check LABEL COMMAND...: one line; the command's output only where it fails.
check() {
  local label=$1 log_file code=0
  log_file=$(mktemp)
  shift
  with_progress "$label" "$log_file" "$@" || code=$?
  if ((code == 0)); then
    PASSED=$((PASSED + 1))
  else
    FAILED=$((FAILED + 1))
    say "✗ $label"
    tail -n 200 -- "$log_file" | sed 's/^/    /'
  fi
  rm -f -- "$log_file"
}

tool() {
  local name=$1
  shift
  in_checkout "$NODE" "$ROOT/node_modules/.bin/$name" "$@"
}

in_checkout() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  in_view bash -c 'cd -- "$1" && shift && exec "$@"' - "$ROOT" "$@"
}

# run_suites PROJECT: one of vitest.config.ts; its counts are added. The few files that failed are run once more, alone: what passes
# then was the busy machine's, is named as unsteady, and is to be mended.
run_suites() {
  local report=$TEST_DIR/vitest-$1.json second=$TEST_DIR/vitest-$1-again.json reports again counts passed failed skipped
  [[ -n ${EXECUTOR_TEST_FIXTURES:-} ]] || say '! EXECUTOR_TEST_FIXTURES is not set: suites that need real MCP servers are skipped.'
  vitest "$1" "$report"
  reports=("$report")
  mapfile -t again < <("$NODE" "$ROOT/deploy/count-tests.ts" --again "$ROOT" "$report")
  if ((${#again[@]} > 0)); then
    say "! ${#again[@]} failed files are run again, alone."
    vitest "$1" "$second" --no-file-parallelism "${again[@]}"
    reports+=("$second")
  fi
  counts=$("$NODE" "$ROOT/deploy/count-tests.ts" "$ROOT" "${reports[@]}") || true
  sed '$d' <<<"$counts"
  read -r passed failed skipped <<<"$(tail -n 1 <<<"$counts")"
  PASSED=$((PASSED + ${passed:-0})) FAILED=$((FAILED + ${failed:-1})) SKIPPED=$((SKIPPED + ${skipped:-0}))
}

# vitest PROJECT REPORT ARGUMENT...
vitest() {
  local project=$1 report=$2
  shift 2
  in_checkout "$NODE" "$ROOT/node_modules/.bin/vitest" run --configLoader native --project "$project" --reporter=default --reporter=json --outputFile.json="$report" "$@" </dev/null || true
}

# Suites that start containers: who may use the engine's socket is as good as root, so only they get its group.
run_fleet_suites() {
  local socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
  VIEW_GROUP=''
  if engine_answers; then
    SERVICE_ENV+=("DOCKER_HOST=$socket" TESTCONTAINERS_RYUK_DISABLED=true)
    if [[ -S ${socket#unix://} ]]; then VIEW_GROUP=$(stat -L -c %g -- "${socket#unix://}"); fi
  else
    say '! No Docker engine answers: suites that start containers are skipped.'
  fi
  run_suites fleet
  VIEW_GROUP=''
}

nothing_left_running() {
  local environment pid found=0
  for environment in /proc/[0-9]*/environ; do
    pid=${environment//[!0-9]/}
    grep -qzxF -- "$1" "$environment" 2>/dev/null || continue
    found=1
    printf 'pid %s: %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
    kill -KILL "$pid" 2>/dev/null || true
  done
  return "$found"
}
