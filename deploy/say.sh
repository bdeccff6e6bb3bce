# shellcheck shell=bash disable=SC2034 # the exit codes are used by the other parts
# What is said to the person: plain lines, a spinner where there is a terminal, and one sentence where it ends.

readonly EXIT_FAILED=1 EXIT_USAGE=2 EXIT_NOT_RUNNING=3 EXIT_PREREQUISITE=4 EXIT_DATA_DIR=5 EXIT_PORT=6 EXIT_NOT_READY=7

say() { printf '%s\n' "$*"; }
warn() { printf '! %s\n' "$*" >&2; }

# die EXIT_CODE SENTENCE
die() {
  printf '✗ %s\n' "$2" >&2
  exit "$1"
}

# with_progress LABEL LOG_FILE COMMAND...: runs it with its output in LOG_FILE; returns its exit code.
with_progress() {
  local label=$1 log_file=$2 started=$SECONDS code=0 pid
  shift 2
  "$@" >"$log_file" 2>&1 </dev/null &
  pid=$!
  if [[ -t 1 ]]; then
    local frames='|/-+' at=0
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r%s %s (%d s) ' "${frames:at++%4:1}" "$label" "$((SECONDS - started))"
      sleep 0.2
    done
    printf '\r\033[K'
  else
    say "$label …"
  fi
  wait "$pid" || code=$?
  if ((code == 0)); then say "✓ $label ($((SECONDS - started)) s)"; fi
  return "$code"
}

# show_tail FILE LINES: the end of a log, set in, on stderr.
show_tail() { tail -n "$2" -- "$1" 2>/dev/null | cut -c 1-600 | sed 's/^/    /' >&2 || true; }
