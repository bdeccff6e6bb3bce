// The floor: fresh bubblewrap sandboxes that run a runtime on one file, two at a time, from nothing but posix_spawn.
// usage: floor COUNT PARALLEL command [argument…]   prints: seconds for COUNT runs
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int left = atoi(argv[1]), parallel = atoi(argv[2]), running = 0;
  double start = now();
  while (left > 0 || running > 0) {
    while (left > 0 && running < parallel) {
      pid_t pid;
      int error = posix_spawnp(&pid, argv[3], NULL, NULL, argv + 3, environ);
      if (error != 0) {
        fprintf(stderr, "posix_spawn: %d\n", error);
        return 1;
      }
      left -= 1;
      running += 1;
    }
    int status;
    if (wait(&status) < 0 && errno != EINTR) return 1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      fprintf(stderr, "a run failed with status %d\n", status);
      return 1;
    }
    running -= 1;
  }
  printf("%.6f\n", now() - start);
  return 0;
}
