/*
 * Makes sandboxes for the service that started it, and nothing else. One thread, one control socket (descriptor 3).
 *
 * Lines of tab-separated fields, in:
 *   root DIR · channel DIR · seccomp FILE · bind SRC DST · device SRC DST · snapshots DIR · dir PATH · link TARGET PATH
 *   arg RUNTIME WORD · env RUNTIME NAME=VALUE                             what the root holds and what the runtimes are
 *   start                                                                  → `ready`, or `unable REASON` and exit
 *   boot ID TOKEN RUNTIME SNAPSHOT|- DATA_MB PROCESSES FILES FILE_MB WORKSPACE_MB TMP_MB SHM_MB INODES CPU_SECONDS
 *                                                                          → `made ID PID OUTPUT_FD`, later `ended …`
 *   kill ID · freeze ID · thaw ID · yield ID
 *   free ID                                                                gives back the slot of an ended sandbox
 * and out, besides those: `ended ID EXIT_CODE SIGNAL REASON`; EXIT_CODE is -1 where a signal ended the runtime, REASON is
 * `-` unless the sandbox could not be made.
 *
 * Who is who: the launcher and every sandbox's init live in one user namespace, which owns the sandboxes' other namespaces.
 * The program lives in a user namespace below that owns nothing, so nothing in it can mount, signal or look at init.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTROL = 3, CHANNEL = 3, SLOTS = 1024, WORDS = 24, FIELDS = 16, LINE = 65536, INNER_ID = 1000, YIELD_EVERY_MS = 110 };
enum { FILTER_MAX = 4096 };

struct runtime {
  char name[32];
  char *argv[WORDS + 1];
  char *environment[WORDS + 1];
  int words, variables;
};

/* What a sandbox's own processes tell the launcher, in memory they share until the runtime is executed. */
struct report {
  int status; /* as wait(2) gives it; valid if has_status */
  int has_status;
  int runtime_pid;
  int error;
  char step[48];
};

struct sandbox {
  unsigned long id;
  pid_t init;
  int pidfd, output, command;
  bool used, ended, yields;
};

struct boot {
  struct runtime *runtime;
  const char *snapshot;
  unsigned long data_mb, processes, files, file_mb, workspace_mb, tmp_mb, shm_mb, inodes, cpu_seconds;
  int channel, output, command;
  struct report *report;
};

static struct runtime runtimes[8];
static struct sandbox sandboxes[SLOTS];
static struct report *reports;
static struct sock_filter filter[FILTER_MAX];
static struct sock_fprog program = {.len = 0, .filter = filter};
static char root_dir[PATH_MAX];
static int channel_dir = -1, host_proc = -1, events = -1, yielding = 0;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  for (int sent = 0; sent < length;) {
    ssize_t part = send(CONTROL, line + sent, length - sent, MSG_NOSIGNAL);
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0) exit(0); /* The service is gone; the sandboxes die with this process. */
    sent += part;
  }
}

static void unable(const char *step, const char *subject) {
  say("unable\t%s %s: %s", step, subject, strerror(errno));
  exit(1);
}

static bool write_text(int dir, const char *path, const char *text) {
  int file = openat(dir, path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  size_t length = strlen(text);
  bool ok = write(file, text, length) == (ssize_t)length;
  close(file);
  return ok;
}

static int set_mount_flags(const char *path, unsigned long flags, bool recursive) {
  struct mount_attr attributes = {.attr_set = flags};
  return syscall(SYS_mount_setattr, AT_FDCWD, path, recursive ? AT_RECURSIVE : 0, &attributes, sizeof attributes);
}

/* ---- The template root: built once, copied by every sandbox's mount namespace ---- */

static void make_parents(char *path) {
  for (char *slash = strchr(path + strlen(root_dir) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (mkdir(path, 0755) < 0 && errno != EEXIST) unable("make directory", path);
    *slash = '/';
  }
}

static char *inside(const char *path) {
  static char full[2 * PATH_MAX];
  snprintf(full, sizeof full, "%s%s", root_dir, path);
  make_parents(full);
  return full;
}

static void add_directory(const char *path) {
  char *target = inside(path);
  if (mkdir(target, 0755) < 0 && errno != EEXIST) unable("make directory", target);
}

static void add_link(const char *to, const char *path) {
  if (symlink(to, inside(path)) < 0) unable("link", path);
}

static void add_bind(const char *source, const char *path, unsigned long flags) {
  struct stat found;
  if (stat(source, &found) < 0) unable("look at", source);
  char *target = inside(path);
  if (S_ISDIR(found.st_mode)) {
    if (mkdir(target, 0755) < 0 && errno != EEXIST) unable("make directory", target);
  } else {
    int file = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
    if (file < 0) unable("make file", target);
    close(file);
  }
  if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0) unable("bind", source);
  if (set_mount_flags(target, flags, true) < 0) unable("make read-only", source);
}

static void load_filter(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) unable("open", path);
  ssize_t bytes = read(file, filter, sizeof filter);
  close(file);
  if (bytes <= 0 || bytes % sizeof filter[0]) errno = EINVAL, unable("read filter", path);
  program.len = bytes / sizeof filter[0];
}

static void enter_namespaces(const char *dir) {
  char uids[64], gids[64];
  snprintf(uids, sizeof uids, "%d %d 1", INNER_ID, getuid());
  snprintf(gids, sizeof gids, "%d %d 1", INNER_ID, getgid());
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) < 0) unable("unshare", "user and mount namespaces");
  if (!write_text(AT_FDCWD, "/proc/self/setgroups", "deny")) unable("write", "setgroups");
  if (!write_text(AT_FDCWD, "/proc/self/uid_map", uids)) unable("write", "uid_map");
  if (!write_text(AT_FDCWD, "/proc/self/gid_map", gids)) unable("write", "gid_map");
  /* Hides the path of the service's control group; a kernel without control groups has nothing to hide. */
  if (unshare(CLONE_NEWCGROUP) < 0 && errno != EINVAL) unable("unshare", "cgroup namespace");
  if (sethostname("sandbox", 7) < 0) unable("set", "host name");
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) unable("make private", "/");
  if (mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,nr_inodes=2048,mode=755") < 0) unable("mount tmpfs on", dir);
  snprintf(root_dir, sizeof root_dir, "%s", dir);
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* Again: changing credentials may clear it. */
}

static void finish_root(void) {
  add_directory("/workspace");
  add_directory("/tmp");
  add_directory("/dev/shm");
  /* The kernel lets a new /proc be mounted only where a whole one can be seen already; init takes this one away. */
  char *proc = inside("/proc");
  if (mkdir(proc, 0555) < 0) unable("make directory", proc);
  if (mount("/proc", proc, NULL, MS_BIND | MS_REC, NULL) < 0) unable("bind", "/proc");
  if (set_mount_flags(root_dir, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false) < 0) unable("make read-only", "/");
  if (chdir(root_dir) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) unable("pivot to", root_dir);
  if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) unable("detach", "the host's root");
  host_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (host_proc < 0) unable("open", "/proc");
}

/* ---- Inside a new sandbox ---- */

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
  if (setsid() < 0) stop_because(report, "setsid");
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
  umask(022);
  if (chdir("/workspace") < 0) stop_because(report, "enter /workspace");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) stop_because(report, "set no_new_privs");
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
  int fs = syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
  if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) stop_because(report, "make /proc");
  /* Read-only, or a program could lower its oom_score_adj again. */
  int proc = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (proc < 0) stop_because(report, "mount /proc");
  if (umount2("/proc", MNT_DETACH) < 0) stop_because(report, "detach the host's /proc");
  if (syscall(SYS_move_mount, proc, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0) stop_because(report, "move /proc");
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
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int handle = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (handle < 0 || ioctl(handle, SIOCSIFFLAGS, &request) < 0) stop_because(report, "raise the loopback interface");
  close(handle);
}

static void wake(int signal) { (void)signal; }

/* Pid 1 of a sandbox: makes it, starts the runtime, reaps, and by exiting takes everything with it. */
static void init_main(struct boot *boot) {
  struct report *report = boot->report;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "init");
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
  for (;;) {
    int status;
    for (pid_t child; (child = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (child != runtime) continue;
      report->status = status;
      report->has_status = 1;
      _exit(0);
    }
    if (ppoll(&command, 1, NULL, &none) <= 0) continue;
    char order;
    if (read(0, &order, 1) != 1) _exit(0); /* The launcher is gone. */
    /* One call that the kernel makes atomic against fork: nothing escapes between two looks at a list. */
    kill(-1, order == 'f' ? SIGSTOP : SIGCONT);
  }
}

/* ---- The launcher's own loop ---- */

static struct runtime *runtime_named(const char *name, bool make) {
  for (size_t index = 0; index < sizeof runtimes / sizeof runtimes[0]; index++) {
    if (!strcmp(runtimes[index].name, name)) return &runtimes[index];
    if (runtimes[index].name[0]) continue;
    if (!make) return NULL;
    snprintf(runtimes[index].name, sizeof runtimes[index].name, "%s", name);
    return &runtimes[index];
  }
  return NULL;
}

static struct sandbox *sandbox_with(const char *id) {
  unsigned long wanted = strtoul(id, NULL, 10);
  for (int slot = 0; slot < SLOTS; slot++)
    if (sandboxes[slot].used && sandboxes[slot].id == wanted) return &sandboxes[slot];
  return NULL;
}

static int connect_channel(const char *token) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/channel.sock", channel_dir);
  int handle = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (handle < 0) return -1;
  if (connect(handle, (struct sockaddr *)&address, sizeof address) < 0 || send(handle, token, strlen(token), MSG_NOSIGNAL) < 0 ||
      fcntl(handle, F_SETFL, 0) < 0) {
    close(handle);
    return -1;
  }
  return handle;
}

static void close_all(const int *handles, int count) {
  for (int index = 0; index < count; index++)
    if (handles[index] >= 0) close(handles[index]);
}

static void boot_sandbox(char **field) {
  const char *id = field[1];
  int slot = 0, output[2] = {-1, -1}, command[2] = {-1, -1}, channel = -1, pidfd = -1;
  while (slot < SLOTS && sandboxes[slot].used) slot++;
  struct runtime *runtime = runtime_named(field[3], false);
  if (slot == SLOTS || !runtime) {
    say("ended\t%s\t-1\t0\t%s", id, runtime ? "every slot is taken" : "no such runtime");
    return;
  }
  struct boot boot = {.runtime = runtime, .snapshot = strcmp(field[4], "-") ? field[4] : NULL, .report = &reports[slot]};
  unsigned long *numbers[] = {&boot.data_mb, &boot.processes, &boot.files,  &boot.file_mb,    &boot.workspace_mb,
                              &boot.tmp_mb,  &boot.shm_mb,    &boot.inodes, &boot.cpu_seconds};
  for (size_t index = 0; index < sizeof numbers / sizeof numbers[0]; index++) *numbers[index] = strtoul(field[5 + index], NULL, 10);
  memset(boot.report, 0, sizeof *boot.report);

  const char *step = "connect the channel";
  if ((channel = connect_channel(field[2])) < 0) goto failed;
  step = "make pipes";
  if (pipe2(output, O_CLOEXEC) < 0 || pipe2(command, O_CLOEXEC) < 0) goto failed;
  boot.channel = channel, boot.output = output[1], boot.command = command[0];
  step = "make namespaces";
  long init = syscall(SYS_clone, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD | SIGCHLD, NULL, &pidfd,
                      NULL, NULL);
  if (init < 0) goto failed;
  if (init == 0) init_main(&boot);

  close_all((int[]){channel, output[1], command[0]}, 3);
  sandboxes[slot] = (struct sandbox){.id = strtoul(id, NULL, 10), .init = init, .pidfd = pidfd, .output = output[0], .command = command[1], .used = true};
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = slot};
  if (epoll_ctl(events, EPOLL_CTL_ADD, pidfd, &event) < 0) unable("watch", id);
  say("made\t%s\t%ld\t%d", id, init, output[0]);
  return;

failed:
  say("ended\t%s\t-1\t0\t%s: %s", id, step, strerror(errno));
  close_all((int[]){channel, output[0], output[1], command[0], command[1]}, 5);
}

static void sandbox_ended(int slot) {
  struct sandbox *sandbox = &sandboxes[slot];
  struct report *report = &reports[slot];
  siginfo_t info;
  if (waitid(P_PIDFD, sandbox->pidfd, &info, WEXITED) < 0) unable("wait for", "a sandbox");
  /* By hand: a sandbox that is being cloned may still hold copies of both, and closing alone would not end the watch. */
  epoll_ctl(events, EPOLL_CTL_DEL, sandbox->pidfd, NULL);
  int status = report->has_status ? report->status : info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
  close(sandbox->pidfd);
  close(sandbox->command);
  sandbox->ended = true;
  if (sandbox->yields) yielding--, sandbox->yields = false;
  say("ended\t%lu\t%d\t%d\t%s%s%s", sandbox->id, WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
      report->step[0] ? report->step : "-", report->step[0] ? ": " : "", report->step[0] ? strerror(report->error) : "");
}

/* Without privilege the kernel takes one such write in 100 ms from the whole machine, so they queue. */
static void lower_one_share(void) {
  for (int slot = 0; slot < SLOTS; slot++) {
    if (!sandboxes[slot].used || !sandboxes[slot].yields) continue;
    char path[64];
    snprintf(path, sizeof path, "%d/autogroup", reports[slot].runtime_pid);
    if (!write_text(host_proc, path, "19") && errno == EAGAIN) return;
    sandboxes[slot].yields = false;
    yielding--;
    return;
  }
}

static void order_sandbox(const char *order, struct sandbox *sandbox) {
  if (!strcmp(order, "free")) {
    if (!sandbox->ended) return;
    close(sandbox->output);
    sandbox->used = false;
  } else if (sandbox->ended) {
    return;
  } else if (!strcmp(order, "kill")) {
    syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL, 0);
  } else if (!strcmp(order, "freeze") || !strcmp(order, "thaw")) {
    if (write(sandbox->command, order, 1) < 0) syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL, 0);
  } else if (!strcmp(order, "yield") && !sandbox->yields) {
    sandbox->yields = true;
    yielding++;
    lower_one_share();
  }
}

static void configure(char **field, int fields) {
  const unsigned long plain = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  struct runtime *runtime;
  if (!strcmp(field[0], "root") && fields == 2) enter_namespaces(field[1]);
  else if (!strcmp(field[0], "channel") && fields == 2) {
    if ((channel_dir = open(field[1], O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) unable("open", field[1]);
  } else if (!strcmp(field[0], "seccomp") && fields == 2) load_filter(field[1]);
  else if (!strcmp(field[0], "bind") && fields == 3) add_bind(field[1], field[2], plain);
  else if (!strcmp(field[0], "device") && fields == 3) add_bind(field[1], field[2], MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  else if (!strcmp(field[0], "snapshots") && fields == 2) add_bind(field[1], "/.snapshots", plain | MOUNT_ATTR_NOEXEC);
  else if (!strcmp(field[0], "dir") && fields == 2) add_directory(field[1]);
  else if (!strcmp(field[0], "link") && fields == 3) add_link(field[1], field[2]);
  else if (!strcmp(field[0], "arg") && fields == 3 && (runtime = runtime_named(field[1], true)) && runtime->words < WORDS)
    runtime->argv[runtime->words++] = strdup(field[2]);
  else if (!strcmp(field[0], "env") && fields == 3 && (runtime = runtime_named(field[1], true)) && runtime->variables < WORDS)
    runtime->environment[runtime->variables++] = strdup(field[2]);
  else errno = EINVAL, unable("understand", field[0]);
}

static void obey(char *line) {
  static bool started = false;
  char *field[FIELDS] = {0};
  int fields = 0;
  for (char *word; fields < FIELDS && (word = strsep(&line, "\t"));) field[fields++] = word;
  struct sandbox *sandbox;
  if (!started && !strcmp(field[0], "start")) {
    if (!root_dir[0] || channel_dir < 0 || !program.len) errno = EINVAL, unable("start without", "root, channel and seccomp");
    finish_root();
    started = true;
    say("ready");
  } else if (!started) configure(field, fields);
  else if (!strcmp(field[0], "boot") && fields == 14) boot_sandbox(field);
  else if (fields == 2 && (sandbox = sandbox_with(field[1]))) order_sandbox(field[0], sandbox);
}

static void read_orders(void) {
  static char buffer[LINE];
  static size_t held = 0;
  ssize_t got = recv(CONTROL, buffer + held, sizeof buffer - held, 0);
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) exit(0); /* The service is gone, or sent a line that is too long. */
  held += got;
  char *line = buffer, *end;
  while ((end = memchr(line, '\n', buffer + held - line))) {
    *end = 0;
    obey(line);
    line = end + 1;
  }
  held -= line - buffer;
  memmove(buffer, line, held);
}

int main(int argc, char **argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getuid() == 0 || geteuid() == 0) {
    errno = EPERM;
    unable("make sandboxes as", "root (the outer uid must not be 0)");
  }
  /* Every sandbox's init is a copy of this process, and its command line can be read inside. */
  size_t words = 0;
  for (int index = 0; index < argc; index++) words += strlen(argv[index]) + 1;
  memset(argv[0], 0, words);
  memcpy(argv[0], "init", words < 5 ? words - 1 : 4);
  setsid();
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
  reports = mmap(NULL, sizeof *reports * SLOTS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  events = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event control = {.events = EPOLLIN, .data.u32 = SLOTS}, ready[64];
  if (reports == MAP_FAILED || events < 0 || epoll_ctl(events, EPOLL_CTL_ADD, CONTROL, &control) < 0) unable("set up", "the event loop");
  for (;;) {
    int count = epoll_wait(events, ready, 64, yielding ? YIELD_EVERY_MS : -1);
    for (int index = 0; index < count; index++) {
      if (ready[index].data.u32 == SLOTS) read_orders();
      else sandbox_ended(ready[index].data.u32);
    }
    if (yielding) lower_one_share();
  }
}
