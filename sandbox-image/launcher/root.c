/* The template root: built once, copied by every sandbox's mount namespace. */
#define _GNU_SOURCE
#include "launcher.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILTER_MAX = 4096 };

int host_proc = -1;
enum proc sandbox_proc = PROC_FRESH;
bool has_sysctls = true;
static struct sock_filter filter[FILTER_MAX];
struct sock_fprog program = {.len = 0, .filter = filter};
static char root_dir[PATH_MAX];

static int set_mount_flags(const char *path, unsigned long flags, bool recursive) {
  struct mount_attr attributes = {.attr_set = flags};
  return syscall(SYS_mount_setattr, AT_FDCWD, path, recursive ? AT_RECURSIVE : 0, &attributes, sizeof attributes);
}

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

void add_directory(const char *path) {
  char *target = inside(path);
  if (mkdir(target, 0755) < 0 && errno != EEXIST) unable("make directory", target);
}

void add_link(const char *to, const char *path) {
  if (symlink(to, inside(path)) < 0) unable("link", path);
}

void add_bind(const char *source, const char *path, unsigned long flags) {
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

void load_filter(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) unable("open", path);
  ssize_t bytes = read(file, filter, sizeof filter);
  close(file);
  if (bytes <= 0 || bytes % sizeof filter[0]) errno = EINVAL, unable("read filter", path);
  program.len = bytes / sizeof filter[0];
}

void enter_namespaces(const char *dir) {
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

int make_proc(bool pids_only) {
  int fs = syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
  /* Read-only, or a program could lower its oom_score_adj again. */
  int proc = fs < 0 || (pids_only && syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0) ||
                     syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0
                 ? -1
                 : syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  int error = errno;
  if (fs >= 0) close(fs);
  errno = error;
  return proc;
}

/* Tried in a pid namespace like a sandbox's: the kernel decides at the mount. */
static enum proc best_proc(void) {
  int status;
  pid_t child = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child < 0) unable("make", "a pid namespace");
  if (child == 0) _exit(make_proc(false) >= 0 ? PROC_FRESH : errno != EPERM ? PROC_FRESH : make_proc(true) >= 0 ? PROC_PIDS_ONLY : PROC_SHARED);
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) unable("wait for", "the look at /proc");
  if (!WIFEXITED(status)) errno = EIO, unable("look at", "/proc");
  return WEXITSTATUS(status);
}

/* The service, this launcher and whatever else runs already; `nothing` is an empty directory. */
static void hide_processes(const char *nothing) {
  DIR *proc = opendir("/proc");
  if (!proc) unable("list", "/proc");
  for (struct dirent *entry; (entry = readdir(proc));) {
    char path[32];
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    snprintf(path, sizeof path, "/proc/%.16s", entry->d_name);
    if (mount(nothing, path, NULL, MS_BIND, NULL) < 0 && errno != ENOENT) unable("hide", path);
  }
  closedir(proc);
}

void finish_root(void) {
  add_directory("/workspace");
  add_directory("/tmp");
  add_directory("/dev/shm");
  /* The kernel lets a new /proc be mounted only where a whole one can be seen already; init takes this one away. */
  char *proc = inside("/proc");
  if (mkdir(proc, 0555) < 0) unable("make directory", proc);
  if (mount("/proc", proc, NULL, MS_BIND | MS_REC, NULL) < 0) unable("bind", "/proc");
  int whole_proc = syscall(SYS_open_tree, AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (whole_proc < 0) unable("copy", "/proc");
  if (set_mount_flags(root_dir, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false) < 0) unable("make read-only", "/");
  if (chdir(root_dir) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) unable("pivot to", root_dir);
  if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) unable("detach", "the host's root");
  struct statvfs sysctls;
  has_sysctls = statvfs("/proc/sys", &sysctls) == 0 && !(sysctls.f_flag & ST_RDONLY);
  sandbox_proc = best_proc();
  if (sandbox_proc == PROC_SHARED) {
    /* The launcher goes on in a copy of its own that it can write. */
    host_proc = whole_proc;
    if (set_mount_flags("/proc", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, true) < 0) unable("make read-only", "/proc");
    hide_processes("/workspace");
    return;
  }
  close(whole_proc);
  host_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (host_proc < 0) unable("open", "/proc");
}
