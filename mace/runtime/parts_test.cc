// The pieces of the runtime that do not know models: digest, planner, threads, wire format.
#include <atomic>
#include <set>

#include "gtest/gtest.h"
#include "mace/runtime/planner.h"
#include "mace/runtime/sha256.h"
#include "mace/runtime/thread_pool.h"
#include "mace/runtime/wire.h"
#include "mace/testing/random.h"

namespace mace {
namespace runtime {
namespace {

std::string Hex(const std::string& bytes) {
  std::string text;
  for (char c : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned char>(c));
    text += two;
  }
  return text;
}

TEST(Sha256, KnownDigests) {
  EXPECT_EQ(Hex(Sha256("", 0)), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex(Sha256("abc", 3)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  EXPECT_EQ(Hex(Sha256(two.data(), two.size())), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const std::string million(1000000, 'a');
  EXPECT_EQ(Hex(Sha256(million.data(), million.size())), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Planner, NeverOverlapsWhatLivesTogether) {
  mace::testing::Random random;
  for (int round = 0; round < 200; ++round) {
    std::vector<PlannedBuffer> buffers(static_cast<size_t>(random.Int(1, 40)));
    uint64_t sum = 0;
    for (PlannedBuffer& b : buffers) {
      b.bytes = static_cast<size_t>(random.Int(1, 5000));
      b.first = static_cast<int>(random.Int(0, 20));
      b.last = b.first + static_cast<int>(random.Int(0, 6));
      sum += b.bytes + 64;
    }
    const uint64_t arena = PlanArena(&buffers);
    EXPECT_LE(arena, sum);
    for (size_t i = 0; i < buffers.size(); ++i) {
      const PlannedBuffer& a = buffers[i];
      EXPECT_EQ(a.offset % 64, 0u);
      EXPECT_LE(a.offset + a.bytes, arena);
      for (size_t j = 0; j < i; ++j) {
        const PlannedBuffer& b = buffers[j];
        if (a.last < b.first || b.last < a.first) continue;
        EXPECT_TRUE(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset) << random.Replay();
      }
    }
  }
}

TEST(Planner, AChainNeedsTwoBuffers) {
  std::vector<PlannedBuffer> buffers;
  for (int i = 0; i < 50; ++i) buffers.push_back({1024, i, i + 1, 0});
  EXPECT_EQ(PlanArena(&buffers), 2048u);
}

TEST(ThreadPool, CoversEveryIndexOnce) {
  for (int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    EXPECT_LE(pool.size(), threads);
    for (int round = 0; round < 300; ++round) {
      const int64_t count = round % 37;
      std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
      for (auto& s : seen) s = 0;
      pool.For(count, [&](int64_t i, int thread) {
        ASSERT_LT(thread, pool.size());
        ++seen[static_cast<size_t>(i)];
      });
      for (auto& s : seen) EXPECT_EQ(s, 1);
      std::vector<std::atomic<int>> ranged(static_cast<size_t>(count));
      for (auto& s : ranged) s = 0;
      pool.ForRange(count, 3, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) ++ranged[static_cast<size_t>(i)];
      });
      for (auto& s : ranged) EXPECT_EQ(s, 1);
    }
  }
}

TEST(Wire, RoundTrip) {
  WireWriter inner;
  inner.Int(1, -5);
  inner.Float(2, 1.5f);
  WireWriter writer;
  writer.Message(3, inner);
  writer.Packed(4, std::vector<uint64_t>{1, 300, UINT64_MAX});
  writer.Bytes(1000, "x");
  const std::string bytes = writer.bytes();
  WireReader reader(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  ASSERT_TRUE(reader.Next());
  WireReader message = reader.Message();
  ASSERT_TRUE(message.Next());
  EXPECT_EQ(message.Int(), -5);
  ASSERT_TRUE(message.Next());
  EXPECT_EQ(message.Float(), 1.5f);
  EXPECT_FALSE(message.Next());
  EXPECT_TRUE(message.ok());
  ASSERT_TRUE(reader.Next());
  std::vector<int64_t> values;
  reader.Ints(&values);
  EXPECT_EQ(values, (std::vector<int64_t>{1, 300, -1}));
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.field(), 1000u);
  EXPECT_FALSE(reader.Next());
}

TEST(Wire, RefusesDamage) {
  const std::vector<std::vector<uint8_t>> damaged = {
      {0x80},                                                              // a key without end
      {0x08},                                                              // no value
      {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},  // more than 64 bits
      {0x0a, 0x05, 0x01},                                                  // shorter than its length
      {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},  // a length of 2^64 - 1
      {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f},                                // a length of 2^32 - 1
      {0x0d, 0x00, 0x00},                                                  // half a float
      {0x00, 0x00},                                                        // field 0
      {0x0b},                                                              // a group
      {0x0f, 0x00},                                                        // wire type 7
  };
  for (const auto& bytes : damaged) {
    WireReader reader(bytes.data(), bytes.size());
    while (reader.Next()) {
    }
    EXPECT_FALSE(reader.ok());
  }
}

}  // namespace
}  // namespace runtime
}  // namespace mace
