// What the controller library adds to nnlib's interface.
#ifndef THIRD_PARTY_NNLIB_INCLUDE_HEXNN_DSP_CONTROLLER_H_
#define THIRD_PARTY_NNLIB_INCLUDE_HEXNN_DSP_CONTROLLER_H_

#ifdef __cplusplus
extern "C" {
#endif

// Asks for an unsigned protection domain, where unsigned DSP code may run. Once per process, before
// any other call; 0 for success.
int hexnn_controller_request_unsigned_pd(void);

#ifdef __cplusplus
}
#endif

#endif  // THIRD_PARTY_NNLIB_INCLUDE_HEXNN_DSP_CONTROLLER_H_
