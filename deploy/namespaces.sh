# shellcheck shell=bash
# Whether this kernel lets the service's account make user namespaces, found out by making some, and why not.

namespaces_work() {
  in_view unshare --user --map-root-user --mount --pid --net --ipc --uts --fork true 2>/dev/null ||
    in_view bwrap --unshare-all --ro-bind / / true 2>/dev/null
}

# The most likely reason, with what to do about it, as one sentence.
why_no_namespaces() {
  if [[ $(setting kernel/unprivileged_userns_clone) == 0 ]]; then
    printf 'User namespaces are switched off for ordinary users: sysctl -w kernel.unprivileged_userns_clone=1 (and put it into /etc/sysctl.d/ to keep it).'
  elif [[ $(setting user/max_user_namespaces) == 0 ]]; then
    printf 'The number of user namespaces is limited to none: sysctl -w user.max_user_namespaces=15000 (and put it into /etc/sysctl.d/ to keep it).'
  elif [[ $(setting kernel/apparmor_restrict_unprivileged_userns) == 1 ]]; then
    printf 'AppArmor restricts user namespaces here (Ubuntu 24.04 does): sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (and put it into /etc/sysctl.d/ to keep it).'
  elif [[ -e /.dockerenv || -e /run/.containerenv ]]; then
    printf "This container forbids user namespaces: start it with '--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined', or run the service on the host."
  else
    printf "'%s' may not make user namespaces: %s" "$SERVICE_USER" "$(in_view unshare --user --map-root-user true 2>&1 | head -n 1)"
  fi
}

setting() { cat "/proc/sys/$1" 2>/dev/null || true; }
