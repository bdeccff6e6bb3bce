# shellcheck shell=bash
# What the service's account sees. Root's checkout, data directory or servers file may lie below directories that account
# cannot enter (/root, a 0700 temporary directory): then it starts in a private mount namespace in which just these paths
# are reachable, under their own names. Nothing changes for the rest of the machine.

# plan_view PATH...: sets VIEW_BLOCKERS (directories that are in the way) and VIEW_PATHS (what shall be reachable below them).
plan_view() {
  VIEW_BLOCKERS=() VIEW_PATHS=()
  ((EUID == 0)) || return 0
  open_checkout_permissions
  local path
  for path; do add_to_view "$path"; done
  if ((${#VIEW_BLOCKERS[@]})) && ! unshare --mount --propagation private true 2>/dev/null; then
    die "$EXIT_PREREQUISITE" "'$SERVICE_USER' cannot enter ${VIEW_BLOCKERS[0]}, and this root may not make a mount namespace to show it: put the checkout and the data directory below a directory that others can enter (/opt, /srv), or 'chmod o+x ${VIEW_BLOCKERS[0]}'."
  fi
}

# What the service reads of a servers file: what lies beside it is taken to belong to it; a whole home directory is not.
servers_file_view() {
  local servers_dir
  servers_dir=$(dirname -- "$SERVERS_FILE")
  if [[ ! -e $SERVERS_FILE || $servers_dir == "$DATA_DIR" ]]; then return 0; fi
  if is_home "$servers_dir"; then printf %s "$SERVERS_FILE"; else printf %s "$servers_dir"; fi
}

# Runs a command as the service's account in that view, with SERVICE_ENV as its whole environment.
in_view() {
  view_command
  "${VIEW_COMMAND[@]}" "$@"
}

# Sets VIEW_COMMAND, the words to put before a command; each of them replaces itself, so the pid stays the same. VIEW_GROUP,
# where it is set, is the one group that the account gets instead of its own.
view_command() {
  VIEW_COMMAND=()
  if ((EUID == 0)); then
    if ((${#VIEW_BLOCKERS[@]})); then
      VIEW_COMMAND+=(unshare --mount --propagation private bash "$ROOT/deploy/enter-view.sh" "${VIEW_BLOCKERS[@]}" -- "${VIEW_PATHS[@]}" --)
    fi
    local groups=(--init-groups)
    [[ -z ${VIEW_GROUP:-} ]] || groups=(--groups "$VIEW_GROUP")
    VIEW_COMMAND+=(setpriv --reuid="$SERVICE_UID" --regid="$SERVICE_GID" "${groups[@]}" --inh-caps=-all)
  fi
  VIEW_COMMAND+=(env -i "${SERVICE_ENV[@]}")
}

# Sets SERVICE_ENV: what every process of ours needs. Of the caller's PATH only what the account can enter is kept.
plan_environment() {
  SERVICE_ENV=("HOME=$SERVICE_HOME" "PATH=$(reachable_path)" "USER=$SERVICE_USER" "LOGNAME=$SERVICE_USER")
  local name
  for name in LANG LC_ALL TZ TERM TMPDIR CI HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy NODE_EXTRA_CA_CERTS SSL_CERT_FILE; do
    if [[ -n ${!name:-} ]]; then SERVICE_ENV+=("$name=${!name}"); fi
  done
}

reachable_path() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  as_service_user bash -c '
    IFS=: read -r -a entries <<<"$1:/usr/local/bin:/usr/bin:/bin"
    kept=
    for entry in "${entries[@]}"; do
      if [[ $entry == /* && -x $entry && ":$kept:" != *":$entry:"* ]]; then kept+=${kept:+:}$entry; fi
    done
    printf %s "$kept"' - "$PATH"
}

add_to_view() {
  local blocker
  [[ -n $1 ]] || return 0
  blocker=$(first_closed_directory "$1")
  [[ -n $blocker ]] || return 0
  VIEW_PATHS+=("$1")
  [[ " ${VIEW_BLOCKERS[*]} " == *" $blocker "* ]] || VIEW_BLOCKERS+=("$blocker")
}

first_closed_directory() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  as_service_user bash -c '
    path=$1 at=
    IFS=/ read -r -a parts <<<"${path#/}"
    for part in "${parts[@]}"; do
      at+=/$part
      if [[ -d $at && ! -x $at ]]; then printf %s "$at"; exit; fi
    done' - "$1"
}

is_home() { [[ $1 == / || $1 == "${HOME:-/root}" || $1 == /root || $1 == "$SERVICE_HOME" ]] || getent passwd | cut -d: -f6 | grep -qxF -- "$1"; }

# A clone made under `umask 077` holds files that only root can read; its closed top directory still guards them.
open_checkout_permissions() {
  local file
  for file in package.json services/standalone/src/main.ts node_modules; do
    [[ -e $ROOT/$file ]] || continue
    if (((8#$(stat -c %a -- "$ROOT/$file") & 4) == 0)); then
      find "$ROOT" -mindepth 1 -maxdepth 1 ! -name .git -exec chmod -R go+rX {} +
      return
    fi
  done
}
