# For hosts whose AppArmor restricts user namespaces (Ubuntu 23.10 and newer) or confines containers with `docker-default`, which
# denies every mount. Unverified: no such host was at hand when this was written.
#
#   sudo apparmor_parser -r -W sandbox-image/apparmor.profile     # and again after a restart: copy it to /etc/apparmor.d/
#   docker run --security-opt apparmor=code-executor-worker …     # compose: security_opt; Kubernetes: appArmorProfile (Localhost)
#
# `docker-default` with three things more: user namespaces, and the mounts and the pivot_root that a sandbox is made of. They take
# effect in the namespaces that the launcher makes; the container has no capability to mount anything in its own.

abi <abi/4.0>,
#include <tunables/global>

profile code-executor-worker flags=(attach_disconnected,mediate_deleted) {
  #include <abstractions/base>

  network,
  file,
  # Inside a user namespace of its own the launcher holds these; the container itself has none.
  capability,

  userns,
  mount,
  umount,
  pivot_root,

  signal (receive) peer=unconfined,
  signal (receive) peer=runc,
  signal (send, receive) peer=code-executor-worker,
  ptrace (trace, read, tracedby, readby) peer=code-executor-worker,

  deny @{PROC}/* w,
  deny @{PROC}/{[^1-9s],[^1-9s][^0-9]*}** w,
  deny @{PROC}/sys/kernel/** w,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/kcore rwklx,

  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/cgroup/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
