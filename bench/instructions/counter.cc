// A plugin for QEMU that counts the instructions of a program with one thread: a line `total N` and
// a line `symbol N NAME` for each function, in the order of names. The same program with the same
// input gives the same numbers every time.
#include <list>
#include <map>
#include <string>
#include <vector>

#include "bench/instructions/qemu_plugin.h"

namespace {

// A block as it was translated, with the function of each instruction; a list, since the emulator
// keeps addresses of counters.
struct Block {
  uint64_t runs = 0;
  std::vector<const char*> functions;
};
std::list<Block> blocks;

void OnTranslation(qemu_plugin_id_t, qemu_plugin_tb* translated) {
  blocks.emplace_back();
  Block& block = blocks.back();
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(translated); ++i) {
    const char* name = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(translated, i));
    block.functions.push_back(name == nullptr ? "?" : name);
  }
  qemu_plugin_register_vcpu_tb_exec_inline(translated, QEMU_PLUGIN_INLINE_ADD_U64, &block.runs, 1);
}

void OnExit(qemu_plugin_id_t, void*) {
  std::map<std::string, uint64_t> by_function;
  uint64_t total = 0;
  for (const Block& block : blocks) {
    total += block.runs * block.functions.size();
    for (const char* name : block.functions) by_function[name] += block.runs;
  }
  std::string text = "total " + std::to_string(total) + '\n';
  for (const auto& [name, count] : by_function) {
    if (count > 0) text += "symbol " + std::to_string(count) + ' ' + name + '\n';
  }
  qemu_plugin_outs(text.c_str());
}

}  // namespace

extern "C" {

// The version of the interface that this plugin is for.
__attribute__((visibility("default"))) int qemu_plugin_version = 1;

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
                                                               const qemu_info_t*, int, char**) {
  qemu_plugin_register_vcpu_tb_trans_cb(id, OnTranslation);
  qemu_plugin_register_atexit_cb(id, OnExit, nullptr);
  return 0;
}

}  // extern "C"
