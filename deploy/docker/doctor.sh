# shellcheck shell=bash disable=SC2153 # shared variables
# `doctor` for the Docker form: the engine, Compose, the images, what the worker's container may do, and the containers.

doctor_fleet() {
  local reason
  if ! reason=$(why_no_engine); then
    bad 'the Docker engine cannot be used' "$reason"
    return
  fi
  good "Docker Engine $(docker version --format '{{.Server.Version}}')"
  if choose_compose; then good "$("${COMPOSE[@]}" version 2>/dev/null | head -n 1)"; else bad 'Compose is missing' "$(install_command docker-compose)"; fi
  check_images
  check_engine_security
  check_data_dir
  check_resources
  check_engine_disk
  check_fleet
}

check_images() {
  plan_images
  local image
  for image in "$REDIS_IMAGE" "$POSTGRES_IMAGE"; do
    if has_image "$image"; then good "image $image"; else unsure "the image $image is not here yet" './deploy.sh up pulls it'; fi
  done
  for image in "$SERVICES_IMAGE" "$WORKER_IMAGE"; do
    if has_image "$image"; then good "image $image"; else unsure "the image $image of this checkout is not built yet" './deploy.sh down && ./deploy.sh up builds it'; fi
  done
}

# Tries what the worker's sandboxes need, in its image and under its profile.
check_engine_security() {
  local options
  options=$(docker info --format '{{join .SecurityOptions " "}}' 2>/dev/null)
  if [[ $options == *seccomp* ]]; then good 'the engine has seccomp'; else bad 'the engine has no seccomp: programs would run without our profile' 'use a kernel and an engine with seccomp'; fi
  check_sandboxes "$options"
}

why_no_container_namespaces() {
  if [[ $(setting kernel/apparmor_restrict_unprivileged_userns) == 1 ]]; then
    printf 'AppArmor restricts user namespaces here: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or load the profile that docs/operations.md describes'
  elif [[ $(setting user/max_user_namespaces) == 0 || $(setting kernel/unprivileged_userns_clone) == 0 ]]; then
    why_no_namespaces
  elif [[ $1 == *apparmor* ]]; then
    printf "the engine's AppArmor profile is likely in the way: docs/operations.md, 'Hosts with AppArmor'"
  else
    printf "docs/operations.md, 'When something fails'; './deploy.sh up --embedded' runs on the host itself"
  fi
}

# Images and volumes, the database among them; what can be seen of an engine on this machine.
check_engine_disk() {
  local root free_kb
  root=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null) && free_kb=$(df -Pk -- "$root" 2>/dev/null | awk 'NR == 2 {print $4}') && [[ -n $free_kb ]] || return 0
  if ((free_kb > 4194304)); then good "$((free_kb / 1048576)) GB free for the engine's images and volumes"; else bad "only $((free_kb / 1024)) MB free for the engine's images and volumes" "free at least 4 GB on the disk of $root (docker image prune)"; fi
}

check_fleet() {
  local reason
  if ! fleet_runs; then
    if reason=$(refuse_taken_fleet_port 2>&1); then
      good "the fleet (Compose project $PROJECT) does not run; port $PORT is free"
    else
      bad "the fleet (Compose project $PROJECT) does not run, and cannot" "${reason#✗ }"
    fi
    return
  fi
  local service state
  while read -r _ service state; do
    if [[ $state == healthy ]]; then good "$service is healthy"; else bad "$service is $state" "./deploy.sh logs"; fi
  done < <(container_states | sort | uniq -c)
}
