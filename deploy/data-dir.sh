# shellcheck shell=bash disable=SC2034 # what is set here is read by the other parts
# Where everything is kept. Files in it are made and written as the service's account, so that nothing it plants there
# (a symbolic link, say) is ever followed with root's rights.

# What the service and deploy.sh put into a data directory; nothing else in it is ever given another owner.
readonly DATA_DIR_NAMES=(admin.key seal.key oauth.key artifacts build database logs run snapshots mcp-servers.json)

# Sets DATA_DIR, and DATA_DIR_LINK where root's own ~/.code-executor shall point to it.
resolve_data_dir() {
  DATA_DIR_LINK=
  if [[ -n ${EXECUTOR_DATA_DIR:-} ]]; then
    DATA_DIR=$(realpath -m -- "$EXECUTOR_DATA_DIR")
  elif ((EUID == 0)) && [[ $SERVICE_USER == "$SYSTEM_USER" ]]; then
    local of_root=${HOME:-/root}/.code-executor
    if [[ -d $of_root ]]; then
      DATA_DIR=$(realpath -- "$of_root")
    else
      DATA_DIR=$SERVICE_HOME/.code-executor
      DATA_DIR_LINK=$of_root
    fi
  else
    DATA_DIR=$SERVICE_HOME/.code-executor
  fi
  SERVERS_FILE=$(realpath -m -- "${EXECUTOR_MCP_SERVERS:-$DATA_DIR/mcp-servers.json}")
}

prepare_data_dir() {
  if ((EUID == 0)); then own_data_dir; else make_data_dir; fi
  close_data_dir
  link_data_dir
}

# Writes to it for real: only that finds a full disk, a read-only mount and a foreign owner alike. After the view is planned.
prove_data_dir_writable() {
  local reason
  # shellcheck disable=SC2016 # expanded by the inner shell
  reason=$(in_view bash -c 'cd -- "$1" && mkdir -p run logs && head -c 65536 /dev/zero >run/.probe && rm run/.probe' - "$DATA_DIR" 2>&1) ||
    refuse_data_dir "$reason"
}

# refuse_data_dir REASON: what writing to it said.
refuse_data_dir() {
  rm -f -- "$DATA_DIR/run/.probe" 2>/dev/null || true
  case $1 in
    *'No space left'* | *'quota exceeded'*)
      die "$EXIT_DATA_DIR" "The disk of the data directory $DATA_DIR is full: free at least 1 GB on it, or name another directory in EXECUTOR_DATA_DIR." ;;
  esac
  die "$EXIT_DATA_DIR" "The data directory $DATA_DIR cannot be written by '$SERVICE_USER' (${1##*: }): $(owner_command "$DATA_DIR"), or name another one in EXECUTOR_DATA_DIR."
}

# Who may write here says what the service runs (mcp-servers.json) and whom it believes (admin.key).
close_data_dir() {
  [[ -n $(find "$DATA_DIR" -maxdepth 0 -perm /022) ]] || return 0
  as_data_owner chmod go-w -- "$DATA_DIR" 2>/dev/null ||
    die "$EXIT_DATA_DIR" "Others can write to the data directory $DATA_DIR, and so replace its keys: chmod go-w $(printf %q "$DATA_DIR"), or name another one in EXECUTOR_DATA_DIR."
  say "✓ Closed $DATA_DIR to other accounts, which could write to it"
}

make_data_dir() {
  [[ -d $DATA_DIR ]] && return
  local reason
  reason=$(mkdir -p -- "$DATA_DIR" 2>&1 && chmod 0700 -- "$DATA_DIR" 2>&1) ||
    die "$EXIT_DATA_DIR" "The data directory $DATA_DIR cannot be made (${reason##*: }): make it and give it to '$SERVICE_USER', or name another one in EXECUTOR_DATA_DIR."
}

own_data_dir() {
  local reason
  if [[ ! -e $DATA_DIR ]]; then
    reason=$(mkdir -p -- "$(dirname -- "$DATA_DIR")" 2>&1 && install -d -o "$SERVICE_UID" -g "$SERVICE_GID" -m 0700 -- "$DATA_DIR" 2>&1) ||
      die "$EXIT_DATA_DIR" "The data directory $DATA_DIR cannot be made (${reason##*: }): name another one in EXECUTOR_DATA_DIR."
    return
  fi
  [[ -d $DATA_DIR ]] || die "$EXIT_DATA_DIR" "$DATA_DIR is no directory: name another one in EXECUTOR_DATA_DIR."
  local entry owner
  owner=$(stat -c %u -- "$DATA_DIR")
  [[ $owner != "$SERVICE_UID" ]] || return 0
  # What a third account has put there would be run by this one, and its key believed.
  [[ $owner == 0 || $owner == "${SUDO_UID:-0}" || -z $(find "$DATA_DIR" -mindepth 1 -maxdepth 1 -print -quit) ]] || die "$EXIT_DATA_DIR" \
    "$DATA_DIR belongs to $(stat -c %U -- "$DATA_DIR") and is not empty: where that is meant, $(owner_command "$DATA_DIR"); or name another one in EXECUTOR_DATA_DIR."
  while IFS= read -r -d '' entry; do
    [[ " ${DATA_DIR_NAMES[*]} " == *" ${entry##*/} "* ]] || die "$EXIT_DATA_DIR" \
      "$DATA_DIR holds other things than this service's (${entry##*/}) and belongs to $(stat -c %U -- "$DATA_DIR"): name a new or empty directory in EXECUTOR_DATA_DIR."
  done < <(find "$DATA_DIR" -mindepth 1 -maxdepth 1 -print0)
  chown -R -h -- "$SERVICE_UID:$SERVICE_GID" "$DATA_DIR"
  chmod 0700 -- "$DATA_DIR"
}

link_data_dir() {
  [[ -n $DATA_DIR_LINK && ! -e $DATA_DIR_LINK && ! -L $DATA_DIR_LINK ]] || return 0
  ln -s -- "$DATA_DIR" "$DATA_DIR_LINK" 2>/dev/null || warn "$DATA_DIR_LINK could not be made a link to $DATA_DIR."
}

# The command that gives a path to the service's account, as it is to be typed.
owner_command() {
  local sudo=
  ((EUID == 0)) || sudo='sudo '
  printf '%schown -R %s: %q' "$sudo" "$SERVICE_USER" "$1"
}
