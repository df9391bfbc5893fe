/*
 * A Node.js addon with one function, renew(): makes OpenSSL's generator take fresh seed from the kernel.
 * Clones of one snapshot share that generator's state, and Node offers no other way to replace it.
 * Node's headers are not needed: the few declarations below are its stable interface.
 */
typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env env, napi_callback_info info);

extern int napi_create_function(napi_env env, const char *name, unsigned long length, napi_callback callback,
                                void *data, napi_value *result);
extern int napi_set_named_property(napi_env env, napi_value object, const char *name, napi_value value);
extern int RAND_poll(void);

static napi_value renew(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  RAND_poll();
  return 0;
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  napi_value function;
  if (napi_create_function(env, "renew", 5, renew, 0, &function) == 0)
    napi_set_named_property(env, exports, "renew", function);
  return exports;
}

__attribute__((visibility("default"))) int node_api_module_get_api_version_v1(void) { return 8; }
