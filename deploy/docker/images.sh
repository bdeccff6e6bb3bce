# shellcheck shell=bash disable=SC2034 # the images' names are read by the other parts
# Images: base images are there or are pulled; ours are built where their sources have changed.

readonly NODE_IMAGE_DEFAULT=node:24-bookworm-slim REDIS_IMAGE_DEFAULT=redis:8-bookworm POSTGRES_IMAGE_DEFAULT=postgres:17-bookworm
readonly BUILD_TIMEOUT_SECONDS=1800

# Sets SERVICES_IMAGE, WORKER_IMAGE and SANDBOX_IMAGE. Their tags are hashes of what they are made of, so that two checkouts never take each
# other's; a name given in EXECUTOR_SERVICES_IMAGE or EXECUTOR_WORKER_IMAGE is used as it is.
plan_images() {
  SOURCES_HASH=$(hash_of_sources)
  SERVICES_IMAGE=${EXECUTOR_SERVICES_IMAGE:-code-executor/services:$SOURCES_HASH}
  WORKER_IMAGE=${EXECUTOR_WORKER_IMAGE:-code-executor/worker:$SOURCES_HASH}
  SANDBOX_IMAGE=${EXECUTOR_SANDBOX_IMAGE:-code-executor/sandbox:$SOURCES_HASH}
  REDIS_IMAGE=${EXECUTOR_REDIS_IMAGE:-$REDIS_IMAGE_DEFAULT}
  POSTGRES_IMAGE=${EXECUTOR_POSTGRES_IMAGE:-$POSTGRES_IMAGE_DEFAULT}
}

prepare_images() {
  plan_images
  need_image "$REDIS_IMAGE"
  need_image "$POSTGRES_IMAGE"
  [[ -n ${EXECUTOR_SERVICES_IMAGE:-} ]] || build_image "$SERVICES_IMAGE" services/Dockerfile 'image of gateway and mcp-proxy'
  [[ -n ${EXECUTOR_WORKER_IMAGE:-} ]] || build_image "$WORKER_IMAGE" sandbox-image/Dockerfile 'image of the worker'
  if [[ -n ${EXECUTOR_SERVICES_IMAGE:-} ]]; then need_image "$SERVICES_IMAGE"; fi
  if [[ -n ${EXECUTOR_WORKER_IMAGE:-} ]]; then need_image "$WORKER_IMAGE"; fi
}

# Of single-use containers: what it holds comes out of the worker's image.
prepare_sandbox_image() {
  if [[ -n ${EXECUTOR_SANDBOX_IMAGE:-} ]]; then need_image "$SANDBOX_IMAGE"; return; fi
  ! has_image "$SANDBOX_IMAGE" || return 0
  local log_file code=0
  log_file=$(mktemp)
  choose_builder
  with_progress 'Building the image of single-use containers' "$log_file" \
    timeout "$BUILD_TIMEOUT_SECONDS" "${BUILDER[@]}" docker build --network none --build-arg "WORKER_IMAGE=$WORKER_IMAGE" --tag "$SANDBOX_IMAGE" \
    --label "code-executor.sources=$SOURCES_HASH" "$ROOT/sandbox-image/container" || code=$?
  ((code == 0)) || show_tail "$log_file" 25
  rm -f -- "$log_file"
  ((code == 0)) || die "$EXIT_PREREQUISITE" 'The image of single-use containers could not be built; the last lines are above.'
}

hash_of_sources() {
  (cd -- "$ROOT" && {
    uname -m
    find package.json package-lock.json .npmrc .dockerignore packages services sandbox-image wrappers \
      \( -name node_modules -o -name .build -o -name __pycache__ \) -prune -o -type f ! -name '*.test.ts' -print0 |
      LC_ALL=C sort -z | xargs -0 sha256sum --
  } | sha256sum | cut -c 1-16)
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

need_image() {
  ! has_image "$1" || return 0
  local log_file code=0
  log_file=$(mktemp)
  with_progress "Pulling $1" "$log_file" timeout "$BUILD_TIMEOUT_SECONDS" docker pull "$1" || code=$?
  ((code == 0)) || show_tail "$log_file" 4
  rm -f -- "$log_file"
  ((code == 0)) || die "$EXIT_PREREQUISITE" \
    "The image $1 is not here and could not be pulled; the engine's last lines are above. Is its registry reachable? Else bring it by 'docker load', or start the one-process form with './deploy.sh up --embedded'."
}

# build_image TAG DOCKERFILE LABEL: unless an image of exactly these sources is there.
build_image() {
  ! has_image "$1" || return 0
  local log_file code=0 base
  while read -r base; do need_image "$base"; done < <(bases_of "$ROOT/$2")
  log_file=$(mktemp)
  with_progress "Building the $3 (first time: a few minutes)" "$log_file" build_in_checkout "$1" "$2" || code=$?
  if ((code)); then
    show_tail "$log_file" 25
    rm -f -- "$log_file"
    die "$EXIT_PREREQUISITE" "The $3 could not be built; the last lines are above."
  fi
  rm -f -- "$log_file"
}

# The host's network: where packages come through a proxy on this machine, only that reaches it.
build_in_checkout() {
  choose_builder
  (cd -- "$ROOT" && timeout "$BUILD_TIMEOUT_SECONDS" "${BUILDER[@]}" docker build --network host --file "$2" --tag "$1" \
    --label "code-executor.sources=$SOURCES_HASH" .)
}

choose_builder() {
  BUILDER=(env)
  docker buildx version >/dev/null 2>&1 || BUILDER=(env DOCKER_BUILDKIT=0)
}

# What a Dockerfile starts from: the defaults of its ARG …_IMAGE lines, and plain names.
bases_of() {
  sed -nE 's/^ARG [A-Z_]*IMAGE=([^ ]+).*/\1/p; s/^FROM ([a-z][^ $]*:[^ $]+).*/\1/p' "$1" | sort -u
}
