/*
 * Makes sandboxes for the service that started it, and nothing else. One thread, one control socket (descriptor 3).
 *
 * Lines of tab-separated fields, in:
 *   root DIR · channel DIR · seccomp FILE · bind SRC DST · device SRC DST · snapshots DIR · dir PATH · link TARGET PATH
 *   arg RUNTIME WORD · env RUNTIME NAME=VALUE                             what the root holds and what the runtimes are
 *   start                                                                  → `ready PROC SYSCTLS`, or `unable REASON` and exit
 *   boot ID TOKEN RUNTIME SNAPSHOT|- DATA_MB PROCESSES FILES FILE_MB WORKSPACE_MB TMP_MB SHM_MB INODES CPU_SECONDS yields|-
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
#include "launcher.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 1024, FIELDS = 16, LINE = 65536, YIELD_EVERY_MS = 110 };

struct sandbox {
  unsigned long id;
  pid_t init;
  int pidfd, output, command;
  bool used, ended, yields, has_yielded;
};

static struct runtime runtimes[8];
static struct sandbox sandboxes[SLOTS];
static struct report *reports;
static int channel_dir = -1, events = -1, yielding = 0;
static bool has_root = false;

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

void unable(const char *step, const char *subject) {
  say("unable\t%s %s: %s", step, subject, strerror(errno));
  exit(1);
}

bool write_text(int dir, const char *path, const char *text) {
  int file = openat(dir, path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  size_t length = strlen(text);
  bool ok = write(file, text, length) == (ssize_t)length;
  close(file);
  return ok;
}

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
  snprintf(address.sun_path, sizeof address.sun_path, "channel.sock");
  int handle = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (handle < 0) return -1;
  /* By way of the directory: its path may be longer than an address, and /proc/self hides this process from sandboxes. */
  bool connected = fchdir(channel_dir) == 0 && connect(handle, (struct sockaddr *)&address, sizeof address) == 0;
  if (chdir("/") < 0) unable("return to", "/");
  if (!connected || send(handle, token, strlen(token), MSG_NOSIGNAL) < 0 ||
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
  boot.yields = !strcmp(field[14], "yields");
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
  sandboxes[slot] = (struct sandbox){.id = strtoul(id, NULL, 10), .init = init, .pidfd = pidfd, .output = output[0], .command = command[1], .used = true, .has_yielded = boot.yields};
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
  } else if (!strcmp(order, "yield") && !sandbox->has_yielded) {
    /* A scheduling group of one's own weighs on a bare host; in a control group of a container only the priority does. */
    if (write(sandbox->command, "y", 1) < 0) syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL, 0);
    sandbox->has_yielded = sandbox->yields = true;
    yielding++;
    lower_one_share();
  }
}

static void configure(char **field, int fields) {
  const unsigned long plain = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  struct runtime *runtime;
  if (!strcmp(field[0], "root") && fields == 2) enter_namespaces(field[1]), has_root = true;
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
    if (!has_root || channel_dir < 0 || !program.len) errno = EINVAL, unable("start without", "root, channel and seccomp");
    finish_root();
    started = true;
    say("ready\t%s\t%s", (const char *[]){"fresh", "pids-only", "shared"}[sandbox_proc], has_sysctls ? "own" : "none");
  } else if (!started) configure(field, fields);
  else if (!strcmp(field[0], "boot") && fields == 15) boot_sandbox(field);
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
  /* An order may come to an init that is gone already. */
  signal(SIGPIPE, SIG_IGN);
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
