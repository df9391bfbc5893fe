#define _GNU_SOURCE
#include "agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <linux/virtio_ids.h>
#include <linux/vm_sockets.h>

/* How long a virtio-serial port must be without a host before its host counts as gone. */
#define SILENCE_MS 1000

static void on_port(struct watcher *watcher, uint32_t events);
static void on_host(struct watcher *watcher, uint32_t events);
static void on_silence(struct watcher *watcher, uint32_t events);

static struct watcher port = {.fd = -1, .on_event = on_port};
/* Of a machine with a vsock: where hosts connect, the latest taking the place of the one before. */
static struct watcher listener = {.fd = -1, .on_event = on_host};
static struct watcher silence = {.fd = -1, .on_event = on_silence};
static bool connection_ended;

static void watch_port(void) {
  /* Edge triggered: a virtio-serial port without a host reports a hang-up for as long as that lasts. */
  loop_watch(&port, EPOLLIN | EPOLLOUT | EPOLLET);
}

/* Without udev there is no /dev/virtio-ports: the name is in sysfs. */
static bool find_serial_port(char *device, size_t size) {
  DIR *ports = opendir("/sys/class/virtio-ports");
  if (ports == NULL) return false;
  bool found = false;
  struct dirent *entry;
  while (!found && (entry = readdir(ports)) != NULL) {
    if (entry->d_name[0] == '.') continue;
    char path[320], name[64];
    snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
    if (!system_read_line(path, name, sizeof name) || strcmp(name, PORT_NAME) != 0) continue;
    found = snprintf(device, size, "/dev/%s", entry->d_name) < (int)size;
  }
  closedir(ports);
  return found;
}

static void open_serial_port(void) {
  char device[300];
  const struct timespec pause = {.tv_nsec = 1000000};
  silence.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (silence.fd < 0) give_up("port: %s", strerror(errno));
  /* The port is announced by a message that arrives shortly after the driver is loaded. */
  for (int tries = 0; tries < 10000; tries++) {
    if (find_serial_port(device, sizeof device) && (port.fd = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC)) >= 0)
      return watch_port();
    nanosleep(&pause, NULL);
  }
  give_up("no virtio-serial port named " PORT_NAME);
}

static void listen_on_vsock(void) {
  struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = VSOCK_PORT};
  listener.fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener.fd < 0 || bind(listener.fd, (struct sockaddr *)&address, sizeof address) < 0 ||
      listen(listener.fd, 8) < 0)
    give_up("vsock port %d: %s", VSOCK_PORT, strerror(errno));
  loop_watch(&listener, EPOLLIN);
}

bool port_is_vsock(void) { return system_count_virtio(VIRTIO_ID_VSOCK, NULL) > 0; }

void port_init(void) {
  if (port_is_vsock())
    listen_on_vsock();
  else
    open_serial_port();
}

ssize_t port_read(void *buffer, size_t size) {
  ssize_t length = read(port.fd, buffer, size);
  if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) connection_ended = true;
  return length;
}

/* What a broken connection does not take is noticed when it is read. SIGPIPE does nothing to an init. */
ssize_t port_write(const void *bytes, size_t length) { return write(port.fd, bytes, length); }

static void hang_up(void) {
  loop_watch(&port, 0);
  close(port.fd);
  port.fd = -1;
  channel_end_session();
}

static void on_host(struct watcher *watcher, uint32_t events) {
  (void)events;
  struct sockaddr_vm peer = {0};
  socklen_t size = sizeof peer;
  int fd = accept4(watcher->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  if (peer.svm_cid != VMADDR_CID_HOST) {
    close(fd);
    return;
  }
  if (port.fd >= 0) hang_up();
  port.fd = fd;
  watch_port();
}

static void on_port(struct watcher *watcher, uint32_t events) {
  (void)watcher;
  connection_ended = false;
  channel_receive();
  if (listener.fd >= 0) {
    if (connection_ended) hang_up();
  } else if (events & EPOLLHUP) {
    /* The next host's hello may have been read already: only a hang-up that lasts is one. */
    loop_set_timer(&silence, SILENCE_MS, 0);
  }
}

static void on_silence(struct watcher *watcher, uint32_t events) {
  (void)watcher;
  (void)events;
  port_settle();
  struct pollfd state = {.fd = port.fd};
  if (poll(&state, 1, 0) > 0 && (state.revents & POLLHUP)) channel_end_session();
}

void port_settle(void) {
  if (silence.fd >= 0) loop_set_timer(&silence, 0, 0);
}
