#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define RENEW_TIMEOUT_MS 1000
#define REHEARSAL_TIMEOUT_MS 10000

static void on_renewal(struct watcher *watcher, uint32_t events);
static void on_timeout(struct watcher *watcher, uint32_t events);

static struct watcher renewal = {.fd = -1, .on_event = on_renewal};
static struct watcher timer = {.fd = -1, .on_event = on_timeout};
static bool registered;
/* It compares the generation itself, before each use of what it keeps. */
static bool looks_itself;
static void (*registration_done)(void);
static void (*renewal_done)(void);

void renewal_init(void) {
  timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer.fd < 0) give_up("renewal: %s", strerror(errno));
}

static void call_once(void (**callback)(void)) {
  void (*done)(void) = *callback;
  *callback = NULL;
  if (done != NULL) done();
}

static void finish(void) {
  loop_set_timer(&timer, 0, 0);
  call_once(&renewal_done);
}

void renewal_watch(int fd) {
  renewal.fd = fd;
  fcntl(fd, F_SETFL, O_NONBLOCK);
  loop_watch(&renewal, EPOLLIN);
}

void renewal_on_registration(void (*done)(void)) { registration_done = done; }

void renewal_forget(void) {
  if (renewal.fd >= 0) {
    loop_watch(&renewal, 0);
    close(renewal.fd);
  }
  renewal.fd = -1;
  registered = looks_itself = false;
  call_once(&registration_done);
  finish();
}

/* A program registers with its first byte (`g`: looks itself); every later one says that what it was asked for is done. */
static void on_renewal(struct watcher *watcher, uint32_t events) {
  (void)events;
  char bytes[16];
  ssize_t length = read(watcher->fd, bytes, sizeof bytes);
  if (length < 0 && errno == EAGAIN) return;
  if (length <= 0) {
    renewal_forget();
    return;
  }
  if (registered)
    finish();
  else
    looks_itself = bytes[0] == 'g';
  registered = true;
  call_once(&registration_done);
}

static void on_timeout(struct watcher *watcher, uint32_t events) {
  (void)watcher;
  (void)events;
  say("the program did not answer in time when asked to renew its random state or to rehearse");
  finish();
}

static void ask(const char *what, long timeout_ms, void (*done)(void)) {
  renewal_done = done;
  if (!registered || write(renewal.fd, what, 1) != 1)
    finish();
  else
    loop_set_timer(&timer, timeout_ms, 0);
}

void renewal_ask(void (*done)(void)) {
  if (looks_itself)
    done();
  else
    ask("r", RENEW_TIMEOUT_MS, done);
}

void rehearsal_ask(void (*done)(void)) { ask("w", REHEARSAL_TIMEOUT_MS, done); }
