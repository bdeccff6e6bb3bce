#!/usr/bin/env bash
# The one command: starts, stops, watches and checks the service on this machine. `./deploy.sh help` lists what there is.
# Needs bash, coreutils and either a Docker engine or Node 20 with npm; brings the rest. The parts lie in deploy/, one subject a file.
set -euo pipefail
umask 022
# The CLI's variables are no settings of the service, and its key is not the service's to know.
unset EXECUTOR_URL EXECUTOR_KEY EXECUTOR_KEY_FILE EXECUTOR_CHECKOUT

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
readonly ROOT

# shellcheck source=deploy/say.sh
. "$ROOT/deploy/say.sh"
# shellcheck source=deploy/identity.sh
. "$ROOT/deploy/identity.sh"
# shellcheck source=deploy/data-dir.sh
. "$ROOT/deploy/data-dir.sh"
# shellcheck source=deploy/view.sh
. "$ROOT/deploy/view.sh"
# shellcheck source=deploy/toolchain.sh
. "$ROOT/deploy/toolchain.sh"
# shellcheck source=deploy/namespaces.sh
. "$ROOT/deploy/namespaces.sh"
# shellcheck source=deploy/service.sh
. "$ROOT/deploy/service.sh"
# shellcheck source=deploy/up.sh
. "$ROOT/deploy/up.sh"
# shellcheck source=deploy/doctor.sh
. "$ROOT/deploy/doctor.sh"
# shellcheck source=deploy/docker/engine.sh
. "$ROOT/deploy/docker/engine.sh"
# shellcheck source=deploy/docker/images.sh
. "$ROOT/deploy/docker/images.sh"
# shellcheck source=deploy/docker/sandboxes.sh
. "$ROOT/deploy/docker/sandboxes.sh"
# shellcheck source=deploy/docker/secrets.sh
. "$ROOT/deploy/docker/secrets.sh"
# shellcheck source=deploy/docker/fleet.sh
. "$ROOT/deploy/docker/fleet.sh"
# shellcheck source=deploy/docker/doctor.sh
. "$ROOT/deploy/docker/doctor.sh"
# shellcheck source=deploy/backup.sh
. "$ROOT/deploy/backup.sh"
# shellcheck source=deploy/rotate-seal.sh
. "$ROOT/deploy/rotate-seal.sh"
# shellcheck source=deploy/checks.sh
. "$ROOT/deploy/checks.sh"

main() {
  local command=${1:-help}
  (($# == 0)) || shift
  case $command in
    up) up "$@" ;;
    down) down "$@" ;;
    status) status "$@" ;;
    logs) logs "$@" ;;
    scale) scale "$@" ;;
    backup) backup "$@" ;;
    restore) restore "$@" ;;
    rotate-seal) rotate_seal "$@" ;;
    doctor) doctor "$@" ;;
    test) run_checks "$@" ;;
    help | -h | --help) help ;;
    *) die "$EXIT_USAGE" "There is no command '$command'; './deploy.sh help' lists those there are." ;;
  esac
}

help() {
  cat <<'HELP'
usage: ./deploy.sh COMMAND

  up [--embedded | --docker [--workers N]]
                            install what is missing, start in the background, wait until ready, run a first program;
                            without an option: containers where a Docker engine answers, else one process
  down                      stop it and everything it started; what it keeps is kept
  scale WORKERS             change the number of workers of the Docker form
  status                    say whether it runs, where, and how it is
  logs [-f]                 show the end of its log, and follow it with -f
  doctor                    check every prerequisite and say how to mend what fails
  backup FILE               write everything worth keeping into one archive, readable by its owner alone
  restore FILE [--force]    bring such an archive back; --force: over what is there
  rotate-seal               put every secret in the database under a new key, while it runs
  test                      format, lint, types, dead code, duplication and every test suite
  help                      this text

Exit codes: 0 done · 1 a check, a test or the first program failed, or it runs with other settings · 2 wrong usage ·
3 not running · 4 a prerequisite is missing · 5 the data directory cannot be used · 6 the port is taken ·
7 the service did not become ready.

EXECUTOR_PORT, EXECUTOR_DATA_DIR, EXECUTOR_MCP_SERVERS and the other settings are read from the environment:
docs/configuration.md lists them.
HELP
}

main "$@"
