# shellcheck shell=bash disable=SC2153 # shared variables
# How workers make sandboxes in the Docker form: namespaces inside the worker's container, or a single-use container for each.

# Sets SANDBOXES: as EXECUTOR_SANDBOX says, else as the fleet that runs has it, else containers where namespaces cannot be had.
plan_sandboxes() {
  SANDBOXES=${EXECUTOR_SANDBOX:-auto}
  case $SANDBOXES in
    container | launcher | bubblewrap) return ;;
    auto) ;;
    *) die "$EXIT_USAGE" "EXECUTOR_SANDBOX is '$SANDBOXES'; it may be auto, launcher, bubblewrap or container." ;;
  esac
  if fleet_runs; then
    SANDBOXES=$(recorded_sandboxes)
  elif has_image "$WORKER_IMAGE" && ! why_worker_cannot_nest >/dev/null && has_local_engine; then
    SANDBOXES=container
  fi
}

# auto where none is written down.
recorded_sandboxes() {
  local recorded
  recorded=$(sed -n 's/^EXECUTOR_SANDBOX=//p' "$FLEET_DIR/fleet.env" 2>/dev/null || true)
  printf %s "${recorded:-auto}"
}

# Prints the reason and returns 1 where a worker's container cannot make the namespaces that sandboxes are made of.
why_worker_cannot_nest() {
  local error
  error=$(docker run --rm --network none --read-only --cap-drop ALL --security-opt no-new-privileges:true \
    --security-opt "seccomp=$ROOT/sandbox-image/seccomp.json" --user "$WORKER_UID:$WORKER_UID" --entrypoint unshare "$WORKER_IMAGE" \
    --user --map-root-user --mount --pid --net --ipc --uts --fork true 2>&1) && return 0
  tail -n 1 <<<"$error"
  return 1
}

# Only an engine whose socket lies on this machine can be handed to a container.
has_local_engine() { [[ -S $(engine_socket) ]]; }

engine_socket() {
  case ${DOCKER_HOST:-} in
    '') printf /var/run/docker.sock ;;
    unix://*) printf %s "${DOCKER_HOST#unix://}" ;;
    *) printf %s "${DOCKER_HOST}" ;;
  esac
}

# Lines of fleet.env; none where the launcher's sandboxes are looked for as ever.
sandbox_environment() {
  [[ $SANDBOXES != auto ]] || return 0
  printf 'EXECUTOR_SANDBOX=%s\n' "$SANDBOXES"
  [[ $SANDBOXES == container ]] || return 0
  printf '%s\n' "EXECUTOR_SANDBOX_IMAGE=$SANDBOX_IMAGE" "EXECUTOR_ENGINE_SOCKET=$(engine_socket)" "EXECUTOR_ENGINE_GROUP=$(stat -c %g -- "$(engine_socket)")"
}

# Once the worker's image is there, so that what it can do can be tried.
prepare_sandboxes() {
  plan_sandboxes
  [[ $SANDBOXES == container ]] || return 0
  has_local_engine || die "$EXIT_PREREQUISITE" \
    "Single-use containers need an engine whose socket lies on this machine; $(engine_socket) is none. EXECUTOR_SANDBOX=launcher does without."
  prepare_sandbox_image
  if [[ -n ${EXECUTOR_CONTAINER_RUNTIME:-} ]]; then
    has_runtime "$EXECUTOR_CONTAINER_RUNTIME" || die "$EXIT_PREREQUISITE" \
      "The engine knows no runtime '$EXECUTOR_CONTAINER_RUNTIME' (EXECUTOR_CONTAINER_RUNTIME): docs/sandboxes.md says how it is added."
  fi
  if [[ -n ${EXECUTOR_SANDBOX:-} ]]; then return; fi
  say "Sandboxes are single-use containers here: a worker's container cannot make namespaces ($(why_worker_cannot_nest || true))."
}

has_runtime() { docker info --format '{{range $name, $_ := .Runtimes}}{{println $name}}{{end}}' 2>/dev/null | grep -qxF -- "$1"; }

# For the doctor: which way it is, and why.
check_sandboxes() {
  local error mend
  if [[ ${EXECUTOR_SANDBOX:-auto} == container ]]; then
    if has_local_engine; then good 'sandboxes are single-use containers: EXECUTOR_SANDBOX says so'; else bad "EXECUTOR_SANDBOX=container, but $(engine_socket) is no socket of this machine" 'unset DOCKER_HOST, or EXECUTOR_SANDBOX=launcher'; fi
    if [[ -n ${EXECUTOR_CONTAINER_RUNTIME:-} ]] && ! has_runtime "$EXECUTOR_CONTAINER_RUNTIME"; then bad "the engine knows no runtime '$EXECUTOR_CONTAINER_RUNTIME'" 'docs/sandboxes.md says how it is added'; fi
    return
  fi
  has_image "$WORKER_IMAGE" || return 0
  if error=$(why_worker_cannot_nest); then
    good 'a worker container can make user namespaces: sandboxes are made inside it, which is quickest'
    return
  fi
  mend=$(why_no_container_namespaces "$1")
  if has_local_engine && [[ ${EXECUTOR_SANDBOX:-auto} == auto ]]; then
    unsure "a worker container cannot make user namespaces ($error): './deploy.sh up' makes each sandbox a single-use container instead" "for the quicker way: $mend"
  else
    bad "a worker container cannot make user namespaces ($error)" "$mend"
  fi
}
