/* Loaded into Python, this leaves nothing of OpenSSL's to renew in a clone of a snapshot. */
#include "../kernel-randomness.h"

__attribute__((constructor)) static void on_load(void) { take_randomness_from_kernel(); }
