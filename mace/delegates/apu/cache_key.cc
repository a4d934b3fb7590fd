#include "mace/delegates/apu/cache_key.h"

#include <cstring>

#include "mace/runtime/sha256.h"

namespace mace {
namespace delegates {

std::string ApuCacheKey(const runtime::NetDef& net, const uint8_t* data, size_t data_size,
                        const std::string& identity) {
  std::string text = identity;
  const auto add = [&](const std::string& s) { text += s + '\n'; };
  const auto number = [&](int64_t n) { text += std::to_string(n) + ' '; };
  const auto real = [&](float f) {
    int32_t bits;
    std::memcpy(&bits, &f, sizeof bits);
    number(bits);
  };
  for (const auto& op : net.ops) {
    add(op.type);
    for (const auto& name : op.inputs) add(name);
    for (const auto& name : op.outputs) add(name);
    for (const auto& argument : op.arguments) {
      add(argument.name + '=' + argument.s);
      number(argument.i);
    }
    for (const auto& shape : op.shapes) {
      for (const int64_t d : shape) number(d);
      text += ';';
    }
    for (const auto& info : op.quantize_info) {
      real(info.scale);
      number(info.zero_point);
    }
  }
  for (const auto& constant : net.tensors) {
    add(constant.name);
    for (const int64_t d : constant.dims) number(d);
    number(constant.type);
    number(constant.offset);
    real(constant.scale);
    number(constant.zero_point);
  }
  for (const auto* ports : {&net.inputs, &net.outputs}) {
    for (const auto& port : *ports) {
      add(port.name);
      for (const int64_t d : port.dims) number(d);
      text += ';';
      real(port.scale);
      number(port.zero_point);
    }
  }
  number(net.data_offset);
  text += runtime::Sha256(data, data_size);
  const std::string key = runtime::Sha256(text.data(), text.size());
  return key.substr(0, kApuKeySize);
}

}  // namespace delegates
}  // namespace mace
