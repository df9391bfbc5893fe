#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_STRINGS 2048
#define LISTEN_POLL_MS 4
#define HANDOVER_MAX (256 * 1024)

struct list {
  char *items[MAX_STRINGS + 1];
  size_t count;
};

static struct list argv, environment;
/* The runtime that was started ahead of its program, and what it was started with. */
static struct list ahead_argv, ahead_environment;
static int handover_fd = -1;
static bool starts_ahead;
static char *directory, *entrypoint;
static enum program_state state;
static pid_t pid;

static void on_child(struct watcher *watcher, uint32_t events);
static void on_listen_poll(struct watcher *watcher, uint32_t events);

static struct watcher children = {.fd = -1, .on_event = on_child};
static struct watcher listen_timer = {.fd = -1, .on_event = on_listen_poll};

void program_init(void) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  children.fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  listen_timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (children.fd < 0 || listen_timer.fd < 0) give_up("program: %s", strerror(errno));
  renewal_init();
  loop_watch(&children, EPOLLIN);
}

enum program_state program_state(void) { return state; }

const char *program_state_name(void) {
  static const char *names[] = {"idle", "starting", "ready", "exited"};
  return names[state];
}

static bool has_env(const struct list *list, const char *name) {
  size_t length = strlen(name);
  for (size_t i = 0; i < list->count; i++)
    if (strncmp(list->items[i], name, length) == 0 && list->items[i][length] == '=') return true;
  return false;
}

static const char *add_env(struct list *list, const char *name, const char *value) {
  if (name[0] == '\0' || strchr(name, '=') != NULL) return "configure: bad environment variable name";
  if (list->count >= MAX_STRINGS) return "configure: too many environment variables";
  /* The first value given stays: what the host sets wins over the runtime and the defaults. */
  if (has_env(list, name)) return NULL;
  if (asprintf(&list->items[list->count], "%s=%s", name, value) < 0) return "out of memory";
  list->count++;
  return NULL;
}

static const char *add_argument(struct list *list, const char *argument) {
  if (list->count >= MAX_STRINGS) return "configure: too many arguments";
  list->items[list->count] = strdup(argument);
  return list->items[list->count++] == NULL ? "out of memory" : NULL;
}

static const char *add_defaults(struct list *list) {
  static const char *defaults[][2] = {
      {"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", "/home/app"}, {"TMPDIR", "/tmp"}, {"LANG", "C.UTF-8"},
      {"PORT", "8080"}, {"HOST", "127.0.0.1"}, {"ALEPH_SOCKET", PROGRAM_SOCKET}, {"ALEPH_RENEW_FD", "3"},
      {"ALEPH_GENERATION", GENERATION_FILE},
  };
  const char *reason = NULL;
  for (size_t i = 0; reason == NULL && i < sizeof defaults / sizeof *defaults; i++)
    reason = add_env(list, defaults[i][0], defaults[i][1]);
  return reason;
}

const char *program_add_env(const char *name, const char *value) { return add_env(&environment, name, value); }

const char *program_add_argument(const char *argument) { return add_argument(&argv, argument); }

static const char *ahead_add_env(const char *name, const char *value) {
  return add_env(&ahead_environment, name, value);
}

static const char *ahead_add_argument(const char *argument) { return add_argument(&ahead_argv, argument); }

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
  bool own_command = argv.count > 0;
  struct runtime_sink sink = {.argument = own_command ? NULL : program_add_argument, .env = program_add_env};
  const char *reason = runtime_read(&sink);
  if (reason == NULL && !own_command && argv.count == 0 && entrypoint != NULL && entrypoint[0] != '/') {
    char *path;
    if (asprintf(&path, "/code/%s", entrypoint) < 0) return "out of memory";
    free(entrypoint);
    entrypoint = path;
  }
  if (reason == NULL && !own_command && entrypoint != NULL) reason = program_add_argument(entrypoint);
  if (reason == NULL && argv.count == 0) reason = "start: configure gave neither cmd nor entrypoint";
  return reason != NULL ? reason : add_defaults(&environment);
}

const char *program_start_ahead(void (*done)(void)) {
  if (state != PROGRAM_IDLE || handover_fd >= 0) return "prepare: too late, the program was started already";
  bool waits = false;
  struct runtime_sink sink = {.argument = ahead_add_argument, .env = ahead_add_env, .waits = &waits};
  const char *reason = runtime_read(&sink);
  if (reason == NULL) reason = add_defaults(&ahead_environment);
  if (reason == NULL) reason = ahead_add_env("ALEPH_PROGRAM_FD", "4");
  if (reason != NULL) return reason;
  if (!waits || ahead_argv.count == 0) {
    done();
    return NULL;
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return strerror(errno);
  int readable = child_descriptor(ends[0]);
  handover_fd = child_descriptor(ends[1]);
  fcntl(handover_fd, F_SETPIPE_SZ, HANDOVER_MAX);
  fcntl(handover_fd, F_SETFL, O_NONBLOCK);
  renewal_on_registration(done);
  int error = child_start((struct child){
      .argv = ahead_argv.items, .environment = ahead_environment.items, .directory = "/", .handover = readable}, &pid);
  close(readable);
  starts_ahead = error == 0;
  return error == 0 ? NULL : strerror(error);
}

/* Variables that a process reads when it starts: giving them to one that runs would do nothing. */
static bool is_read_at_start(const char *variable) {
  static const char *prefixes[] = {"NODE_", "PYTHON", "UV_", "LD_", "MALLOC_", "GLIBC_", "OPENSSL_"};
  if (strncmp(variable, "NODE_ENV=", 9) == 0) return false;
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
    if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0) return true;
  return false;
}

static bool has_item(const struct list *list, const char *item) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i], item) == 0) return true;
  return false;
}

/* Whether the waiting runtime is the very process that the configuration asks for. */
static bool fits_ahead(void) {
  if (!starts_ahead || argv.count < ahead_argv.count) return false;
  for (size_t i = 0; i < ahead_argv.count; i++)
    if (strcmp(argv.items[i], ahead_argv.items[i]) != 0) return false;
  for (size_t i = 0; i < environment.count; i++)
    if (is_read_at_start(environment.items[i]) && !has_item(&ahead_environment, environment.items[i])) return false;
  return true;
}

static size_t append(char *buffer, size_t length, const char *text) {
  size_t added = strlen(text) + 1;
  if (length + added > HANDOVER_MAX) return HANDOVER_MAX + 1;
  memcpy(buffer + length, text, added);
  return length + added;
}

/* Tells the waiting runtime its program: folder, number of arguments, arguments, environment, each ended by NUL. */
static bool hand_over(const char *folder) {
  static char buffer[HANDOVER_MAX + 1];
  char count[24];
  snprintf(count, sizeof count, "%zu", argv.count - ahead_argv.count);
  size_t length = append(buffer, append(buffer, 0, folder), count);
  for (size_t i = ahead_argv.count; i < argv.count && length <= HANDOVER_MAX; i++)
    length = append(buffer, length, argv.items[i]);
  for (size_t i = 0; i < environment.count && length <= HANDOVER_MAX; i++)
    length = append(buffer, length, environment.items[i]);
  bool told = length <= HANDOVER_MAX && write(handover_fd, buffer, length) == (ssize_t)length;
  close(handover_fd);
  handover_fd = -1;
  return told;
}

static void give_up_ahead(void) {
  if (!starts_ahead) return;
  starts_ahead = false;
  renewal_forget();
  kill(-pid, SIGKILL);
  pid = 0;
}

const char *program_start(void) {
  static char failure[256];
  if (state != PROGRAM_IDLE) return "start: the program was started already";
  const char *reason = complete_configuration();
  if (reason != NULL) return reason;
  const char *folder = directory != NULL ? directory : "/code";
  if (!fits_ahead() || !hand_over(folder)) {
    give_up_ahead();
    int error = child_start((struct child){
        .argv = argv.items, .environment = environment.items, .directory = folder, .handover = -1}, &pid);
    if (error != 0) {
      state = PROGRAM_EXITED;
      snprintf(failure, sizeof failure, "start: cannot run %s: %s%s", argv.items[0], strerror(error),
               error == EACCES ? " (is it executable?)" : error == ENOEXEC ? " (does it begin with #!?)" : "");
      say("%s", failure);
      return failure;
    }
  }
  state = PROGRAM_STARTING;
  loop_set_timer(&listen_timer, LISTEN_POLL_MS, LISTEN_POLL_MS);
  return NULL;
}

bool program_sleeps(void) {
  char path[32], text[256], process_state = '\0';
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  /* The state stands behind the name, which may hold anything but ends with the last bracket. */
  const char *name_end = fgets(text, sizeof text, file) == NULL ? NULL : strrchr(text, ')');
  if (name_end != NULL) sscanf(name_end, ") %c", &process_state);
  fclose(file);
  return process_state == 'S';
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
    if (state == PROGRAM_IDLE) {
      say("the runtime that waited for its program ended");
      give_up_ahead();
      continue;
    }
    state = PROGRAM_EXITED;
    loop_set_timer(&listen_timer, 0, 0);
    char code[16] = "", signal[16] = "";
    if (WIFSIGNALED(status))
      snprintf(signal, sizeof signal, "%d", WTERMSIG(status));
    else
      snprintf(code, sizeof code, "%d", WEXITSTATUS(status));
    say("program ended with %s %s", WIFSIGNALED(status) ? "signal" : "code", WIFSIGNALED(status) ? signal : code);
    control_on_program_exit(code, signal);
  }
}

static void on_listen_poll(struct watcher *watcher, uint32_t events) {
  (void)events;
  uint64_t expirations;
  if (read(watcher->fd, &expirations, sizeof expirations) < 0) return;
  if (!connect_finds_program()) return;
  loop_set_timer(watcher, 0, 0);
  state = PROGRAM_READY;
  control_event("ready", "port", "8080", NULL);
}
