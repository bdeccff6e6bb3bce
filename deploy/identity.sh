# shellcheck shell=bash
# Who the service runs as. It never runs as root: started by root it drops to the account that called sudo, or to its own.

readonly SYSTEM_USER=code-executor SYSTEM_USER_HOME=/var/lib/code-executor

# Sets SERVICE_USER, SERVICE_UID, SERVICE_GID and SERVICE_HOME. The account itself may not be there yet (SERVICE_UID empty).
resolve_identity() {
  if ((EUID != 0)); then
    SERVICE_USER=$(id -un 2>/dev/null || id -u)
    SERVICE_UID=$EUID
    SERVICE_GID=$(id -g)
    SERVICE_HOME=${HOME:-$(home_of "$SERVICE_USER")}
    return
  fi
  SERVICE_USER=$SYSTEM_USER
  if [[ -n ${SUDO_USER:-} && $SUDO_USER != root ]] && id -u -- "$SUDO_USER" >/dev/null 2>&1; then SERVICE_USER=$SUDO_USER; fi
  SERVICE_UID=$(id -u -- "$SERVICE_USER" 2>/dev/null || true)
  SERVICE_GID=$(id -g -- "$SERVICE_USER" 2>/dev/null || true)
  SERVICE_HOME=$(home_of "$SERVICE_USER")
  SERVICE_HOME=${SERVICE_HOME:-$SYSTEM_USER_HOME}
}

home_of() { getent passwd "$1" 2>/dev/null | cut -d: -f6; }

ensure_service_user() {
  ((EUID == 0)) || return 0
  if [[ -z $SERVICE_UID ]]; then
    command -v useradd >/dev/null || die "$EXIT_PREREQUISITE" \
      "The service does not run as root and there is no useradd to make its account: make a user '$SYSTEM_USER' with the home $SYSTEM_USER_HOME, then start again."
    useradd --system --user-group --create-home --home-dir "$SYSTEM_USER_HOME" --shell /usr/sbin/nologin "$SYSTEM_USER" ||
      die "$EXIT_PREREQUISITE" "The account '$SYSTEM_USER' could not be made; the line above says why."
    say "✓ Made the system account '$SYSTEM_USER' (home $SYSTEM_USER_HOME)"
    resolve_identity
  fi
  if [[ $SERVICE_USER == "$SYSTEM_USER" && ! -d $SERVICE_HOME ]]; then
    install -d -o "$SERVICE_UID" -g "$SERVICE_GID" -m 0755 -- "$SERVICE_HOME"
  fi
}

# Runs a command as the service's account, in this mount namespace and with a minimal environment.
as_service_user() {
  if ((EUID == 0)); then
    setpriv --reuid="$SERVICE_UID" --regid="$SERVICE_GID" --init-groups --inh-caps=-all \
      env -i HOME="$SERVICE_HOME" PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8 "$@"
  else
    env -i HOME="$SERVICE_HOME" PATH="$PATH" LC_ALL=C.UTF-8 "$@"
  fi
}
