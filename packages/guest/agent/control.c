#define _GNU_SOURCE
#include "agent.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MAX_FIELDS 2048
#define ID_SIZE 64
#define HALT_SECONDS_DEFAULT 5
#define HALT_SECONDS_MAX 60

struct field {
  const char *key, *value;
};

static const char *boot_failure;
static char renew_request_id[ID_SIZE], rehearse_request_id[ID_SIZE];
static char prepare_request_id[ID_SIZE], connect_request_id[ID_SIZE];
static void on_halt_deadline(struct watcher *watcher, uint32_t events);
static struct watcher halt_timer = {.fd = -1, .on_event = on_halt_deadline};

void control_init(void) {
  boot_failure = disks_prepare();
  if (boot_failure != NULL) say("%s", boot_failure);
}

static size_t append(char *buffer, size_t length, const char *text) {
  size_t added = strlen(text) + 1;
  if (length + added > FRAME_MAX_PAYLOAD) return length;
  memcpy(buffer + length, text, added);
  return length + added;
}

void control_event(const char *verb, ...) {
  static char payload[FRAME_MAX_PAYLOAD];
  size_t length = append(payload, 0, verb);
  va_list fields;
  va_start(fields, verb);
  for (const char *text; (text = va_arg(fields, const char *)) != NULL;) length = append(payload, length, text);
  va_end(fields);
  channel_send(FRAME_EVENT, 0, payload, length - 1);
}

static const char *field(const struct field *fields, size_t count, const char *key) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(fields[i].key, key) == 0) return fields[i].value;
  return "";
}

/* The host finds its own answer in whatever an earlier session left in the pipe by `session`, which it chose. */
static void hello(const char *session) {
  char text[512], *end = text;
  bool plain = strspn(session, "0123456789abcdef") == strlen(session) && strlen(session) <= 64;
  port_settle();
  streams_reset_all();
  channel_begin_session();
  end = stpcpy(end, "{\"session\":\"");
  end = stpcpy(end, plain ? session : "");
  end = stpcpy(end, "\",\"version\":\"" AGENT_VERSION "\",\"state\":\"");
  end = stpcpy(end, program_state_name());
  end = stpcpy(end, "\",\"features\":[\"egress\",\"renew\",\"api\",\"volumes\",\"prepare\",\"rehearse\",\"connect\"]}");
  channel_send(FRAME_HELLO, 0, text, (size_t)(end - text));
}

static const char *configure(const struct field *fields, size_t count) {
  if (program_state() != PROGRAM_IDLE) return "configure: the program was started already";
  const char *failure = disks_take();
  if (failure != NULL) return failure;
  for (size_t i = 0; i < count; i++) {
    const char *key = fields[i].key, *value = fields[i].value, *reason = NULL;
    if (strcmp(key, "hostname") == 0)
      reason = system_set_hostname(value) ? program_add_env("HOSTNAME", value)
                                          : "configure: hostname must have 1 to 64 characters";
    else if (strncmp(key, "env.", 4) == 0)
      reason = program_add_env(key + 4, value);
    else if (strcmp(key, "cmd") == 0)
      reason = program_add_argument(value);
    else if (strcmp(key, "entrypoint") == 0)
      reason = program_set_entrypoint(value);
    else if (strcmp(key, "cwd") == 0)
      reason = program_set_directory(value);
    else if (strncmp(key, "mount.", 6) == 0)
      reason = mounts_add(value);
    else if (strcmp(key, "internet") == 0)
      reason = strcmp(value, "1") != 0 || outgoing_listen_for_egress() ? NULL : "configure: egress listener failed";
    else if (strcmp(key, "api") == 0)
      reason = strcmp(value, "1") != 0 || outgoing_listen_for_api() ? NULL : "configure: API listener failed";
    else if (strcmp(key, "id") != 0)
      reason = "configure: unknown field";
    if (reason != NULL) return reason;
  }
  return NULL;
}

static void on_halt_deadline(struct watcher *watcher, uint32_t events) {
  (void)watcher;
  (void)events;
  channel_flush();
  system_power_off();
}

/* Asks the program to end, and powers off when it has or when its time is over. */
static void halt(const char *grace) {
  long seconds = grace[0] == '\0' ? HALT_SECONDS_DEFAULT : strtol(grace, NULL, 10);
  if (seconds < 0 || seconds > HALT_SECONDS_MAX) seconds = HALT_SECONDS_DEFAULT;
  enum program_state state = program_state();
  if (state == PROGRAM_IDLE || state == PROGRAM_EXITED || seconds == 0) on_halt_deadline(NULL, 0);
  struct itimerspec deadline = {.it_value.tv_sec = seconds};
  halt_timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (halt_timer.fd < 0 || timerfd_settime(halt_timer.fd, 0, &deadline, NULL) < 0) on_halt_deadline(NULL, 0);
  loop_watch(&halt_timer, EPOLLIN);
  program_stop();
}

void control_on_program_exit(const char *code, const char *signal) {
  control_event("exited", "code", code, "signal", signal, NULL);
  if (halt_timer.fd >= 0) on_halt_deadline(NULL, 0);
}

static void answer(const char *verb, const char *id, const char *reason) {
  if (reason == NULL)
    control_event("ack", "verb", verb, "id", id, NULL);
  else
    control_event("failed", "verb", verb, "id", id, "reason", reason, NULL);
}

static void on_prepared(void) { answer("prepare", prepare_request_id, disks_release()); }

static void on_renewed(void) { answer("reseed", renew_request_id, NULL); }

static void on_connected(void) { answer("connect", connect_request_id, NULL); }

static void on_rehearsed(void) { answer("rehearse", rehearse_request_id, NULL); }

/* Keeps the id of a request that is answered later. */
static void keep(char kept[ID_SIZE], const char *id) {
  size_t length = strnlen(id, ID_SIZE - 1);
  memcpy(kept, id, length);
  kept[length] = '\0';
}

void control_on_frame(const uint8_t *payload, size_t length) {
  static char text[FRAME_MAX_PAYLOAD + 1];
  static struct field fields[MAX_FIELDS];
  memcpy(text, payload, length);
  text[length] = '\0';
  const char *verb = text, *end = text + length;
  size_t count = 0;
  for (const char *at = verb + strlen(verb) + 1; at < end && count < MAX_FIELDS; count++) {
    fields[count].key = at;
    at += strlen(at) + 1;
    if (at > end) break;
    fields[count].value = at;
    at += strlen(at) + 1;
  }
  const char *id = field(fields, count, "id");
  if (strcmp(verb, "hello") == 0) {
    hello(field(fields, count, "session"));
  } else if (strcmp(verb, "configure") == 0) {
    answer(verb, id, boot_failure != NULL ? boot_failure : configure(fields, count));
  } else if (strcmp(verb, "prepare") == 0) {
    keep(prepare_request_id, id);
    const char *reason = boot_failure != NULL ? boot_failure : program_start_ahead(on_prepared);
    if (reason != NULL) answer(verb, id, reason);
  } else if (strcmp(verb, "start") == 0) {
    answer(verb, id, boot_failure != NULL ? boot_failure : program_start());
  } else if (strcmp(verb, "reseed") == 0) {
    if (!system_add_entropy(field(fields, count, "entropy"))) {
      answer(verb, id, "reseed: entropy must be 16 to 512 bytes in hex");
    } else {
      generation_next();
      keep(renew_request_id, id);
      renewal_ask(on_renewed);
    }
  } else if (strcmp(verb, "rehearse") == 0) {
    keep(rehearse_request_id, id);
    rehearsal_ask(on_rehearsed);
  } else if (strcmp(verb, "connect") == 0) {
    keep(connect_request_id, id);
    const char *reason = spare_open(on_connected);
    if (reason != NULL) answer(verb, id, reason);
  } else if (strcmp(verb, "settime") == 0) {
    answer(verb, id, system_set_time(field(fields, count, "time")) ? NULL : "settime: time must be unix seconds");
  } else if (strcmp(verb, "halt") == 0) {
    answer(verb, id, NULL);
    halt(field(fields, count, "grace"));
  } else {
    answer(verb, id, "unknown verb");
  }
}
