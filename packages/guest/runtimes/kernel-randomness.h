/*
 * Has OpenSSL take each random byte from the kernel instead of keeping a state of its own: nothing is left to renew in a
 * clone of a snapshot then. Its headers are not needed: the few declarations below are its stable interface.
 */
#include <stdlib.h>
#include <sys/random.h>

struct rand_method {
  int (*seed)(const void *bytes, int length);
  int (*bytes)(unsigned char *bytes, int length);
  void (*cleanup)(void);
  int (*add)(const void *bytes, int length, double entropy);
  int (*pseudorandom)(unsigned char *bytes, int length);
  int (*status)(void);
};
extern int RAND_set_rand_method(const struct rand_method *method);

static int take_bytes(unsigned char *bytes, int length) {
  while (length > 0) {
    ssize_t taken = getrandom(bytes, (size_t)length, 0);
    if (taken < 0) return 0;
    bytes += taken;
    length -= (int)taken;
  }
  return 1;
}

static int is_ready(void) { return 1; }

static const struct rand_method kernel = {.bytes = take_bytes, .pseudorandom = take_bytes, .status = is_ready};

static void take_randomness_from_kernel(void) {
  if (RAND_set_rand_method(&kernel) != 1) abort();
}
