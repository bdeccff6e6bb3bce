/* What runs in a new sandbox: its init, and the process that becomes the runtime. */
#define _GNU_SOURCE
#include "launcher.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void stop_because(struct report *report, const char *step) {
  report->error = errno;
  snprintf(report->step, sizeof report->step, "%s", step);
  _exit(127);
}

static void limit(struct boot *boot, int resource, rlim_t value, const char *name) {
  struct rlimit both = {value, value};
  if (setrlimit(resource, &both) < 0) stop_because(boot->report, name);
}

static void drop_capabilities(struct report *report) {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) stop_because(report, "drop the bounding set");
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0}, {0}};
  if (syscall(SYS_capset, &header, none) < 0) stop_because(report, "drop capabilities");
}

/* Where their number cannot be limited, one program could use up all that the user has. `program` judges the architecture. */
static void forbid_inotify(struct report *report) {
  struct sock_filter calls[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef SYS_inotify_init
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_inotify_init, 1, 0),
#endif
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_inotify_init1, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EMFILE),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {.len = sizeof calls / sizeof calls[0], .filter = calls};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) stop_because(report, "forbid inotify");
}

/* The process that becomes the runtime: first of the inner user namespace. */
static void runtime_main(struct boot *boot) {
  struct report *report = boot->report;
  char self[32] = "";
  /* Init is not dumpable, and neither is a copy of it: /proc/self would belong to nobody. */
  if (prctl(PR_SET_DUMPABLE, 1) < 0) stop_because(report, "become dumpable");
  if (readlinkat(host_proc, "self", self, sizeof self - 1) > 0) report->runtime_pid = atoi(self);
  if (!write_text(host_proc, "self/setgroups", "deny") || !write_text(host_proc, "self/uid_map", "1000 1000 1") ||
      !write_text(host_proc, "self/gid_map", "1000 1000 1"))
    stop_because(report, "map ids");
  /* Instances are counted for the outer user too, who has 128 for all its sandboxes and itself. A kernel without them has no file. */
  if (has_sysctls && !write_text(host_proc, "sys/user/max_inotify_instances", "8") && errno != ENOENT) stop_because(report, "limit inotify instances");
  if (has_sysctls && !write_text(host_proc, "sys/user/max_inotify_watches", "4096") && errno != ENOENT) stop_because(report, "limit inotify watches");
  /* A session is a scheduling group of its own on a bare host. Who yields stays in the launcher's, with all others that do. */
  if ((boot->yields ? setpgid(0, 0) : setsid()) < 0) stop_because(report, "leave the launcher's process group");
  int nothing = open("/dev/null", O_RDONLY);
  if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(boot->output, 1) < 0 || dup2(boot->output, 2) < 0 || dup2(boot->channel, CHANNEL) < 0)
    stop_because(report, "lay out descriptors");
  if (close_range(CHANNEL + 1, ~0U, 0) < 0) stop_because(report, "close descriptors");
  limit(boot, RLIMIT_DATA, boot->data_mb << 20, "limit memory");
  limit(boot, RLIMIT_NPROC, boot->processes, "limit processes");
  limit(boot, RLIMIT_NOFILE, boot->files, "limit files");
  limit(boot, RLIMIT_FSIZE, boot->file_mb << 20, "limit file size");
  limit(boot, RLIMIT_CPU, boot->cpu_seconds, "limit CPU time");
  limit(boot, RLIMIT_CORE, 0, "limit core");
  limit(boot, RLIMIT_MSGQUEUE, 0, "limit message queues");
  limit(boot, RLIMIT_MEMLOCK, 64 << 10, "limit locked memory");
  limit(boot, RLIMIT_SIGPENDING, 1024, "limit signals");
  drop_capabilities(report);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL); /* The launcher ignores it, which would be inherited. */
  umask(022);
  if (chdir("/workspace") < 0) stop_because(report, "enter /workspace");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) stop_because(report, "set no_new_privs");
  if (!has_sysctls) forbid_inotify(report);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) stop_because(report, "set the seccomp filter");
  execve(boot->runtime->argv[0], boot->runtime->argv, boot->runtime->environment);
  stop_because(report, "execute the runtime");
}

static void mount_private(struct report *report, const char *path, unsigned long megabytes, unsigned long inodes, const char *mode) {
  char options[96];
  snprintf(options, sizeof options, "size=%lum,nr_inodes=%lu,mode=%s", megabytes, inodes, mode);
  if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0) stop_because(report, path);
}

static void mount_all(struct boot *boot) {
  struct report *report = boot->report;
  char snapshot[PATH_MAX];
  if (sandbox_proc != PROC_SHARED) {
    int proc = make_proc(sandbox_proc == PROC_PIDS_ONLY);
    if (proc < 0) stop_because(report, "mount /proc");
    if (umount2("/proc", MNT_DETACH) < 0) stop_because(report, "detach the host's /proc");
    if (syscall(SYS_move_mount, proc, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0) stop_because(report, "move /proc");
  }
  mount_private(report, "/workspace", boot->workspace_mb, boot->inodes, "755");
  mount_private(report, "/tmp", boot->tmp_mb, boot->inodes, "1777");
  mount_private(report, "/dev/shm", boot->shm_mb, boot->inodes, "1777");
  if (mkdir("/workspace/servers", 0555) < 0) stop_because(report, "make /workspace/servers");
  if (boot->snapshot) {
    snprintf(snapshot, sizeof snapshot, "/.snapshots/%s", boot->snapshot);
    if (mount(snapshot, "/workspace/servers", NULL, MS_BIND, NULL) < 0) stop_because(report, "bind the wrapper snapshot");
  }
  if (umount2("/.snapshots", MNT_DETACH) < 0) stop_because(report, "detach the other snapshots");
}

static void raise_loopback(struct report *report) {
  /* What lies unread in sockets belongs to no process; these are the largest that TCP grows a socket's buffers to. */
  if (has_sysctls && (!write_text(host_proc, "sys/net/ipv4/tcp_wmem", "4096 16384 131072") ||
                      !write_text(host_proc, "sys/net/ipv4/tcp_rmem", "4096 131072 131072")))
    stop_because(report, "limit socket buffers");
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int handle = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (handle < 0 || ioctl(handle, SIOCSIFFLAGS, &request) < 0) stop_because(report, "raise the loopback interface");
  close(handle);
}

static void wake(int signal) { (void)signal; }

void init_main(struct boot *boot) {
  struct report *report = boot->report;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "init");
  if (boot->yields && setpriority(PRIO_PROCESS, 0, 19) < 0) stop_because(report, "yield");
  if (!write_text(host_proc, "self/oom_score_adj", "1000")) stop_because(report, "set oom_score_adj");
  if (prctl(PR_SET_DUMPABLE, 0) < 0) stop_because(report, "become undumpable");
  mount_all(boot);
  raise_loopback(report);

  sigset_t children, none;
  sigemptyset(&none);
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  struct sigaction on_child = {.sa_handler = wake};
  if (sigprocmask(SIG_BLOCK, &children, NULL) < 0 || sigaction(SIGCHLD, &on_child, NULL) < 0) stop_because(report, "watch children");
  pid_t runtime = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
  if (runtime < 0) stop_because(report, "clone the runtime");
  if (runtime == 0) runtime_main(boot);

  if (dup2(boot->command, 0) < 0 || close_range(1, ~0U, 0) < 0) stop_because(report, "close descriptors");
  drop_capabilities(report);
  struct pollfd command = {.fd = 0, .events = POLLIN};
  bool frozen = false;
  for (;;) {
    int status;
    for (pid_t child; (child = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (child != runtime) continue;
      report->status = status;
      report->has_status = 1;
      _exit(0);
    }
    /* A process that was exiting while the others were stopped may leave an orphaned group, which the kernel continues.
       Orphans are init's, so it hears of that at once. */
    if (frozen) kill(-1, SIGSTOP);
    if (ppoll(&command, 1, NULL, &none) <= 0) continue;
    char order;
    if (read(0, &order, 1) != 1) _exit(0); /* The launcher is gone. */
    if (order == 'y') {
      /* Reaches every process of this pid namespace and no other, whoever's they are. */
      setpriority(PRIO_USER, 0, 19);
      continue;
    }
    /* One call that the kernel makes atomic against fork: nothing escapes between two looks at a list. */
    frozen = order == 'f';
    kill(-1, frozen ? SIGSTOP : SIGCONT);
  }
}
