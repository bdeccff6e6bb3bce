#!/usr/bin/env bash
# enter-view.sh CLOSED_DIRECTORY... -- PATH... -- COMMAND...
# Runs in a fresh private mount namespace as root: lays an empty directory over each closed one, shows the paths in it under
# their own names, and becomes COMMAND. Called by view.sh.
set -euo pipefail

main() {
  local blockers=() paths=()
  while [[ $1 != -- ]]; do blockers+=("$1"); shift; done
  shift
  while [[ $1 != -- ]]; do paths+=("$1"); shift; done
  shift

  local stash=/run/code-executor at path blocker
  mkdir -p "$stash"
  mount -t tmpfs -o mode=0700 none "$stash"
  for at in "${!blockers[@]}"; do
    mkdir "$stash/$at"
    mount --rbind -- "${blockers[at]}" "$stash/$at"
  done
  for blocker in "${blockers[@]}"; do mount -t tmpfs -o mode=0755,size=1m none "$blocker"; done
  for path in "${paths[@]}"; do
    for at in "${!blockers[@]}"; do
      blocker=${blockers[at]}
      if [[ $path == "$blocker" || $path == "$blocker"/* ]]; then show "$stash/$at${path#"$blocker"}" "$path"; fi
    done
  done
  umount -R -l "$stash"
  # The working directory still leads into what was covered.
  cd /
  exec "$@"
}

# show SOURCE TARGET: a directory that is itself closed is shown entry by entry, without the history of a checkout.
show() {
  local source=$1 target=$2 entry
  if [[ ! -d $source ]]; then
    mkdir -p -- "$(dirname -- "$target")"
    : >"$target"
    mount --bind -- "$source" "$target"
  elif (((8#$(stat -c %a -- "$source") & 5) == 5)) || [[ $(stat -c %u -- "$source") != 0 ]]; then
    mkdir -p -- "$target"
    mount --rbind -- "$source" "$target"
  else
    mkdir -p -- "$target"
    while IFS= read -r -d '' entry; do
      if [[ -L $entry ]]; then
        cp -P -- "$entry" "$target/"
      elif [[ ${entry##*/} != .git ]]; then
        show_entry "$entry" "$target/${entry##*/}"
      fi
    done < <(find "$source" -mindepth 1 -maxdepth 1 -print0)
  fi
}

show_entry() {
  if [[ -d $1 ]]; then mkdir -p -- "$2"; else : >"$2"; fi
  mount --rbind -- "$1" "$2"
}

main "$@"
