#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WINDOW (256 * 1024)
/* Consumed bytes are given back in steps, so that small writes do not each cost a frame. */
#define CREDIT_STEP (64 * 1024)
#define READ_SIZE (32 * 1024)
#define MAX_STREAMS 1024

struct stream {
  struct watcher watcher;
  uint32_t id;
  struct stream *next;
  bool connecting, host_ended, guest_ended, closed;
  uint32_t send_credit;   /* bytes the host still accepts */
  uint32_t unreturned;    /* bytes taken from the host, credit not yet given back */
  uint8_t *pending;       /* from the host, not yet written to the socket */
  size_t pending_start, pending_end, pending_capacity;
};

static struct stream *streams;
/* Waits for its id, in no list. */
static struct stream *spare;
static unsigned stream_count;
static bool anything_closed, waiting_for_channel;
static uint32_t next_guest_id = 2;

static void on_socket(struct watcher *watcher, uint32_t events);
static void on_spare(struct watcher *watcher, uint32_t events);

static struct stream *find(uint32_t id) {
  for (struct stream *stream = streams; stream != NULL; stream = stream->next)
    if (stream->id == id && !stream->closed) return stream;
  return NULL;
}

static struct stream *make(int fd) {
  struct stream *stream = calloc(1, sizeof *stream);
  if (stream == NULL) return NULL;
  stream->watcher = (struct watcher){.fd = fd, .on_event = on_socket};
  stream->send_credit = WINDOW;
  return stream;
}

static void add(uint32_t id, struct stream *stream) {
  stream->id = id;
  stream->next = streams;
  streams = stream;
  stream_count++;
}

/* Events of this turn may still name the stream: its memory is freed in streams_settle. */
static void close_stream(struct stream *stream) {
  loop_watch(&stream->watcher, 0);
  close(stream->watcher.fd);
  stream->closed = true;
  anything_closed = true;
}

static void abort_stream(struct stream *stream) {
  /* The program should see a reset, not an orderly end of truncated data. */
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(stream->watcher.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close_stream(stream);
}

static void reset_stream(struct stream *stream, const char *reason) {
  channel_send(FRAME_RESET, stream->id, reason, strlen(reason));
  abort_stream(stream);
}

static void update(struct stream *stream) {
  if (stream->closed) return;
  if (stream->guest_ended && stream->host_ended && stream->pending_start == stream->pending_end) {
    close_stream(stream);
    return;
  }
  uint32_t events = 0;
  if (stream->connecting || stream->pending_start < stream->pending_end) events |= EPOLLOUT;
  if (!stream->connecting && !stream->guest_ended && stream->send_credit > 0) {
    if (channel_is_congested())
      waiting_for_channel = true;
    else
      events |= EPOLLIN;
  }
  loop_watch(&stream->watcher, events);
}

static void return_credit(struct stream *stream, size_t consumed) {
  stream->unreturned += (uint32_t)consumed;
  if (stream->unreturned < CREDIT_STEP) return;
  uint32_t credit = htonl(stream->unreturned);
  channel_send(FRAME_WINDOW, stream->id, &credit, sizeof credit);
  stream->unreturned = 0;
}

static void write_pending(struct stream *stream) {
  while (stream->pending_start < stream->pending_end) {
    ssize_t written = send(stream->watcher.fd, stream->pending + stream->pending_start,
                           stream->pending_end - stream->pending_start, MSG_NOSIGNAL);
    if (written < 0 && errno == EAGAIN) return;
    if (written < 0) {
      reset_stream(stream, strerror(errno));
      return;
    }
    stream->pending_start += (size_t)written;
    return_credit(stream, (size_t)written);
  }
  stream->pending_start = stream->pending_end = 0;
  if (stream->host_ended) shutdown(stream->watcher.fd, SHUT_WR);
}

static void read_socket(struct stream *stream) {
  static uint8_t buffer[READ_SIZE];
  while (stream->send_credit > 0 && !channel_is_congested()) {
    size_t wanted = stream->send_credit < READ_SIZE ? stream->send_credit : READ_SIZE;
    ssize_t length = recv(stream->watcher.fd, buffer, wanted, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length < 0) {
      reset_stream(stream, strerror(errno));
      return;
    }
    if (length == 0) {
      stream->guest_ended = true;
      channel_send(FRAME_END, stream->id, NULL, 0);
      return;
    }
    stream->send_credit -= (uint32_t)length;
    channel_send(FRAME_DATA, stream->id, buffer, (size_t)length);
    if ((size_t)length < wanted) return;
  }
}

static void on_socket(struct watcher *watcher, uint32_t events) {
  struct stream *stream = (struct stream *)watcher;
  if (stream->connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(watcher->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      reset_stream(stream, strerror(error));
      return;
    }
    stream->connecting = false;
    write_pending(stream);
  } else {
    if (events & EPOLLOUT) write_pending(stream);
    if (!stream->closed && !stream->guest_ended && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
      read_socket(stream);
    else if (!stream->closed && (events & (EPOLLHUP | EPOLLERR)) && stream->guest_ended &&
             stream->pending_start < stream->pending_end)
      reset_stream(stream, "connection closed by the program");
  }
  update(stream);
}

bool streams_open_spare(void) {
  if (spare != NULL) return true;
  bool connecting;
  int fd = connect_to(PROGRAM_PORT, &connecting);
  if (fd < 0) return false;
  spare = make(fd);
  if (spare == NULL) {
    close(fd);
    return false;
  }
  spare->watcher.on_event = on_spare;
  loop_watch(&spare->watcher, EPOLLIN);
  return true;
}

static void drop_spare(void) {
  add(0, spare);
  close_stream(spare);
  spare = NULL;
}

/* Nothing was asked, so whatever comes is the program's end of it. */
static void on_spare(struct watcher *watcher, uint32_t events) {
  (void)watcher;
  (void)events;
  drop_spare();
}

/* The connection made ahead, as it stands in the loop; NULL when there is none that the program still holds. */
static struct stream *take_spare(void) {
  char byte;
  if (spare == NULL) return NULL;
  if (recv(spare->watcher.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN) {
    drop_spare();
    return NULL;
  }
  struct stream *stream = spare;
  stream->watcher.on_event = on_socket;
  spare = NULL;
  return stream;
}

static void refuse(uint32_t id, const char *reason) { channel_send(FRAME_RESET, id, reason, strlen(reason)); }

/* The port of a destination such as `tcp:8080`; 0 when it has another form. */
static uint16_t port_of(const uint8_t *destination, size_t length) {
  uint32_t port = 0;
  if (length < 5 || length > 9 || memcmp(destination, "tcp:", 4) != 0) return 0;
  for (size_t i = 4; i < length; i++) {
    if (destination[i] < '0' || destination[i] > '9') return 0;
    port = port * 10 + (destination[i] - '0');
  }
  return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static void on_open(uint32_t id, const uint8_t *payload, size_t length) {
  uint16_t port = port_of(payload, length);
  if (id % 2 == 0 || find(id) != NULL) return refuse(id, "stream id not free");
  if (port == 0) return refuse(id, "unknown destination");
  if (stream_count >= MAX_STREAMS) return refuse(id, "too many streams");
  struct stream *stream = port == PROGRAM_PORT ? take_spare() : NULL;
  if (stream == NULL) {
    bool connecting;
    int fd = connect_to(port, &connecting);
    if (fd < 0) return refuse(id, strerror(errno));
    stream = make(fd);
    if (stream == NULL) {
      close(fd);
      return refuse(id, "out of memory");
    }
    stream->connecting = connecting;
  }
  add(id, stream);
  update(stream);
}

static void on_data(struct stream *stream, const uint8_t *payload, size_t length) {
  size_t held = stream->pending_end - stream->pending_start;
  if (stream->host_ended || held + length > WINDOW) return reset_stream(stream, "window exceeded");
  if (held == 0 && !stream->connecting && length > 0) {
    /* The common case needs no copy. */
    ssize_t written = send(stream->watcher.fd, payload, length, MSG_NOSIGNAL);
    if (written < 0 && errno != EAGAIN) return reset_stream(stream, strerror(errno));
    if (written > 0) {
      return_credit(stream, (size_t)written);
      payload += written;
      length -= (size_t)written;
    }
  }
  if (length == 0) return;
  if (stream->pending_end + length > stream->pending_capacity) {
    if (held > 0) memmove(stream->pending, stream->pending + stream->pending_start, held);
    stream->pending_start = 0;
    stream->pending_end = held;
    if (held + length > stream->pending_capacity) {
      uint8_t *larger = realloc(stream->pending, held + length);
      if (larger == NULL) return reset_stream(stream, "out of memory");
      stream->pending = larger;
      stream->pending_capacity = held + length;
    }
  }
  memcpy(stream->pending + stream->pending_end, payload, length);
  stream->pending_end += length;
}

void streams_on_frame(uint8_t type, uint32_t id, const uint8_t *payload, size_t length) {
  if (type == FRAME_OPEN) return on_open(id, payload, length);
  struct stream *stream = find(id);
  if (stream == NULL) return; /* it ended while the frame was under way */
  switch (type) {
    case FRAME_DATA:
      on_data(stream, payload, length);
      break;
    case FRAME_END:
      stream->host_ended = true;
      if (!stream->connecting) write_pending(stream);
      break;
    case FRAME_RESET:
      abort_stream(stream);
      break;
    case FRAME_WINDOW:
      if (length == 4)
        stream->send_credit += (uint32_t)payload[0] << 24 | (uint32_t)payload[1] << 16 |
                               (uint32_t)payload[2] << 8 | payload[3];
      break;
    default:
      say("channel: frame type 0x%02x ignored", type);
  }
  update(stream);
}

void streams_reset_all(void) {
  for (struct stream *stream = streams; stream != NULL; stream = stream->next)
    if (!stream->closed) abort_stream(stream);
}

void streams_settle(void) {
  if (waiting_for_channel && !channel_is_congested()) {
    waiting_for_channel = false;
    for (struct stream *stream = streams; stream != NULL; stream = stream->next) update(stream);
  }
  if (!anything_closed) return;
  anything_closed = false;
  for (struct stream **link = &streams; *link != NULL;) {
    struct stream *stream = *link;
    if (stream->closed) {
      *link = stream->next;
      stream_count--;
      free(stream->pending);
      free(stream);
    } else {
      link = &stream->next;
    }
  }
}

void streams_offer(int fd, const char *destination) {
  struct stream *stream = stream_count < MAX_STREAMS ? make(fd) : NULL;
  if (stream == NULL) {
    close(fd);
    return;
  }
  add(next_guest_id, stream);
  next_guest_id = next_guest_id >= UINT32_MAX - 2 ? 2 : next_guest_id + 2;
  channel_send(FRAME_OPEN, stream->id, destination, strlen(destination));
  update(stream);
}
