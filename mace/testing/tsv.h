// Reads the tables of test/conformance: tab-separated, the first line names the columns.
#ifndef MACE_TESTING_TSV_H_
#define MACE_TESTING_TSV_H_

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace mace {
namespace testing {

class TsvRow {
 public:
  explicit TsvRow(std::map<std::string, std::string> cells) : cells_(std::move(cells)) {}
  const std::string& Text(const std::string& column) const { return cells_.at(column); }
  double Double(const std::string& column) const { return std::strtod(Text(column).c_str(), nullptr); }
  float Float(const std::string& column) const { return std::strtof(Text(column).c_str(), nullptr); }
  int64_t Int(const std::string& column) const { return std::strtoll(Text(column).c_str(), nullptr, 10); }
  std::vector<int64_t> Ints(const std::string& column) const {
    std::vector<int64_t> values;
    std::stringstream list(Text(column));
    for (std::string item; std::getline(list, item, ',');) values.push_back(std::strtoll(item.c_str(), nullptr, 10));
    return values;
  }

 private:
  std::map<std::string, std::string> cells_;
};

// Empty when the file is not there. Paths are relative to the workspace, where tests run.
inline std::vector<TsvRow> ReadTsv(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::vector<std::string> columns;
  std::vector<TsvRow> rows;
  while (std::getline(file, line)) {
    std::vector<std::string> cells;
    std::stringstream stream(line);
    for (std::string cell; std::getline(stream, cell, '\t');) cells.push_back(cell);
    if (columns.empty()) {
      columns = cells;
      continue;
    }
    if (cells.size() != columns.size()) continue;
    std::map<std::string, std::string> row;
    for (size_t i = 0; i < cells.size(); ++i) row[columns[i]] = cells[i];
    rows.emplace_back(row);
  }
  return rows;
}

}  // namespace testing
}  // namespace mace

#endif  // MACE_TESTING_TSV_H_
