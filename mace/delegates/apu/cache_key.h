// What tells compiled networks apart.
#ifndef MACE_DELEGATES_APU_CACHE_KEY_H_
#define MACE_DELEGATES_APU_CACHE_KEY_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "mace/runtime/net_def.h"

namespace mace {
namespace delegates {

// Before a key in files: what follows.
constexpr char kApuCacheMagic[] = "MACEAPU1";
constexpr size_t kApuKeySize = 32;

// A text of kApuKeySize characters that tells nets apart, and identities: the library's version and
// what it was asked for.
std::string ApuCacheKey(const runtime::NetDef& net, const uint8_t* data, size_t data_size,
                        const std::string& identity);

}  // namespace delegates
}  // namespace mace

#endif  // MACE_DELEGATES_APU_CACHE_KEY_H_
