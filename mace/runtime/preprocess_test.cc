#include "mace/runtime/preprocess.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace mace {
namespace runtime {
namespace {

const char kBgr[] =
    R"({"color":"BGR","mean":[104,117.5,-1.25e1],"scale":[1,0.007843137254901961,2],"resize":"area","fit":"crop","shortSide":256})";

TEST(Preprocess, ReadsWhatTheToolsWrite) {
  Preprocess preprocess;
  ASSERT_TRUE(ReadPreprocess("x", kBgr, &preprocess).ok());
  EXPECT_TRUE(preprocess.bgr);
  EXPECT_EQ(preprocess.mean, (std::vector<double>{104, 117.5, -12.5}));
  EXPECT_EQ(preprocess.scale, (std::vector<double>{1, 1 / 127.5, 2}));
  ASSERT_TRUE(
      ReadPreprocess("x", R"( { "color" : "GRAY", "mean" : [0], "scale" : [ 1 ] } )", &preprocess)
          .ok());
  EXPECT_FALSE(preprocess.bgr);
  EXPECT_EQ(preprocess.mean.size(), 1u);
}

TEST(Preprocess, RefusesEverythingElse) {
  const std::string good = kBgr;
  for (size_t length = 0; length < good.size(); ++length) {
    Preprocess preprocess;
    EXPECT_FALSE(ReadPreprocess("x", good.substr(0, length), &preprocess).ok()) << length;
  }
  for (const char* text : {
           "",
           "{}",
           "null",
           "[1]",
           R"({"color":"RGB","mean":[0,0,0]})",
           R"({"color":"RGB","mean":[0],"scale":[1]})",
           R"({"color":"GRAY","mean":[0,0,0],"scale":[1,1,1]})",
           R"({"color":"CMYK","mean":[0,0,0],"scale":[1,1,1]})",
           R"({"color":"RGB","mean":[0,0,1e999],"scale":[1,1,1]})",
           R"({"color":"RGB","mean":[0,0,nan],"scale":[1,1,1]})",
           R"({"color":"RGB","mean":[0,0,1.2.3],"scale":[1,1,1]})",
           R"({"color":"RGB","mean":[0,0,0],"scale":[1,1,1]} more)",
           R"({"color":"RGB","mean":[0,0,0],"scale":[1,1,1],"fit":{"a":1}})",
           R"({"color":"R\u0047B","mean":[0,0,0],"scale":[1,1,1]})",
           R"({"color":"RGB","mean":[1,2,3,4,5,6,7,8,9,10],"scale":[1,1,1]})",
       }) {
    Preprocess preprocess;
    const Status status = ReadPreprocess("x", text, &preprocess);
    EXPECT_FALSE(status.ok()) << text;
    EXPECT_EQ(status.code(), 222) << text;
    EXPECT_EQ(preprocess.mean[0], 127.5) << text;
  }
}

TEST(Preprocess, PixelsTakeTheModelsOrderMeanAndScale) {
  Preprocess preprocess;
  ASSERT_TRUE(ReadPreprocess("x", kBgr, &preprocess).ok());
  const std::vector<uint8_t> pixels = {10, 20, 30, 255, 0, 128};
  std::vector<float> values(6);
  ASSERT_TRUE(PixelsToInput("x", {1, 1, 2, 3}, preprocess, pixels.data(), values.data()).ok());
  const float mid = static_cast<float>((20 - 117.5) * (1 / 127.5));
  const float low = static_cast<float>((0 - 117.5) * (1 / 127.5));
  EXPECT_EQ(values, (std::vector<float>{-74, mid, 45, 24, low, 535}));
  const Status other = PixelsToInput("x", {1, 1, 6, 1}, preprocess, pixels.data(), values.data());
  EXPECT_EQ(other.code(), 222);
}

TEST(Preprocess, ImagesAreInputsOfOneOrThreeChannels) {
  EXPECT_TRUE(TakesPixels({1, 4, 5, 3}, ElementType::kFloat32));
  EXPECT_TRUE(TakesPixels({1, 4, 5, 1}, ElementType::kFloat32));
  EXPECT_FALSE(TakesPixels({1, 4, 5, 2}, ElementType::kFloat32));
  EXPECT_FALSE(TakesPixels({2, 4, 5, 3}, ElementType::kFloat32));
  EXPECT_FALSE(TakesPixels({1, 60}, ElementType::kFloat32));
  EXPECT_FALSE(TakesPixels({1, 4, 5, 3}, ElementType::kInt32));
}

}  // namespace
}  // namespace runtime
}  // namespace mace
