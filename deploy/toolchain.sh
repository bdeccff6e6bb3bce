# shellcheck shell=bash disable=SC2034 # NODE is read by the other parts
# What the service is run with: Node 24, the locked dependencies with Bun among them, and Debian's bubblewrap, Python and C
# compiler. Whatever is missing is installed, or the command that installs it is printed.

readonly NODE_MAJOR_NEEDED=24 NPM_NODE_MAJOR_NEEDED=20

# ---- Node and the dependencies

# Installs the dependencies unless those in node_modules are what the lockfile says, then sets NODE.
prepare_dependencies() {
  if ! dependencies_are_current; then install_dependencies; fi
  choose_node || die "$EXIT_PREREQUISITE" \
    "There is no Node $NODE_MAJOR_NEEDED for this machine ($(uname -m)): install Node $NODE_MAJOR_NEEDED or newer, then start again."
}

# Sets NODE to an absolute path of Node ≥ 24 that the service's account can run: the host's own, else the one npm brought.
choose_node() {
  local candidate
  for candidate in "$(command -v node || true)" "$ROOT/node_modules/node-linux-$(npm_architecture)/bin/node"; do
    if [[ ! -x $candidate ]] || (($(node_major "$candidate") < NODE_MAJOR_NEEDED)); then continue; fi
    candidate=$(realpath -- "$candidate")
    if [[ $candidate != "$ROOT"/* ]] && ((EUID == 0)) && [[ -n $SERVICE_UID ]] && ! as_service_user test -x "$candidate"; then continue; fi
    NODE=$candidate
    return 0
  done
  return 1
}

npm_architecture() {
  case $(uname -m) in
    x86_64) printf x64 ;;
    aarch64) printf arm64 ;;
    *) uname -m ;;
  esac
}

# 0 where there is none, or one that does not run here.
node_major() {
  local version
  version=$("$1" --version 2>/dev/null) || version=v0
  version=${version#v}
  printf '%s' "${version%%.*}"
}

dependencies_are_current() {
  [[ -d $ROOT/node_modules ]] || return 1
  [[ $(cat "$(lock_stamp)" 2>/dev/null) != "$(lock_hash)" ]] || return 0
  # A developer's own `npm install` leaves no stamp; what it installed is compared entry by entry.
  local node
  node=$(command -v node || printf %s "$ROOT/node_modules/node-linux-$(npm_architecture)/bin/node")
  "$node" "$ROOT/deploy/installed-matches-lockfile.mjs" "$ROOT" 2>/dev/null || return 1
  stamp_dependencies
}

lock_stamp() { printf %s "$ROOT/node_modules/.lockfile-sha256"; }
lock_hash() { sha256sum <"$ROOT/package-lock.json" | cut -d' ' -f1; }
# A checkout of somebody else's stays without a stamp: then they are compared each time.
stamp_dependencies() { lock_hash 2>/dev/null >"$(lock_stamp)" || true; } 2>/dev/null

install_dependencies() {
  local major log_file
  major=$(node_major "$(command -v node || true)")
  if ((major < NPM_NODE_MAJOR_NEEDED)) || ! command -v npm >/dev/null; then
    local found="found Node $major"
    ((major > 0)) || found='found none'
    ((major < NPM_NODE_MAJOR_NEEDED)) || found='npm is missing'
    die "$EXIT_PREREQUISITE" "Node $NPM_NODE_MAJOR_NEEDED or newer with npm is needed to install the dependencies ($found): install it from https://nodejs.org/en/download, then start again."
  fi
  log_file=$(mktemp)
  if ! as_checkout_owner mkdir -p "$ROOT/node_modules" 2>/dev/null || ! as_checkout_owner test -w "$ROOT/node_modules"; then
    die "$EXIT_PREREQUISITE" "The dependencies are missing and '$(id -un)' cannot write $ROOT/node_modules: run './deploy.sh up' as the checkout's owner, $(stat -c %U "$ROOT")."
  fi
  if ! (cd -- "$ROOT" && with_progress 'Installing the dependencies from the lockfile' "$log_file" \
    as_checkout_owner npm ci --ignore-scripts --no-audit --no-fund); then
    grep -v EBADENGINE "$log_file" >"$log_file.short" || true
    show_tail "$log_file.short" 12
    rm -f -- "$log_file" "$log_file.short"
    die "$EXIT_PREREQUISITE" "The dependencies could not be installed; npm's last lines are above. Is the registry ($(npm config get registry)) reachable?"
  fi
  rm -f -- "$log_file"
  stamp_dependencies
}

# What npm writes into a checkout of another user than root belongs to that user.
as_checkout_owner() {
  local owner
  owner=$(stat -c %U -- "$ROOT")
  if ((EUID == 0)) && [[ $owner != root ]] && id -u -- "$owner" >/dev/null 2>&1; then
    setpriv --reuid="$owner" --regid="$(id -g -- "$owner")" --init-groups env HOME="$(home_of "$owner")" "$@"
  else
    "$@"
  fi
}

# The path of the Bun that this processor can run, or nothing.
bun_path() {
  local folder
  case $(uname -m) in
    x86_64) if grep -qm1 avx2 /proc/cpuinfo; then folder='bun-linux-x64'; else folder='bun-linux-x64-baseline'; fi ;;
    aarch64) folder='bun-linux-aarch64' ;;
    *) return 1 ;;
  esac
  [[ -x $ROOT/node_modules/@oven/$folder/bin/bun ]] && printf %s "$ROOT/node_modules/@oven/$folder/bin/bun"
}

# ---- Debian packages

# Installs what is missing of bubblewrap, python3, a C compiler and curl; goes on where the service can do without.
prepare_system_packages() {
  local missing=()
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  install_packages "${missing[@]}" || true
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  if ! has_bubblewrap && ! has_compiler; then
    die "$EXIT_PREREQUISITE" "Neither bubblewrap nor a C compiler is here, so no sandbox can be made. Install them with: $(install_command "${missing[@]}")"
  fi
  local package
  for package in "${missing[@]}"; do
    case $package in
      bubblewrap) warn "Without bubblewrap no stdio MCP server is started. Install it with: $(install_command bubblewrap)" ;;
      python3) warn "Without Python 3 no Python program runs. Install it with: $(install_command python3)" ;;
      gcc) warn "Without a C compiler sandboxes are made by bubblewrap, which is slower. Install one with: $(install_command gcc libc6-dev)" ;;
      curl) warn "The curl that is printed at the end needs: $(install_command curl)" ;;
    esac
  done
}

missing_packages() {
  has_bubblewrap || printf 'bubblewrap\n'
  has_python || printf 'python3\n'
  has_compiler || printf 'gcc\nlibc6-dev\n'
  command -v curl >/dev/null || printf 'curl\n'
}

has_bubblewrap() { [[ -n $(system_command bwrap) ]]; }
has_python() { [[ -n $(system_command python3) ]]; }
has_compiler() { [[ -n $(system_command cc)$(system_command gcc) && -e /usr/include/stdio.h ]]; }

# Where the service's account finds a command: root's own PATH (a version manager in /root, say) does not count.
system_command() {
  if ((EUID == 0)); then PATH=/usr/local/bin:/usr/bin:/bin command -v "$1"; else command -v "$1"; fi || true
}

install_packages() {
  command -v apt-get >/dev/null || return 1
  local prefix=()
  if ((EUID != 0)); then
    sudo -n true 2>/dev/null || return 1
    prefix=(sudo -n)
  fi
  local log_file code=0
  log_file=$(mktemp)
  with_progress "Installing $* with apt-get" "$log_file" apt_install "${prefix[@]}" -- "$@" || code=$?
  ((code == 0)) || show_tail "$log_file" 6
  rm -f -- "$log_file"
  return "$code"
}

# The package lists are only fetched where the installation fails without.
apt_install() {
  local prefix=()
  while [[ $1 != -- ]]; do prefix+=("$1"); shift; done
  shift
  local install=("${prefix[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
  "${install[@]}" || { "${prefix[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update && "${install[@]}"; }
}

install_command() {
  if command -v apt-get >/dev/null; then
    local sudo=
    ((EUID == 0)) || sudo='sudo '
    printf '%sapt-get update && %sapt-get install -y %s' "$sudo" "$sudo" "$*"
  else
    printf "your system's package manager: %s" "$*"
  fi
}
