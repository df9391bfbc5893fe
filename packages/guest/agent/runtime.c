#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNTIME_FILE "/aleph/runtime.json"
#define MAX_SIZE 16384
#define MAX_DEPTH 8

/* A reader for the small, trusted-format file of a runtime image: no numbers kept, no unicode escapes. */
struct reader {
  const char *at;
  const struct runtime_sink *sink;
  const char *failure;
};

static const char malformed[] = "runtime: " RUNTIME_FILE " is malformed";

static char next(struct reader *reader) {
  reader->at += strspn(reader->at, " \t\r\n");
  return *reader->at;
}

static bool accept_char(struct reader *reader, char wanted) {
  if (next(reader) != wanted) return false;
  reader->at++;
  return true;
}

static bool read_string(struct reader *reader, char *value, size_t size) {
  size_t length = 0;
  if (!accept_char(reader, '"')) return false;
  while (*reader->at != '"') {
    char c = *reader->at++;
    if (c == '\0' || length + 1 >= size) return false;
    if (c == '\\') {
      c = *reader->at++;
      if (c == 'n')
        c = '\n';
      else if (c == 't')
        c = '\t';
      else if (c != '"' && c != '\\' && c != '/')
        return false;
    }
    value[length++] = c;
  }
  reader->at++;
  value[length] = '\0';
  return true;
}

static bool read_command(struct reader *reader) {
  char value[1024];
  if (!accept_char(reader, '[')) return false;
  if (accept_char(reader, ']')) return true;
  do {
    if (!read_string(reader, value, sizeof value)) return false;
    if (reader->sink->argument != NULL) reader->failure = reader->sink->argument(value);
    if (reader->failure != NULL) return false;
  } while (accept_char(reader, ','));
  return accept_char(reader, ']');
}

static bool read_env(struct reader *reader) {
  char name[256], value[1024];
  if (!accept_char(reader, '{')) return false;
  if (accept_char(reader, '}')) return true;
  do {
    if (!read_string(reader, name, sizeof name) || !accept_char(reader, ':') ||
        !read_string(reader, value, sizeof value))
      return false;
    reader->failure = reader->sink->env(name, value);
    if (reader->failure != NULL) return false;
  } while (accept_char(reader, ','));
  return accept_char(reader, '}');
}

static bool skip_value(struct reader *reader, int depth) {
  char text[1024];
  char c = next(reader);
  if (depth > MAX_DEPTH) return false;
  if (c == '"') return read_string(reader, text, sizeof text);
  if (c == '{' || c == '[') {
    char closing = c == '{' ? '}' : ']';
    reader->at++;
    if (accept_char(reader, closing)) return true;
    do {
      if (c == '{' && (!read_string(reader, text, sizeof text) || !accept_char(reader, ':'))) return false;
      if (!skip_value(reader, depth + 1)) return false;
    } while (accept_char(reader, ','));
    return accept_char(reader, closing);
  }
  size_t length = strspn(reader->at, "-+.0123456789abcdefghijklmnopqrstuvwxyzE");
  reader->at += length;
  return length > 0;
}

static bool read_waits(struct reader *reader) {
  bool waits = next(reader) == 't';
  if (reader->sink->waits != NULL) *reader->sink->waits = waits;
  return skip_value(reader, 0);
}

static bool read_runtime(struct reader *reader) {
  char key[64];
  if (!accept_char(reader, '{')) return false;
  if (accept_char(reader, '}')) return true;
  do {
    if (!read_string(reader, key, sizeof key) || !accept_char(reader, ':')) return false;
    bool read = strcmp(key, "command") == 0 ? read_command(reader)
                : strcmp(key, "env") == 0   ? read_env(reader)
                : strcmp(key, "waits") == 0 ? read_waits(reader)
                                            : skip_value(reader, 0);
    if (!read) return false;
  } while (accept_char(reader, ','));
  return accept_char(reader, '}');
}

const char *runtime_read(const struct runtime_sink *sink) {
  static char text[MAX_SIZE];
  FILE *file = fopen(RUNTIME_FILE, "re");
  if (file == NULL) return errno == ENOENT ? NULL : "runtime: " RUNTIME_FILE " cannot be read";
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = '\0';
  struct reader reader = {.at = text, .sink = sink};
  if (read_runtime(&reader)) return NULL;
  return reader.failure != NULL ? reader.failure : malformed;
}
