#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_STRINGS 2048
#define LISTEN_POLL_MS 4
#define RENEW_TIMEOUT_MS 1000
/* Where a program finds the descriptor of the renewal socket. */
#define RENEW_FD 3

static char *argv[MAX_STRINGS + 1], *environment[MAX_STRINGS + 1];
static size_t argv_count, environment_count;
static char *directory, *entrypoint;
static enum program_state state;
static pid_t pid;
static bool ipv6_only;
static bool renewable;
static void (*renew_done)(void);

static void on_child(struct watcher *watcher, uint32_t events);
static void on_listen_poll(struct watcher *watcher, uint32_t events);
static void on_renewal(struct watcher *watcher, uint32_t events);
static void on_renew_timeout(struct watcher *watcher, uint32_t events);

static struct watcher children = {.fd = -1, .on_event = on_child};
static struct watcher listen_timer = {.fd = -1, .on_event = on_listen_poll};
static struct watcher renewal = {.fd = -1, .on_event = on_renewal};
static struct watcher renew_timer = {.fd = -1, .on_event = on_renew_timeout};

static void set_timer(struct watcher *timer, long first_ms, long interval_ms) {
  struct itimerspec when = {.it_value.tv_nsec = first_ms % 1000 * 1000000,
                            .it_value.tv_sec = first_ms / 1000,
                            .it_interval.tv_nsec = interval_ms * 1000000};
  timerfd_settime(timer->fd, 0, &when, NULL);
  loop_watch(timer, first_ms == 0 ? 0 : EPOLLIN);
}

void program_init(void) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  children.fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  listen_timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  renew_timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (children.fd < 0 || listen_timer.fd < 0 || renew_timer.fd < 0) give_up("program: %s", strerror(errno));
  loop_watch(&children, EPOLLIN);
}

enum program_state program_state(void) { return state; }

const char *program_state_name(void) {
  static const char *names[] = {"idle", "starting", "ready", "exited"};
  return names[state];
}

bool program_listens_on_ipv6(void) { return ipv6_only; }

static bool has_env(const char *name) {
  size_t length = strlen(name);
  for (size_t i = 0; i < environment_count; i++)
    if (strncmp(environment[i], name, length) == 0 && environment[i][length] == '=') return true;
  return false;
}

const char *program_add_env(const char *name, const char *value) {
  if (name[0] == '\0' || strchr(name, '=') != NULL) return "configure: bad environment variable name";
  if (environment_count >= MAX_STRINGS) return "configure: too many environment variables";
  /* The first value given stays: what the host sets wins over the runtime and the defaults. */
  if (has_env(name)) return NULL;
  if (asprintf(&environment[environment_count], "%s=%s", name, value) < 0) return "out of memory";
  environment_count++;
  return NULL;
}

const char *program_add_argument(const char *argument) {
  if (argv_count >= MAX_STRINGS) return "configure: too many arguments";
  argv[argv_count] = strdup(argument);
  return argv[argv_count++] == NULL ? "out of memory" : NULL;
}

const char *program_set_directory(const char *path) {
  free(directory);
  directory = strdup(path);
  return directory == NULL ? "out of memory" : NULL;
}

const char *program_set_entrypoint(const char *name) {
  free(entrypoint);
  entrypoint = strdup(name);
  return entrypoint == NULL ? "out of memory" : NULL;
}

static const char *complete_configuration(void) {
  /* A command given by the host replaces the one of the runtime. */
  bool own_command = argv_count > 0;
  struct runtime_sink sink = {.argument = own_command ? NULL : program_add_argument, .env = program_add_env};
  const char *reason = runtime_read(&sink);
  if (reason == NULL && !own_command && argv_count == 0 && entrypoint != NULL && entrypoint[0] != '/') {
    char *path;
    if (asprintf(&path, "/code/%s", entrypoint) < 0) return "out of memory";
    free(entrypoint);
    entrypoint = path;
  }
  if (reason == NULL && !own_command && entrypoint != NULL) reason = program_add_argument(entrypoint);
  if (reason == NULL && argv_count == 0) reason = "start: configure gave neither cmd nor entrypoint";
  const char *defaults[][2] = {
      {"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", "/home/app"}, {"TMPDIR", "/tmp"}, {"LANG", "C.UTF-8"},
      {"PORT", "8080"}, {"HOST", "127.0.0.1"},
  };
  for (size_t i = 0; reason == NULL && i < sizeof defaults / sizeof *defaults; i++)
    reason = program_add_env(defaults[i][0], defaults[i][1]);
  return reason;
}

static void run_child(int renewal_fd, int error_fd) __attribute__((noreturn));
static void run_child(int renewal_fd, int error_fd) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  struct rlimit files = {.rlim_cur = 65536, .rlim_max = 65536};
  setrlimit(RLIMIT_NOFILE, &files);
  setsid();
  int null = open("/dev/null", O_RDONLY);
  /* RENEW_FD may be the console's number here: the console has been copied by the time it is taken. */
  if (null >= 0 && dup2(null, 0) >= 0 && dup2(console_fd(), 1) >= 0 && dup2(console_fd(), 2) >= 0 &&
      dup2(renewal_fd, RENEW_FD) >= 0 && setgroups(0, NULL) == 0 && setgid(PROGRAM_UID) == 0 &&
      setuid(PROGRAM_UID) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
      chdir(directory != NULL ? directory : "/code") == 0)
    execvpe(argv[0], argv, environment);
  int error = errno;
  if (write(error_fd, &error, sizeof error) < 0) _exit(126);
  _exit(127);
}

const char *program_start(void) {
  static char failure[256];
  if (state != PROGRAM_IDLE) return "start: the program was started already";
  const char *reason = complete_configuration();
  if (reason == NULL) reason = program_add_env("ALEPH_RENEW_FD", "3");
  if (reason != NULL) return reason;
  int pair[2], report[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 || pipe2(report, O_CLOEXEC) < 0)
    return strerror(errno);
  pid = fork();
  if (pid < 0) return strerror(errno);
  if (pid == 0) {
    int flags = fcntl(pair[1], F_GETFL);
    fcntl(pair[1], F_SETFL, flags & ~O_NONBLOCK);
    run_child(pair[1], report[1]);
  }
  close(pair[1]);
  close(report[1]);
  int error = 0;
  ssize_t length = read(report[0], &error, sizeof error);
  close(report[0]);
  if (length > 0) {
    close(pair[0]);
    state = PROGRAM_EXITED;
    snprintf(failure, sizeof failure, "start: cannot run %s: %s%s", argv[0], strerror(error),
             error == EACCES ? " (is it executable?)" : error == ENOEXEC ? " (does it begin with #!?)" : "");
    say("%s", failure);
    return failure;
  }
  state = PROGRAM_STARTING;
  renewal.fd = pair[0];
  loop_watch(&renewal, EPOLLIN);
  set_timer(&listen_timer, LISTEN_POLL_MS, LISTEN_POLL_MS);
  return NULL;
}

void program_stop(void) {
  if (state == PROGRAM_STARTING || state == PROGRAM_READY) kill(-pid, SIGTERM);
}

static void on_child(struct watcher *watcher, uint32_t events) {
  (void)events;
  struct signalfd_siginfo info;
  while (read(watcher->fd, &info, sizeof info) > 0) continue;
  int status;
  pid_t ended;
  while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
    if (ended != pid) continue;
    kill(-pid, SIGKILL);
    state = PROGRAM_EXITED;
    set_timer(&listen_timer, 0, 0);
    char code[16] = "", signal[16] = "";
    if (WIFSIGNALED(status))
      snprintf(signal, sizeof signal, "%d", WTERMSIG(status));
    else
      snprintf(code, sizeof code, "%d", WEXITSTATUS(status));
    say("program ended with %s %s", WIFSIGNALED(status) ? "signal" : "code", WIFSIGNALED(status) ? signal : code);
    control_on_program_exit(code, signal);
  }
}

/* Reads the kernel's table instead of connecting: a probe connection would be the program's first client. */
static bool listens_in(const char *table, const char *address) {
  FILE *file = fopen(table, "re");
  if (file == NULL) return false;
  char line[256], wanted[64];
  snprintf(wanted, sizeof wanted, "%s:%04X", address, PROGRAM_PORT);
  bool found = false;
  while (!found && fgets(line, sizeof line, file) != NULL) {
    char local[64], state_code[8];
    if (sscanf(line, " %*d: %63s %*s %7s", local, state_code) != 2) continue;
    found = strcmp(state_code, "0A") == 0 && strcmp(local, wanted) == 0;
  }
  fclose(file);
  return found;
}

static void on_listen_poll(struct watcher *watcher, uint32_t events) {
  (void)events;
  uint64_t expirations;
  if (read(watcher->fd, &expirations, sizeof expirations) < 0) return;
  bool ipv4 = listens_in("/proc/net/tcp", "0100007F") || listens_in("/proc/net/tcp", "00000000") ||
              listens_in("/proc/net/tcp6", "00000000000000000000000000000000");
  ipv6_only = !ipv4 && listens_in("/proc/net/tcp6", "00000000000000000000000001000000");
  if (!ipv4 && !ipv6_only) return;
  set_timer(watcher, 0, 0);
  state = PROGRAM_READY;
  control_event("ready", "port", "8080", NULL);
}

static void finish_renewal(void) {
  set_timer(&renew_timer, 0, 0);
  void (*done)(void) = renew_done;
  renew_done = NULL;
  if (done != NULL) done();
}

/* A program registers with its first byte; every later one says that a renewal is done. */
static void on_renewal(struct watcher *watcher, uint32_t events) {
  (void)events;
  char bytes[16];
  ssize_t length = read(watcher->fd, bytes, sizeof bytes);
  if (length < 0 && errno == EAGAIN) return;
  if (length <= 0) {
    renewable = false;
    loop_watch(watcher, 0);
    close(watcher->fd);
    watcher->fd = -1;
    finish_renewal();
    return;
  }
  if (renewable) finish_renewal();
  renewable = true;
}

static void on_renew_timeout(struct watcher *watcher, uint32_t events) {
  (void)watcher;
  (void)events;
  say("the program did not renew its random state in time");
  finish_renewal();
}

void program_renew(void (*done)(void)) {
  renew_done = done;
  if (!renewable || write(renewal.fd, "r", 1) != 1)
    finish_renewal();
  else
    set_timer(&renew_timer, RENEW_TIMEOUT_MS, 0);
}
