// Command lines of the form --name=value, for the programs of this folder.
#ifndef MACE_BIN_FLAGS_H_
#define MACE_BIN_FLAGS_H_

#include <string>
#include <vector>

#include "mace/base/status.h"

namespace mace {
namespace bin {

// Exit codes of the programs.
constexpr int kExitOk = 0, kExitError = 1, kExitUsage = 2;

struct Flag {
  const char* name;
  // Shown in the help: what the value is, empty for a switch.
  const char* value;
  const char* help;
};

class Flags {
 public:
  explicit Flags(std::vector<Flag> table) : table_(std::move(table)) {}

  // Accepts --name=value, --name value and, for switches, --name.
  Status Parse(int argc, char** argv);
  std::string Help(const std::string& usage) const;

  bool Has(const std::string& name) const;
  // The last value given, or the fallback.
  std::string Get(const std::string& name, const std::string& fallback = "") const;
  std::vector<std::string> All(const std::string& name) const;
  // A switch: given, and not =false or =0.
  bool On(const std::string& name) const;
  Status Int(const std::string& name, int fallback, int least, int greatest, int* value) const;

 private:
  struct Given {
    std::string name, value;
  };
  std::vector<Flag> table_;
  std::vector<Given> given_;
};

// The entry of `known` nearest to `word`, or nothing when none is near enough to be a slip.
std::string Nearest(const std::string& word, const std::vector<std::string>& known);

}  // namespace bin
}  // namespace mace

#endif  // MACE_BIN_FLAGS_H_
