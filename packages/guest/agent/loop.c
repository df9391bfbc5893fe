#include "agent.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

static int epoll_fd = -1;

void loop_init(void) {
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) give_up("epoll_create1: %s", strerror(errno));
}

void loop_watch(struct watcher *watcher, uint32_t events) {
  if (watcher->events == events) return;
  struct epoll_event event = {.events = events, .data.ptr = watcher};
  int operation = events == 0            ? EPOLL_CTL_DEL
                  : watcher->events == 0 ? EPOLL_CTL_ADD
                                         : EPOLL_CTL_MOD;
  if (epoll_ctl(epoll_fd, operation, watcher->fd, &event) < 0) say("epoll_ctl: %s", strerror(errno));
  watcher->events = events;
}

void loop_set_timer(struct watcher *timer, long first_ms, long interval_ms) {
  if (first_ms == 0 && timer->events == 0) return; /* it stands still */
  struct itimerspec when = {.it_value.tv_nsec = first_ms % 1000 * 1000000,
                            .it_value.tv_sec = first_ms / 1000,
                            .it_interval.tv_nsec = interval_ms * 1000000};
  timerfd_settime(timer->fd, 0, &when, NULL);
  loop_watch(timer, first_ms == 0 ? 0 : EPOLLIN);
}

void loop_run(void) {
  struct epoll_event events[64];
  for (;;) {
    int count = epoll_wait(epoll_fd, events, 64, -1);
    if (count < 0 && errno != EINTR) give_up("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
      struct watcher *watcher = events[i].data.ptr;
      /* An earlier event of this turn may have taken the watcher out of the loop. */
      if (watcher->events != 0) watcher->on_event(watcher, events[i].events);
    }
    channel_flush();
    streams_settle();
  }
}
