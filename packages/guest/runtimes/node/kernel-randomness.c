/*
 * A Node.js addon that leaves nothing to renew in a clone of a snapshot: OpenSSL takes each random byte from the kernel
 * instead of keeping a state of its own. `generation` is the agent's counter (ALEPH_GENERATION), which is another one in
 * every clone. Node's headers are not needed: the few declarations below are its and OpenSSL's stable interface.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;

extern int napi_create_external_arraybuffer(napi_env env, void *data, size_t length, void *finalize, void *hint,
                                            napi_value *result);
extern int napi_set_named_property(napi_env env, napi_value object, const char *name, napi_value value);

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

static void *map_generation(void) {
  const char *path = getenv("ALEPH_GENERATION");
  int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  void *counter = mmap(NULL, sizeof(int), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  return counter == MAP_FAILED ? NULL : counter;
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  if (RAND_set_rand_method(&kernel) != 1) abort();
  void *counter = map_generation();
  napi_value generation;
  if (counter != NULL &&
      napi_create_external_arraybuffer(env, counter, sizeof(int), NULL, NULL, &generation) == 0)
    napi_set_named_property(env, exports, "generation", generation);
  return exports;
}

__attribute__((visibility("default"))) int node_api_module_get_api_version_v1(void) { return 8; }
