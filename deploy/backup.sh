# shellcheck shell=bash disable=SC2153 # shared variables
# `backup` and `restore`: everything worth keeping in one gzipped tar, 0600. Of a fleet: a dump of the database, the secrets (seal
# key among them), admin.key and mcp-servers.json. Of the embedded form: the files of the data directory that are not made again.
#   kind       "fleet 1" or "embedded 1"
# Redis is not in it: what it holds (queue, live events) is made again from the database.

readonly BACKUP_VERSION=1
readonly KEPT_OF_DATA_DIR=(admin.key seal.key database artifacts mcp-servers.json)

backup() {
  (($# == 1)) || die "$EXIT_USAGE" 'usage: ./deploy.sh backup FILE'
  local file
  file=$(realpath -m -- "$1")
  [[ -d $(dirname -- "$file") ]] || die "$EXIT_USAGE" "There is no directory $(dirname -- "$file")."
  [[ ! -e $file ]] || die "$EXIT_USAGE" "$file is there already: name a new file."
  settle
  refuse_unreadable
  locate_fleet
  STAGE=$(mktemp -d)
  trap 'rm -rf -- "$STAGE"' EXIT
  chmod 0700 "$STAGE"
  if has_fleet; then backup_fleet; else backup_embedded; fi
  (umask 077 && tar -C "$STAGE" -czf "$file.unfinished" . && mv -- "$file.unfinished" "$file") || {
    rm -f -- "$file.unfinished"
    die "$EXIT_FAILED" "$file could not be written; the line above says why."
  }
  if ((EUID == 0)) && [[ -n ${SUDO_UID:-} ]]; then chown -- "$SUDO_UID:${SUDO_GID:-0}" "$file"; fi
  say "✓ $file ($(du -h -- "$file" | cut -f 1)). It holds every secret of this installation: keep it like one."
}

backup_fleet() {
  require_engine
  recall_fleet_address
  fleet_runs || die "$EXIT_NOT_RUNNING" "The fleet does not run, and its database is asked for the dump: './deploy.sh up' first."
  printf 'fleet %s\n' "$BACKUP_VERSION" >"$STAGE/kind"
  local error
  error=$(compose exec -T postgres pg_dump --host /run/postgresql --username postgres --format custom --no-owner --dbname executor 2>&1 >"$STAGE/database.dump") ||
    die "$EXIT_FAILED" "The database could not be dumped: $(tail -n 1 <<<"$error")"
  in_secrets_container -- tar -C /secrets -c . >"$STAGE/secrets.tar" || die "$EXIT_FAILED" 'The secrets could not be read.'
  copy_if_there admin.key mcp-servers.json
}

# PGlite is one process: a copy of its files is consistent only while it does not write.
backup_embedded() {
  [[ -d $DATA_DIR/database ]] || die "$EXIT_NOT_RUNNING" "There is nothing to back up in $DATA_DIR yet."
  printf 'embedded %s\n' "$BACKUP_VERSION" >"$STAGE/kind"
  local stopped=0
  if find_running; then
    kill -STOP "$SERVICE_PID"
    # shellcheck disable=SC2064 # as it is now
    trap "kill -CONT $SERVICE_PID 2>/dev/null; rm -rf -- '$STAGE'" EXIT
    stopped=1
  fi
  copy_if_there "${KEPT_OF_DATA_DIR[@]}"
  if ((stopped)); then kill -CONT "$SERVICE_PID"; fi
  rm -f -- "$STAGE/database/holder"
}

# By tar: unlike cp it goes down one opened folder at a time, so that no link is followed that is put in its way meanwhile.
copy_if_there() {
  local name
  for name; do
    if [[ -e $DATA_DIR/$name ]]; then tar -C "$DATA_DIR" -c -- "$name" | tar -C "$STAGE" -x --no-same-owner; fi
  done
}

restore() {
  local force=0 file
  if [[ ${2:-} == --force ]]; then force=1; elif [[ ${1:-} == --force ]]; then force=1; shift; elif (($# != 1)); then die "$EXIT_USAGE" 'usage: ./deploy.sh restore FILE [--force]'; fi
  file=$(realpath -m -- "${1:-}")
  [[ -f $file && -r $file ]] || die "$EXIT_USAGE" "$file is not there, or cannot be read."
  settle
  refuse_unreadable
  locate_fleet
  ensure_service_user
  STAGE=$(mktemp -d)
  trap 'rm -rf -- "$STAGE"' EXIT
  chmod 0700 "$STAGE"
  tar -C "$STAGE" --no-same-owner --no-same-permissions -xzf "$file" 2>/dev/null && [[ -s $STAGE/kind ]] || die "$EXIT_USAGE" "$file is no backup of this program."
  case $(cat "$STAGE/kind") in
    "fleet $BACKUP_VERSION") restore_fleet "$force" ;;
    "embedded $BACKUP_VERSION") restore_embedded "$force" ;;
    *) die "$EXIT_USAGE" "$file was made by another version ($(head -c 40 "$STAGE/kind")): restore it with that one." ;;
  esac
}

restore_embedded() {
  if find_running; then die "$EXIT_FAILED" "It runs (pid $SERVICE_PID): './deploy.sh down' first."; fi
  if has_fleet; then die "$EXIT_FAILED" "$DATA_DIR is a fleet's, and the backup is the embedded form's: name another EXECUTOR_DATA_DIR."; fi
  if [[ -e $DATA_DIR/database && $1 == 0 ]]; then die "$EXIT_FAILED" "$DATA_DIR holds a history already: '--force' puts the backup in its place."; fi
  prepare_data_dir
  local name
  for name in "${KEPT_OF_DATA_DIR[@]}"; do
    as_data_owner rm -rf -- "$DATA_DIR/${name:?}"
    [[ ! -e $STAGE/$name ]] || tar -C "$STAGE" -c "$name" | as_data_owner tar -C "$DATA_DIR" -x
  done
  say "✓ Restored into $DATA_DIR: './deploy.sh up --embedded' starts it."
}

restore_fleet() {
  require_engine
  if [[ -d $DATA_DIR/database ]] && ! has_fleet; then die "$EXIT_FAILED" "$DATA_DIR is the embedded form's, and the backup is a fleet's: name another EXECUTOR_DATA_DIR."; fi
  if fleet_runs; then die "$EXIT_FAILED" "The fleet runs: './deploy.sh down' first."; fi
  if [[ $1 == 0 ]] && { [[ -d $DATA_DIR/secrets ]] || [[ -n $(fleet_volumes) ]]; }; then
    die "$EXIT_FAILED" "$DATA_DIR or the volumes of $PROJECT hold an installation already: '--force' puts the backup in its place."
  fi
  read_fleet_setting_files
  prepare_data_dir
  as_data_owner mkdir -p -m 0700 -- "$DATA_DIR/run" "$FLEET_DIR"
  take_turn
  prepare_images
  remove_fleet_data
  restore_files
  prepare_secrets
  write_fleet_record
  restore_database
  say "✓ Restored (Compose project $PROJECT): './deploy.sh up' starts it."
}

fleet_volumes() { docker volume ls --quiet --filter "label=com.docker.compose.project=$PROJECT"; }

remove_fleet_data() {
  local volumes
  docker ps --all --quiet --filter "label=com.docker.compose.project=$PROJECT" | xargs -r docker rm --force >/dev/null
  volumes=$(fleet_volumes)
  [[ -z $volumes ]] || xargs docker volume rm >/dev/null <<<"$volumes"
}

restore_files() {
  in_secrets_container -- bash -c 'find /secrets -mindepth 1 -delete && tar -C /secrets --no-same-owner -x' <"$STAGE/secrets.tar" ||
    die "$EXIT_FAILED" 'The secrets could not be written.'
  local name
  for name in admin.key mcp-servers.json; do
    [[ ! -e $STAGE/$name ]] || tar -C "$STAGE" -c "$name" | as_data_owner tar -C "$DATA_DIR" -x
  done
}

# Into a database without tables: nothing else of the fleet is started before.
restore_database() {
  local log_file code=0
  log_file=$(mktemp)
  with_progress 'Restoring the database' "$log_file" load_dump || code=$?
  ((code == 0)) || show_tail "$log_file" 10
  rm -f -- "$log_file"
  ((code == 0)) || die "$EXIT_FAILED" "The database could not be restored; the lines above say why. The backup is untouched."
}

load_dump() {
  local failed=0
  compose up --detach --no-build postgres || return
  await_postgres && compose exec -T postgres pg_restore --host /run/postgresql --username postgres --dbname executor --role executor \
    --no-owner --exit-on-error --single-transaction <"$STAGE/database.dump" || failed=1
  compose down || failed=1
  return "$failed"
}

await_postgres() {
  local waited=0
  until compose exec -T postgres pg_isready --quiet --host 127.0.0.1 --username executor --dbname executor; do
    ((waited++ < 120)) || return 1
    sleep 0.5
  done
}
