# shellcheck shell=bash disable=SC2153 # shared variables
# A new key for the secrets in the database, while the service works. The old keys stay in the file: backups need them.

rotate_seal() {
  (($# == 0)) || die "$EXIT_USAGE" 'usage: ./deploy.sh rotate-seal'
  settle
  refuse_unreadable
  if find_running; then
    choose_node || die "$EXIT_PREREQUISITE" "There is no Node $NODE_MAJOR_NEEDED here to ask it with: './deploy.sh doctor' says what is missing."
    "$NODE" "$ROOT/deploy/rotate-seal.ts" "$RECORDED_URL" "$DATA_DIR/admin.key" --new-key || return "$EXIT_FAILED"
  else
    locate_fleet
    has_fleet || die "$EXIT_NOT_RUNNING" "Not running (data directory $DATA_DIR). './deploy.sh up' starts it."
    rotate_fleet_seal
  fi
  say "Back up anew: an older backup has the secrets under the older keys, which it brings along."
}

# The container has the file mounted, read-only: it is written here, in place.
rotate_fleet_seal() {
  require_engine
  fleet_runs || die "$EXIT_NOT_RUNNING" "No fleet runs for $DATA_DIR: './deploy.sh up' starts it."
  recall_fleet_address
  local output
  output=$(in_secrets_container -- bash /deploy/docker/add-seal-key.sh 2>&1) ||
    die "$EXIT_DATA_DIR" "The key file in $DATA_DIR/secrets could not be written: $(tail -n 1 <<<"$output")"
  fleet_node "$ROOT/deploy/rotate-seal.ts" "$URL" "$DATA_DIR/admin.key" || return "$EXIT_FAILED"
}
