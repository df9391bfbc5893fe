/*
 * A Node.js addon that leaves nothing of OpenSSL's to renew in a clone of a snapshot. `generation` is the agent's counter
 * (ALEPH_GENERATION), which is another one in every clone. Node's headers are not needed: the few declarations below are
 * its stable interface.
 */
#include "../kernel-randomness.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;

extern int napi_create_external_arraybuffer(napi_env env, void *data, size_t length, void *finalize, void *hint,
                                            napi_value *result);
extern int napi_set_named_property(napi_env env, napi_value object, const char *name, napi_value value);

static void *map_generation(void) {
  const char *path = getenv("ALEPH_GENERATION");
  int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  void *counter = mmap(NULL, sizeof(int), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  return counter == MAP_FAILED ? NULL : counter;
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  take_randomness_from_kernel();
  void *counter = map_generation();
  napi_value generation;
  if (counter != NULL &&
      napi_create_external_arraybuffer(env, counter, sizeof(int), NULL, NULL, &generation) == 0)
    napi_set_named_property(env, exports, "generation", generation);
  return exports;
}

__attribute__((visibility("default"))) int node_api_module_get_api_version_v1(void) { return 8; }
