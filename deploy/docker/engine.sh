# shellcheck shell=bash disable=SC2034 # COMPOSE is read by the other parts
# The Docker engine and docker-compose: whether they are there, and what to do where they are not.

# Whether `up` can use the Docker form, without a word.
engine_answers() { command -v docker >/dev/null && timeout 20 docker info >/dev/null 2>&1; }

# Ends with one sentence where the engine cannot be used.
require_engine() {
  local reason
  command -v docker >/dev/null || die "$EXIT_PREREQUISITE" \
    "The Docker form needs Docker Engine: install it ($(install_command docker.io docker-compose)), or './deploy.sh up --embedded'."
  reason=$(why_no_engine) || die "$EXIT_PREREQUISITE" "$reason"
  choose_compose || die "$EXIT_PREREQUISITE" \
    "A Docker engine answers, but there is neither 'docker compose' nor 'docker-compose': $(install_command docker-compose)."
}

# Prints why the engine does not answer, and returns 1; returns 0 where it does.
why_no_engine() {
  local error otherwise=", or './deploy.sh up --embedded'"
  # The other form does not see a fleet's history.
  if has_fleet; then otherwise=; fi
  error=$(timeout 20 docker version --format '{{.Server.Version}}' 2>&1 >/dev/null) && return 0
  case $error in
    *'permission denied'*)
      printf "'%s' may not use the Docker engine: add it to the group docker (sudo usermod -aG docker %s, then log in again), call ./deploy.sh with sudo%s." "$(id -un)" "$(id -un)" "$otherwise"
      ;;
    *'Cannot connect'* | *'connection refused'* | *'no such file'* | '')
      printf "The Docker engine does not answer at %s: start it (systemctl start docker)%s." "${DOCKER_HOST:-/var/run/docker.sock}" "$otherwise"
      ;;
    *) printf "The Docker engine cannot be used: %s" "$(head -n 1 <<<"$error")" ;;
  esac
  return 1
}

# Sets COMPOSE to the words that call Compose: the plugin, else docker-compose 1.29.
choose_compose() {
  if docker compose version >/dev/null 2>&1; then
    COMPOSE=(docker compose)
  elif command -v docker-compose >/dev/null; then
    COMPOSE=(docker-compose)
  else
    return 1
  fi
}

# Compose on this data directory's fleet. Nothing of the caller's environment but what leads to the engine reaches it: the
# variables of docker-compose.yml come from the fleet's file alone.
compose() {
  local environment=(PATH="$PATH" HOME="${HOME:-/root}") name files=(-f docker-compose.yml)
  for name in DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_TLS_VERIFY DOCKER_CERT_PATH XDG_RUNTIME_DIR TERM; do
    if [[ -n ${!name:-} ]]; then environment+=("$name=${!name}"); fi
  done
  if [[ $(recorded_sandboxes) == container ]]; then files+=(-f docker-compose.containers.yml); fi
  if [[ -f $FLEET_DIR/mounts.yml ]]; then files+=(-f "$FLEET_DIR/mounts.yml"); fi
  (cd -- "$ROOT" && env -i "${environment[@]}" "${COMPOSE[@]}" --project-name "$PROJECT" --project-directory "$ROOT" \
    --env-file "$FLEET_DIR/fleet.env" "${files[@]}" "$@")
}

# Ids of the running containers of one service.
containers_of() { docker ps --quiet --filter "label=com.docker.compose.project=$PROJECT" --filter "label=com.docker.compose.service=$1"; }
