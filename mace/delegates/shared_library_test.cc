#include "mace/delegates/shared_library.h"

#include <elf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "mace/runtime/file.h"

namespace mace {
namespace delegates {
namespace {

std::string Read(const std::string& path) {
  runtime::MappedFile file;
  EXPECT_TRUE(file.Open(path).ok());
  return std::string(static_cast<const char*>(file.data()), file.size());
}

const char kLibrary[] = "mace/delegates/libanswer.so";

std::string Write(const std::string& bytes) {
  const std::string path = ::testing::TempDir() + "/library.so";
  EXPECT_TRUE(runtime::WriteFile(path, bytes).ok());
  return path;
}

Status Open(const std::string& path) {
  std::unique_ptr<SharedLibrary> library;
  return SharedLibrary::Open(path, &library);
}

TEST(SharedLibrary, FindsFunctions) {
  std::unique_ptr<SharedLibrary> library;
  const Status status = SharedLibrary::Open(kLibrary, &library);
  ASSERT_TRUE(status.ok()) << status.Render();
  int (*answer)() = nullptr;
  ASSERT_TRUE(library->Resolve("answer", &answer).ok());
  EXPECT_EQ(answer(), 42);
  EXPECT_EQ(library->ResolveOptional<int()>("question"), nullptr);
  const Status missing = library->Resolve("question", &answer);
  EXPECT_EQ(missing.code(), 503);
  EXPECT_NE(missing.message().find("question"), std::string::npos);
}

TEST(SharedLibrary, SaysWhatIsAbsent) {
  EXPECT_EQ(Open("./no/such/library.so").code(), 301);
  EXPECT_EQ(Open("libno_such_library.so").code(), 502);
}

TEST(SharedLibrary, RefusesForeignFiles) {
  EXPECT_EQ(Open(Write("")).code(), 501);
  EXPECT_EQ(Open(Write("#!/bin/sh\n")).code(), 501);
  const std::string good = Read(kLibrary);
  std::string machine = good;
  machine[18] = static_cast<char>(machine[18] + 1);
  EXPECT_EQ(Open(Write(machine)).code(), 501);
  std::string word_size = good;
  word_size[4] = static_cast<char>(3 - word_size[4]);
  EXPECT_EQ(Open(Write(word_size)).code(), 501);
  std::string executable = good;
  executable[16] = 2;
  EXPECT_EQ(Open(Write(executable)).code(), 501);
}

// Files that the loader finds by name are looked at too.
TEST(SharedLibrary, LooksWhereTheLoaderLooks) {
  const std::string folder = ::testing::TempDir() + "/found";
  const std::string other = ::testing::TempDir() + "/other";
  mkdir(folder.c_str(), 0755);
  mkdir(other.c_str(), 0755);
  const char* before = std::getenv("LD_LIBRARY_PATH");
  const std::string restored = before == nullptr ? "" : before;
  setenv("LD_LIBRARY_PATH", (other + ":" + folder).c_str(), 1);
  const std::string good = Read(kLibrary);
  ASSERT_TRUE(runtime::WriteFile(folder + "/libfound.so", good.substr(0, 600)).ok());
  const Status status = Open("libfound.so");
  EXPECT_EQ(status.code(), 501) << status.Render();
  EXPECT_NE(status.message().find(folder), std::string::npos);
  // A loader goes on after a library for other processors, and so to the damaged one.
  std::string machine = good;
  machine[18] = static_cast<char>(machine[18] + 1);
  ASSERT_TRUE(runtime::WriteFile(other + "/libfound.so", machine).ok());
  EXPECT_EQ(Open("libfound.so").code(), 501);
  setenv("LD_LIBRARY_PATH", restored.c_str(), 1);
}

TEST(SharedLibrary, RefusesWhatIsCutShort) {
  const std::string good = Read(kLibrary);
  // What lies behind the last segment, section headers and symbols for debuggers, is not loaded.
  Elf64_Ehdr header;
  std::memcpy(&header, good.data(), sizeof header);
  size_t loaded = 0;
  for (size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, good.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_LOAD)
      loaded = std::max<size_t>(loaded, segment.p_offset + segment.p_filesz);
  }
  ASSERT_GT(loaded, 0u);
  for (size_t size = 1; size < loaded; size += 1 + size / 8)
    EXPECT_EQ(Open(Write(good.substr(0, size))).code(), 501) << size;
}

}  // namespace
}  // namespace delegates
}  // namespace mace
