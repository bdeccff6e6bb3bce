/* Pid 1 of a container that is one sandbox. The engine has made everything around it; it connects the channel, starts the runtime
   under limits and the filter, does what the service orders, and ends with everything else. What the launcher's init is on a host
   that nests namespaces. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHANNEL = 3, LIMITS = 5, INSTRUCTIONS_MOST = 4096 };
#define PLACE "/opt/sandbox/channel/"
#define FILTER "/opt/sandbox/seccomp.bpf"

static int control = -1;
static struct sock_filter instructions[INSTRUCTIONS_MOST];
static struct sock_fprog program = {.filter = instructions};

/* What cannot be sent is lost: who should read it is gone, and the container is about to be. */
static void tell(const char *line) {
  ssize_t sent = send(control, line, strlen(line), MSG_NOSIGNAL);
  (void)sent;
}

__attribute__((noreturn)) static void unable(const char *step) {
  char line[160];
  snprintf(line, sizeof line, "unable %s (%s)\n", step, strerror(errno));
  tell(line);
  _exit(127);
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int handle = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (handle < 0 || connect(handle, (struct sockaddr *)&address, sizeof address) < 0) unable(path);
  return handle;
}

static void load_filter(void) {
  int file = open(FILTER, O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? -1 : read(file, instructions, sizeof instructions);
  if (length <= 0 || length % sizeof *instructions) unable("read the seccomp filter");
  program.len = length / sizeof *instructions;
  close(file);
}

static void limit(int resource, rlim_t value, const char *name) {
  struct rlimit both = {value, value};
  if (setrlimit(resource, &both) < 0) unable(name);
}

/* limits: MB of data, processes, files, MB of a file, seconds of CPU time. */
static void runtime_main(int channel, int output, const unsigned long *limits, char **environment, char **command) {
  if (prctl(PR_SET_DUMPABLE, 1) < 0) unable("become dumpable");
  if (setsid() < 0) unable("setsid");
  int own = dup(control), nothing = open("/dev/null", O_RDONLY);
  /* Above the four that stay, so that failures can still be told. */
  control = fcntl(own, F_DUPFD_CLOEXEC, 64);
  channel = fcntl(channel, F_DUPFD_CLOEXEC, 64);
  output = fcntl(output, F_DUPFD_CLOEXEC, 64);
  if (control < 0 || nothing < 0 || dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 || dup2(channel, CHANNEL) < 0)
    unable("lay out descriptors");
  if (close_range(CHANNEL + 1, 63, 0) < 0) unable("close descriptors");
  limit(RLIMIT_DATA, limits[0] << 20, "limit memory");
  limit(RLIMIT_NPROC, limits[1], "limit processes");
  limit(RLIMIT_FSIZE, limits[3] << 20, "limit file size");
  limit(RLIMIT_CPU, limits[4], "limit CPU time");
  limit(RLIMIT_CORE, 0, "limit core");
  limit(RLIMIT_MSGQUEUE, 0, "limit message queues");
  limit(RLIMIT_MEMLOCK, 64 << 10, "limit locked memory");
  limit(RLIMIT_SIGPENDING, 1024, "limit signals");
  limit(RLIMIT_NOFILE, limits[2], "limit files");
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGCHLD, SIG_DFL);
  umask(022);
  if (chdir("/workspace") < 0) unable("enter /workspace");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) unable("set no_new_privs");
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) unable("set the seccomp filter");
  execve(command[0], command, environment);
  unable("execute the runtime");
}

static void wake(int signal) { (void)signal; }

/* Their ends are heard of in ppoll and nowhere else. */
static void watch_children(void) {
  struct sigaction on_child = {.sa_handler = wake};
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  if (sigaction(SIGCHLD, &on_child, NULL) < 0 || sigprocmask(SIG_BLOCK, &children, NULL) < 0) unable("watch children");
}

/* Whoever is left dies and is waited for: after it, this process is alone. */
static void end_all(void) {
  kill(-1, SIGKILL);
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
    ;
}

static void tell_end(int status) {
  char line[64];
  snprintf(line, sizeof line, "ended %d %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  tell(line);
}

int main(int count, char **words) {
  /* init MB PROCESSES FILES MB SECONDS VARIABLE=VALUE… -- COMMAND… */
  unsigned long limits[LIMITS];
  int split = 0;
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NAME, "init");
  control = connect_to(PLACE "control");
  for (int index = LIMITS + 1; index < count && !split; index++)
    if (strcmp(words[index], "--") == 0) split = index;
  errno = EINVAL;
  if (!split || split + 1 >= count) unable("read its command line");
  for (int index = 0; index < LIMITS; index++) limits[index] = strtoul(words[index + 1], NULL, 10);
  char *mark = words[split];
  words[split] = NULL;
  char **environment = words + LIMITS + 1, **command = words + split + 1;
  load_filter();
  int channel = connect_to(PLACE "channel");
  int output = open(PLACE "output", O_WRONLY | O_CLOEXEC);
  if (output < 0) unable("open the output");

  watch_children();
  sigset_t none;
  sigemptyset(&none);
  pid_t runtime = fork();
  if (runtime < 0) unable("fork the runtime");
  if (runtime == 0) runtime_main(channel, output, limits, environment, command);
  close(channel);
  close(output);
  tell("made\n");
  /* Its child has its own copy of what it was started with. */
  words[split] = mark;
  for (int index = 0; index < count; index++) memset(words[index], 0, strlen(words[index]));
  memcpy(words[0], "init", sizeof "init");

  struct pollfd orders = {.fd = control, .events = POLLIN};
  bool frozen = false, over = false;
  for (;;) {
    int status;
    for (pid_t child; !over && (child = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (child != runtime) continue;
      end_all();
      /* The service may have questions about the container before it lets it go. */
      tell_end(status);
      over = true;
    }
    /* A process that was exiting while the others were stopped may leave an orphaned group, which the kernel continues. */
    if (frozen && !over) kill(-1, SIGSTOP);
    if (ppoll(&orders, 1, NULL, &none) <= 0) continue;
    char order;
    if (read(control, &order, 1) != 1 || order == 'k') break; /* The service is gone, or says so. */
    /* Reaches every process of this pid namespace and no other. */
    if (order == 'y') setpriority(PRIO_USER, 0, 19);
    if (order == 'f' || order == 't') {
      frozen = order == 'f';
      /* One call that the kernel makes atomic against fork: nothing escapes between two looks at a list. */
      kill(-1, frozen ? SIGSTOP : SIGCONT);
    }
  }
  if (!over) {
    end_all();
    tell("ended -1 9\n");
  }
  return 0;
}
