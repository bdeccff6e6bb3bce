/* What the launcher's three files share: root.c builds the template root, sandbox.c is what runs in a new sandbox. */
#ifndef LAUNCHER_H
#define LAUNCHER_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/filter.h>
#include <stdbool.h>

enum { CONTROL = 3, CHANNEL = 3, WORDS = 24, INNER_ID = 1000 };

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

struct boot {
  struct runtime *runtime;
  const char *snapshot; /* below /.snapshots; NULL: none */
  unsigned long data_mb, processes, files, file_mb, workspace_mb, tmp_mb, shm_mb, inodes, cpu_seconds;
  bool yields;
  int channel, output, command;
  struct report *report;
};

/* What a sandbox's /proc is. The kernel lets a new one be mounted only where a whole one can be seen already; a container
   engine that masks parts of the container's leaves PROC_SHARED: the container's own, read-only, without who was there first. */
enum proc { PROC_FRESH, PROC_PIDS_ONLY, PROC_SHARED };

/* The host's /proc, which shows this process as the host sees it. */
extern int host_proc;
extern enum proc sandbox_proc;
/* Whether /proc/sys can be written, where the limits of a namespace's own sockets and inotify instances are set. */
extern bool has_sysctls;
extern struct sock_fprog program;

/* Tells the service why no sandbox can be made, with errno, and ends the launcher. */
__attribute__((noreturn)) void unable(const char *step, const char *subject);
bool write_text(int dir, const char *path, const char *text);

void enter_namespaces(const char *root_dir);
void load_filter(const char *path);
void add_directory(const char *path);
void add_link(const char *to, const char *path);
void add_bind(const char *source, const char *path, unsigned long flags);
void finish_root(void);
/* Makes a /proc for the pid namespace of who calls; its descriptor, or -1 with errno. */
int make_proc(bool pids_only);

/* Pid 1 of a sandbox: makes it, starts the runtime, reaps, and by exiting takes everything with it. */
__attribute__((noreturn)) void init_main(struct boot *boot);

#endif
