// The programs as their users start them: exit codes, diagnostics, streams and statistics.
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "gtest/gtest.h"
#include "mace/bin/flags.h"
#include "mace/runtime/wire.h"
#include "mace/testing/model_builder.h"

namespace mace {
namespace bin {
namespace {

using mace::testing::ModelBuilder;
using runtime::WireReader;

const char kRun[] = "mace/bin/mace_run", kStat[] = "mace/bin/mace_stat";

std::string Folder() {
  const char* folder = std::getenv("TEST_TMPDIR");
  return std::string(folder == nullptr ? "." : folder) + "/";
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

struct Result {
  int code;
  std::string out, err;
};

Result RunCommand(const std::string& command) {
  const std::string out = Folder() + "out", err = Folder() + "err";
  const int status = std::system((command + " >" + out + " 2>" + err).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadAll(out), ReadAll(err)};
}

template <typename T>
void Put(std::string* to, T value) {
  to->append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string Record(const std::string& name, const std::vector<float>& values) {
  std::string record;
  Put<uint32_t>(&record, static_cast<uint32_t>(name.size()));
  record += name;
  Put<uint32_t>(&record, 1);
  Put<uint64_t>(&record, values.size() * sizeof(float));
  for (float v : values) Put(&record, v);
  return record;
}

// y = max(-x, 0), in float or through codes of scale 1.
std::string Model(bool quantized) {
  ModelBuilder m;
  m.Input("x", {1, 4});
  const ElementType f = ElementType::kFloat32;
  m.Node("Activation", {"x"}, {{"minus/x:0", {1, 4}, f, 0, 0, {}, 0}}, {{"activation", "NEG"}});
  if (quantized) {
    m.Node("Quantize", {"minus/x:0"}, {{"q", {1, 4}, ElementType::kUint8, 1.0f, 0, {}, 0}});
    m.Node("Dequantize", {"q"}, {{"y", {1, 4}, f, 0, 0, {}, 0}});
  } else {
    m.Node("Activation", {"minus/x:0"}, {{"y", {1, 4}, f, 0, 0, {}, 0}}, {{"activation", "RELU"}});
  }
  m.Output("y", {1, 4});
  const std::string path = Folder() + (quantized ? "quantized" : "float");
  WriteAll(path + ".pb", m.Model());
  WriteAll(path + ".data", m.data());
  return "--model_file=" + path + ".pb --model_data_file=" + path + ".data ";
}

TEST(Flags, NearestName) {
  const std::vector<std::string> known = {"model_file", "num_threads", "round"};
  EXPECT_EQ(Nearest("model_fil", known), "model_file");
  EXPECT_EQ(Nearest("num_thread", known), "num_threads");
  EXPECT_EQ(Nearest("zzzzzz", known), "");
}

TEST(MaceRun, UsageErrors) {
  Result r = RunCommand(std::string(kRun) + " --modle_file=x");
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("error[MR101]"), std::string::npos) << r.err;
  EXPECT_NE(r.err.find("did you mean '--model_file'"), std::string::npos) << r.err;
  EXPECT_EQ(RunCommand(kRun).code, 2);
  EXPECT_EQ(RunCommand(std::string(kRun) + " stray").code, 2);
  EXPECT_EQ(RunCommand(std::string(kRun) + " " + Model(false) + "--num_threads=many").code, 2);
  r = RunCommand(std::string(kRun) + " --help");
  EXPECT_EQ(r.code, 0);
  EXPECT_NE(r.out.find("--benchmark"), std::string::npos);
}

TEST(MaceRun, UserErrors) {
  Result r = RunCommand(std::string(kRun) + " --model_file=" + Folder() + "none");
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.err.find("error[MR301]"), std::string::npos) << r.err;
  r = RunCommand(std::string(kRun) + " " + Model(false));
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.err.find("error[MR311]"), std::string::npos) << r.err;
  WriteAll(Folder() + "short.dat", "1234");
  r = RunCommand(std::string(kRun) + " " + Model(false) + "--input=x=" + Folder() + "short.dat");
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.err.find("error[MR303]"), std::string::npos) << r.err;
  r = RunCommand("MACE_CPU_TIER=fast " + std::string(kRun) + " " + Model(false) + "--benchmark");
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.err.find("error[MR402]"), std::string::npos) << r.err;
}

TEST(MaceRun, FilesLabelsAndBenchmark) {
  const std::vector<float> x = {-1.0f, 2.0f, -3.0f, 0.0f};
  WriteAll(Folder() + "x.dat", std::string(reinterpret_cast<const char*>(x.data()), 16));
  WriteAll(Folder() + "labels", "zero\none\ntwo\nthree\n");
  const Result r =
      RunCommand(std::string(kRun) + " " + Model(false) + "--input=x=" + Folder() +
                 "x.dat --output_dir=" + Folder() + "outputs --top=1 --labels=" + Folder() +
                 "labels --benchmark --round=2");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.out.find("two"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("By operator type"), std::string::npos);
  const std::string y = ReadAll(Folder() + "outputs/y");
  ASSERT_EQ(y.size(), 16u);
  float values[4];
  std::memcpy(values, y.data(), 16);
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_EQ(values[1], 0.0f);
  EXPECT_EQ(values[2], 3.0f);
}

TEST(MaceRun, ListsItsOperators) {
  const Result r = RunCommand(std::string(kRun) + " --list_kernels");
  EXPECT_EQ(r.code, 0);
  EXPECT_NE(
      r.out.find("{\"type\": \"Conv2D\", \"float32\": true, \"uint8\": true, \"int8\": true}"),
      std::string::npos);
  EXPECT_NE(
      r.out.find("{\"type\": \"BatchNorm\", \"float32\": true, \"uint8\": false, \"int8\": false}"),
      std::string::npos);
}

TEST(MaceRun, StreamsAndLayers) {
  WriteAll(Folder() + "in", Record("b", {-1, -2, -3, -4}) + Record("a", {1, 2, 3, -4}));
  const Result r = RunCommand(std::string(kRun) + " " + Model(true) + "--input_stream=" + Folder() +
                              "in --output_stream=- --layers_output=" + Folder() + "layers");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.out, Record("b", {1, 2, 3, 4}) + Record("a", {0, 0, 0, 4}));
  // Codes are written as what they mean.
  EXPECT_EQ(ReadAll(Folder() + "layers"),
            Record("minus/x:0", {1, 2, 3, 4}) + Record("q", {1, 2, 3, 4}) +
                Record("y", {1, 2, 3, 4}) + Record("minus/x:0", {-1, -2, -3, 4}) +
                Record("q", {0, 0, 0, 4}) + Record("y", {0, 0, 0, 4}));
}

// y = index of the greatest of two rows, through a float in between; x is int32.
TEST(MaceRun, Int32) {
  ModelBuilder m;
  const ElementType f = ElementType::kFloat32, i = ElementType::kInt32;
  m.Input("x", {2, 2}, i);
  m.Node("Cast", {"x"}, {{"real", {2, 2}, f, 0, 0, {}, 0}});
  m.Node("ArgMax", {"real"}, {{"y", {2}, i, 0, 0, {}, 0}}, {{"axis", 1}});
  m.Output("y", {2}, i);
  const std::string path = Folder() + "whole";
  WriteAll(path + ".pb", m.Model());
  WriteAll(path + ".data", m.data());
  std::string input, output, layers;
  for (int32_t v : {5, 7, 1 << 24, -1}) Put(&input, v);
  for (int32_t v : {1, 0}) Put(&output, v);
  for (float v : {1.0f, 0.0f}) Put(&layers, v);
  WriteAll(path + ".x", input);
  const std::string model =
      std::string(kRun) + " --model_file=" + path + ".pb --model_data_file=" + path + ".data ";
  const Result r = RunCommand(model + "--input=x=" + path + ".x --output_dir=" + path +
                              " --layers_output=" + path + ".layers --top=1");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(ReadAll(path + "/y"), output);
  const std::string dump = ReadAll(path + ".layers");
  ASSERT_GE(dump.size(), layers.size());
  EXPECT_EQ(dump.substr(dump.size() - layers.size()), layers);  // real values of the last tensor
  EXPECT_NE(r.out.find("1.            1       0"), std::string::npos) << r.out;
  EXPECT_EQ(RunCommand(model + "--benchmark").code, 0);
  // Statistics have no record of whole numbers.
  std::string stream = Record("a", {0, 0, 0, 0});
  WriteAll(path + ".stream", stream);
  const Result s =
      RunCommand(std::string(kStat) + " --model_file=" + path + ".pb --model_data_file=" + path +
                 ".data --input_stream=" + path + ".stream --output=" + path + ".stat");
  EXPECT_EQ(s.code, 0) << s.err;
  EXPECT_NE(ReadAll(path + ".stat").find("real"), std::string::npos);
}

TEST(MaceRun, FilesOfTheDeclaredType) {
  // y = -x: a file of int16 in, one of uint8 out.
  ModelBuilder m;
  const ElementType f = ElementType::kFloat32;
  m.Input("x", {4}, f, 7);
  m.Node("Activation", {"x"}, {{"y", {4}, f, 0, 0, {}, 0}}, {{"activation", "NEG"}});
  m.Output("y", {4}, f, 2);
  const std::string path = Folder() + "typed";
  WriteAll(path + ".pb", m.Model());
  WriteAll(path + ".data", m.data());
  std::string declared, real;
  for (int16_t v : {-3, -300, 5, 0}) {
    Put(&declared, v);
    Put(&real, static_cast<float>(v));
  }
  WriteAll(path + ".int16", declared);
  WriteAll(path + ".float32", real);
  const std::string model =
      std::string(kRun) + " --model_file=" + path + ".pb --model_data_file=" + path + ".data ";
  const std::string cut = {3, static_cast<char>(255), 0, 0};
  for (const std::string& input :
       {"--input=x=" + path + ".int16", "--input_type=float32 --input=x=" + path + ".float32"}) {
    WriteAll(path + "/y", "");
    const Result r = RunCommand(model + input + " --output_dir=" + path);
    EXPECT_EQ(r.code, 0) << r.err;
    EXPECT_EQ(ReadAll(path + "/y"), cut) << input;
  }
  // Streams are the tools' own, of the graph's type.
  WriteAll(path + ".stream", Record("a", {-3, -300, 5, 0}));
  const Result r =
      RunCommand(model + "--input_stream=" + path + ".stream --output_stream=" + path + ".outputs");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(ReadAll(path + ".outputs"), Record("a", {3, 300, -5, -0.0f}));
  const Result wrong = RunCommand(model + "--input=x=" + path + ".float32");
  EXPECT_EQ(wrong.code, 1);
  EXPECT_NE(wrong.err.find("MR3"), std::string::npos) << wrong.err;
  EXPECT_EQ(RunCommand(model + "--benchmark").code, 0);
}

TEST(MaceRun, BadStreams) {
  const std::string good = Record("a", {1, 2, 3, 4});
  for (size_t n = 1; n < good.size(); ++n) {
    WriteAll(Folder() + "in", good.substr(0, n));
    EXPECT_EQ(RunCommand(std::string(kRun) + " " + Model(false) + "--input_stream=" + Folder() +
                         "in --output_stream=" + Folder() + "never")
                  .code,
              1)
        << n;
  }
  EXPECT_FALSE(std::ifstream(Folder() + "never").good());
  WriteAll(Folder() + "in", Record("a", {1, 2, 3}));
  EXPECT_NE(RunCommand(std::string(kRun) + " " + Model(false) + "--input_stream=" + Folder() + "in")
                .err.find("MR303"),
            std::string::npos);
  WriteAll(Folder() + "in", std::string("\xff\xff\xff\xff", 4));
  EXPECT_NE(RunCommand(std::string(kRun) + " " + Model(false) + "--input_stream=" + Folder() + "in")
                .err.find("MR305"),
            std::string::npos);
}

TEST(MaceStat, CountsEverything) {
  const std::string one = Record("b", {1.0f, -2.0f, NAN, INFINITY}),
                    two = Record("a", {0.0f, -0.0f, 1.0f, 1.0f});
  const auto stat = [&](const std::string& stream, const std::string& extra) {
    WriteAll(Folder() + "in", stream);
    std::remove((Folder() + "stat").c_str());
    const Result r =
        RunCommand(extra + kStat + " " + Model(false) + "--input_stream=- --output=" + Folder() +
                   "stat <" + Folder() + "in");
    EXPECT_EQ(r.code, 0) << r.err;
    return ReadAll(Folder() + "stat");
  };
  const std::string bytes = stat(one + two, "");
  EXPECT_EQ(stat(two + one, ""), bytes);  // the order of samples does not matter
  EXPECT_EQ(stat(two + one, "MACE_CPU_TIER=scalar "), bytes);

  std::vector<std::string> tensors, samples;
  std::map<uint64_t, uint64_t> histogram;
  WireReader message(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  while (message.Next()) {
    if (message.field() == 3) {
      WireReader tensor = message.Message();
      std::vector<int64_t> buckets, counts;
      while (tensor.Next()) {
        if (tensor.field() == 1) tensors.push_back(tensor.Bytes());
        if (tensor.field() == 2) {
          EXPECT_EQ(tensor.Int(), 8);
        }
        if (tensor.field() == 3 && tensors.size() == 1) {
          EXPECT_EQ(tensor.Int(), 1);
        }
        if (tensor.field() == 4 && tensors.size() == 1) {
          EXPECT_EQ(tensor.Int(), 1);
        }
        if (tensor.field() == 5) tensor.Ints(&buckets);
        if (tensor.field() == 6) tensor.Ints(&counts);
      }
      if (tensors.size() == 1) {
        for (size_t i = 0; i < buckets.size(); ++i)
          histogram[static_cast<uint64_t>(buckets[i])] = static_cast<uint64_t>(counts[i]);
      }
    }
    if (message.field() == 4) {
      WireReader sample = message.Message();
      std::vector<float> min, max;
      while (sample.Next()) {
        if (sample.field() == 1) samples.push_back(sample.Bytes());
        if (sample.field() == 2) sample.Floats(&min);
        if (sample.field() == 3) sample.Floats(&max);
      }
      ASSERT_EQ(min.size(), 3u);
      EXPECT_EQ(min[0], samples.back() == "a" ? 0.0f : -2.0f);
      EXPECT_EQ(max[0], 1.0f);
    }
  }
  EXPECT_TRUE(message.ok());
  EXPECT_EQ(tensors, (std::vector<std::string>{"x", "minus/x:0", "y"}));
  EXPECT_EQ(samples, (std::vector<std::string>{"a", "b"}));
  const std::map<uint64_t, uint64_t> wanted = {
      {0, 2}, {0x3f800000u >> 19, 3}, {0xc0000000u >> 19, 1}};
  EXPECT_EQ(histogram, wanted);
}

// The program waits in the middle of the second record when the signal arrives.
TEST(MaceStat, FinishesEarlyOnSignals) {
  const std::string first = Record("b", {1.0f, -2.0f, 3.0f, 4.0f}), second = Record("a", {});
  const std::string output = Folder() + "early.stat", pipe = Folder() + "pipe";
  WriteAll(Folder() + "first", first);
  ASSERT_EQ(RunCommand(std::string(kStat) + " " + Model(false) + "--input_stream=" + Folder() +
                       "first --output=" + output)
                .code,
            0);
  const std::string wanted = ReadAll(output);
  WriteAll(Folder() + "begun", first + second.substr(0, 5));
  // From when on the program catches SIGINT, Linux tells by the second bit of a line of its status.
  const std::string catches =
      "for i in $(seq 300); do grep -qs '^SigCgt:.*[2367abef]$' /proc/$!/status && break; "
      "sleep 0.1; done";
  const auto interrupted = [&](const char* signal, const std::string& stream) {
    std::remove(output.c_str());
    return RunCommand("{ rm -f " + pipe + " && mkfifo " + pipe + " && { " + kStat + " " +
                      Model(false) + "--input_stream=" + pipe + " --output=" + output +
                      " & } && exec 3>" + pipe + " && cat " + stream + " >&3 && " + catches +
                      " && sleep 1 && kill -" + signal + " $! && wait $!; }");
  };
  const Result r = interrupted("INT", Folder() + "begun");
  EXPECT_EQ(r.code, 130) << r.err;
  EXPECT_NE(r.err.find("MR312"), std::string::npos) << r.err;
  EXPECT_EQ(ReadAll(output), wanted);
  EXPECT_EQ(interrupted("TERM", Folder() + "begun").code, 143);
  EXPECT_EQ(ReadAll(output), wanted);
  EXPECT_EQ(interrupted("INT", "/dev/null").code, 130);
  EXPECT_FALSE(std::ifstream(output).good());
}

TEST(MaceStat, Failures) {
  const std::string output = Folder() + "nothing.stat";
  const auto fails = [&](const std::string& model, const std::string& stream, const char* code) {
    WriteAll(Folder() + "in", stream);
    const Result r = RunCommand(std::string(kStat) + " " + model + "--input_stream=" + Folder() +
                                "in --output=" + output);
    EXPECT_EQ(r.code, 1);
    EXPECT_NE(r.err.find(code), std::string::npos) << r.err;
    EXPECT_FALSE(std::ifstream(output).good());
  };
  fails(Model(false), Record("a", {1, 2, 3}), "MR303");
  fails(Model(false), Record("a", {1, 2, 3, 4}).substr(0, 20), "MR304");
  fails(Model(false), Record("a", {1, 2, 3, 4}) + Record("a", {1, 2, 3, 4}), "MR309");
  fails(Model(true), Record("a", {1, 2, 3, 4}), "MR308");
}

}  // namespace
}  // namespace bin
}  // namespace mace
