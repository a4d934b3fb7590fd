#include "mace/bin/flags.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "mace/base/diagnostics.h"

namespace mace {
namespace bin {

std::string Nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= candidate.size(); ++j) {
        const size_t substitution = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

Status Flags::Parse(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.compare(0, 2, "--") != 0) return diagnostics::UnexpectedArgument(argument);
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    const auto flag =
        std::find_if(table_.begin(), table_.end(), [&](const Flag& f) { return name == f.name; });
    if (flag == table_.end()) {
      std::vector<std::string> known;
      for (const Flag& f : table_) known.push_back(f.name);
      const std::string nearest = Nearest(name, known);
      return diagnostics::UnknownFlag("--" + name, nearest.empty() ? "" : "--" + nearest);
    }
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (flag->value[0] == '\0') {
      value = "true";
    } else if (i + 1 < argc) {
      value = argv[++i];
    } else {
      return diagnostics::BadFlagValue(name, "",
                                       std::string("a value: --") + name + "=" + flag->value);
    }
    given_.push_back({name, value});
  }
  return Status();
}

std::string Flags::Help(const std::string& usage) const {
  std::string text = usage + "\n\n";
  for (const Flag& flag : table_) {
    std::string left = std::string("  --") + flag.name;
    if (flag.value[0] != '\0') left += std::string("=") + flag.value;
    if (left.size() < 30) {
      left.resize(30, ' ');
    } else {
      left += "\n" + std::string(30, ' ');
    }
    text += left + " " + flag.help + "\n";
  }
  return text;
}

bool Flags::Has(const std::string& name) const {
  return std::any_of(given_.begin(), given_.end(), [&](const Given& g) { return g.name == name; });
}

std::string Flags::Get(const std::string& name, const std::string& fallback) const {
  std::string value = fallback;
  for (const Given& g : given_) {
    if (g.name == name) value = g.value;
  }
  return value;
}

std::vector<std::string> Flags::All(const std::string& name) const {
  std::vector<std::string> values;
  for (const Given& g : given_) {
    if (g.name == name) values.push_back(g.value);
  }
  return values;
}

bool Flags::On(const std::string& name) const {
  const std::string value = Get(name, "false");
  return value != "false" && value != "0";
}

Status Flags::Int(const std::string& name, int fallback, int least, int greatest,
                  int* value) const {
  *value = fallback;
  if (!Has(name)) return Status();
  const std::string text = Get(name);
  char* end = nullptr;
  const long parsed = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || parsed < least || parsed > greatest) {
    return diagnostics::BadFlagValue(
        name, text, "an integer from " + std::to_string(least) + " to " + std::to_string(greatest));
  }
  *value = static_cast<int>(parsed);
  return Status();
}

}  // namespace bin
}  // namespace mace
