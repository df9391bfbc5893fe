#include "agent.h"

#include <stdlib.h>
#include <string.h>

#define CONGESTION (128 * 1024)

static bool in_session;

static uint8_t received[FRAME_HEADER + FRAME_MAX_PAYLOAD];
static size_t received_length;

static uint8_t *queue;
static size_t queue_start, queue_end, queue_capacity;

void channel_begin_session(void) {
  in_session = true;
  queue_start = queue_end = 0;
}

void channel_end_session(void) {
  in_session = false;
  received_length = 0;
  queue_start = queue_end = 0;
  streams_reset_all();
}

static void put_u32(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 24);
  at[1] = (uint8_t)(value >> 16);
  at[2] = (uint8_t)(value >> 8);
  at[3] = (uint8_t)value;
}

static uint32_t get_u32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void channel_send(uint8_t type, uint32_t stream, const void *payload, size_t length) {
  if (!in_session || length > FRAME_MAX_PAYLOAD) return;
  if (queue_start > 0 && queue_start == queue_end) queue_start = queue_end = 0;
  if (queue_end + FRAME_HEADER + length > queue_capacity) {
    memmove(queue, queue + queue_start, queue_end - queue_start);
    queue_end -= queue_start;
    queue_start = 0;
    size_t needed = queue_end + FRAME_HEADER + length;
    if (needed > queue_capacity) {
      queue_capacity = needed + CONGESTION;
      queue = realloc(queue, queue_capacity);
      if (queue == NULL) give_up("out of memory");
    }
  }
  uint8_t *frame = queue + queue_end;
  frame[0] = type;
  put_u32(frame + 1, stream);
  put_u32(frame + 5, (uint32_t)length);
  if (length > 0) memcpy(frame + FRAME_HEADER, payload, length);
  queue_end += FRAME_HEADER + length;
}

bool channel_is_congested(void) { return queue_end - queue_start > CONGESTION; }

void channel_flush(void) {
  while (queue_start < queue_end) {
    ssize_t written = port_write(queue + queue_start, queue_end - queue_start);
    if (written <= 0) return; /* full or no host: an event will come */
    queue_start += (size_t)written;
  }
}

/* Hands on every whole frame. Returns how many bytes were used. */
static size_t parse(const uint8_t *bytes, size_t length) {
  size_t used = 0;
  while (used < length) {
    const uint8_t *frame = bytes + used;
    if (frame[0] == FRAME_PADDING) {
      used++;
      continue;
    }
    if (length - used < FRAME_HEADER) break;
    size_t payload = get_u32(frame + 5);
    if (payload > FRAME_MAX_PAYLOAD) {
      say("channel: frame of %zu bytes refused", payload);
      channel_end_session();
      return length;
    }
    if (length - used < FRAME_HEADER + payload) break;
    used += FRAME_HEADER + payload;
    if (frame[0] == FRAME_CONTROL)
      control_on_frame(frame + FRAME_HEADER, payload);
    else if (in_session)
      streams_on_frame(frame[0], get_u32(frame + 1), frame + FRAME_HEADER, payload);
  }
  return used;
}

void channel_receive(void) {
  for (;;) {
    ssize_t length = port_read(received + received_length, sizeof received - received_length);
    if (length <= 0) return;
    received_length += (size_t)length;
    size_t used = parse(received, received_length);
    received_length -= used > received_length ? received_length : used;
    if (received_length > 0) memmove(received, received + used, received_length);
  }
}
