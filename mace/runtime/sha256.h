// SHA-256 (FIPS 180-4), to notice a data file that does not belong to its model file.
#ifndef MACE_RUNTIME_SHA256_H_
#define MACE_RUNTIME_SHA256_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace mace {
namespace runtime {

// The digest as 32 bytes.
std::string Sha256(const void* data, size_t size);

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_SHA256_H_
