#define _GNU_SOURCE
#include "agent.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Where programs connect to, and what the host calls it. */
struct listener {
  struct watcher watcher;
  const char *destination;
};

static struct listener egress_listener, api_listener;

static void on_connection(struct watcher *watcher, uint32_t events) {
  (void)events;
  int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) streams_offer(fd, ((struct listener *)watcher)->destination);
}

static void listen_to(struct listener *listener, int fd, const char *destination) {
  *listener = (struct listener){.watcher = {.fd = fd, .on_event = on_connection}, .destination = destination};
  loop_watch(&listener->watcher, EPOLLIN);
}

bool outgoing_listen_for_egress(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(EGRESS_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (fd < 0) return false;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0) {
    close(fd);
    return false;
  }
  listen_to(&egress_listener, fd, "egress");
  return true;
}

bool outgoing_listen_for_api(void) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = API_SOCKET};
  if (fd < 0) return false;
  unlink(API_SOCKET);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || chmod(API_SOCKET, 0666) < 0 ||
      listen(fd, 128) < 0) {
    close(fd);
    return false;
  }
  listen_to(&api_listener, fd, "api");
  return true;
}
