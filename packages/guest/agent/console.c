#include "agent.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static int console = 2;

void console_open(void) {
  int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return;
  console = fd;
  /* Raw output: the log holds the bytes that the program wrote, without added carriage returns. */
  struct termios settings;
  if (tcgetattr(fd, &settings) == 0) {
    cfmakeraw(&settings);
    tcsetattr(fd, TCSANOW, &settings);
  }
  /* Programs may reopen /dev/stdout by name after they lost root. */
  fchmod(fd, 0622);
}

int console_fd(void) { return console; }

static void write_line(const char *format, va_list arguments) {
  char line[512];
  int prefix = snprintf(line, sizeof line, "[aleph] ");
  int length = prefix + vsnprintf(line + prefix, sizeof line - prefix - 1, format, arguments);
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  if (write(console, line, length) < 0) return; /* nowhere left to report it */
}

void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  write_line(format, arguments);
  va_end(arguments);
}

void give_up(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  write_line(format, arguments);
  va_end(arguments);
  system_power_off();
}
