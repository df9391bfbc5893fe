#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Where a program finds the descriptor of the renewal socket, and a waiting runtime what it is to run. */
#define RENEW_FD 3
#define HANDOVER_FD 4
#define FIRST_FREE_FD 10

static void run_child(const struct child *child, int renewal, int report) __attribute__((noreturn));
static void run_child(const struct child *child, int renewal, int report) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  struct rlimit files = {.rlim_cur = 65536, .rlim_max = 65536};
  setrlimit(RLIMIT_NOFILE, &files);
  setsid();
  int null = open("/dev/null", O_RDONLY);
  /* RENEW_FD may be the console's number here: the console has been copied by the time it is taken. */
  if (null >= 0 && dup2(null, 0) >= 0 && dup2(console_fd(), 1) >= 0 && dup2(console_fd(), 2) >= 0 &&
      dup2(renewal, RENEW_FD) >= 0 && (child->handover < 0 || dup2(child->handover, HANDOVER_FD) >= 0) &&
      setgroups(0, NULL) == 0 && setgid(PROGRAM_UID) == 0 && setuid(PROGRAM_UID) == 0 &&
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && chdir(child->directory) == 0)
    execvpe(child->argv[0], child->argv, child->environment);
  int error = errno;
  if (write(report, &error, sizeof error) < 0) _exit(126);
  _exit(127);
}

int child_descriptor(int fd) {
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
  close(fd);
  return moved;
}

int child_start(struct child child, pid_t *pid) {
  int pair[2], report[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || pipe2(report, O_CLOEXEC) < 0) return errno;
  int childs_end = child_descriptor(pair[1]), childs_report = child_descriptor(report[1]);
  *pid = fork();
  if (*pid == 0) run_child(&child, childs_end, childs_report);
  close(childs_end);
  close(childs_report);
  int error = *pid < 0 ? errno : 0;
  /* Says nothing when the child became the program. */
  if (*pid > 0 && read(report[0], &error, sizeof error) < 0) error = errno;
  close(report[0]);
  if (error == 0)
    renewal_watch(pair[0]);
  else
    close(pair[0]);
  return error;
}
