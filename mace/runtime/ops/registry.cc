#include "mace/runtime/operator.h"

namespace mace {
namespace runtime {

#define MACE_OPERATOR(type, float32, uint8, int8) std::unique_ptr<Operator> Make##type();
#include "mace/runtime/ops/ops.inc"
#undef MACE_OPERATOR

const std::vector<OperatorEntry>& OperatorTable() {
  static const std::vector<OperatorEntry> table = {
#define MACE_OPERATOR(type, float32, uint8, int8) {#type, float32, uint8, int8, Make##type},
#include "mace/runtime/ops/ops.inc"
#undef MACE_OPERATOR
  };
  return table;
}

const OperatorEntry* FindOperator(const std::string& type) {
  for (const OperatorEntry& entry : OperatorTable()) {
    if (type == entry.type) return &entry;
  }
  return nullptr;
}

}  // namespace runtime
}  // namespace mace
