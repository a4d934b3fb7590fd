#include "mace/bin/sample_spool.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "mace/testing/random.h"

namespace mace {
namespace bin {
namespace {

std::string Path() { return ::testing::TempDir() + "/spool"; }

TEST(SampleSpool, GivesRecordsBackInTheOrderOfTheirNames) {
  std::vector<std::string> names = {"", "a", std::string("a\0", 2), "b", "sample", "\xc3\xa9"};
  for (int i = 0; i < 500; ++i) names.push_back("sample" + std::to_string(i * 7919 % 500));
  SampleSpool spool;
  ASSERT_TRUE(spool.Open(Path()).ok());
  for (const std::string& name : names) ASSERT_TRUE(spool.Add(name, "record of " + name).ok());
  ASSERT_TRUE(spool.Sort().ok());
  ASSERT_EQ(spool.size(), names.size());
  std::sort(names.begin(), names.end());
  for (size_t i = 0; i < names.size(); ++i) {
    std::string record;
    ASSERT_TRUE(spool.Read(i, &record).ok());
    EXPECT_EQ(record, "record of " + names[i]);
  }
}

TEST(SampleSpool, RefusesNamesThatComeTwice) {
  for (const char* name : {"", "x", "a name of more than eight bytes"}) {
    SampleSpool spool;
    ASSERT_TRUE(spool.Open(Path()).ok());
    for (const char* given : {"first of all", name, "between", name})
      ASSERT_TRUE(spool.Add(given, "").ok());
    EXPECT_EQ(spool.Sort().code(), 309) << name;
  }
}

TEST(SampleSpool, SaysWhereItCannotWrite) {
  SampleSpool spool;
  EXPECT_EQ(spool.Open("no/such/folder/file").code(), 302);
}

}  // namespace
}  // namespace bin
}  // namespace mace
