#include "mace/runtime/preprocess.h"

#include <cctype>
#include <cmath>
#include <locale>
#include <sstream>

#include "mace/base/diagnostics.h"

namespace mace {
namespace runtime {
namespace {

// Of an object whose values are strings, numbers and lists of numbers; that is all that the
// description has.
class JsonReader {
 public:
  explicit JsonReader(const std::string& text) : at_(text.data()), end_(at_ + text.size()) {}

  bool Take(char expected) {
    SkipBlanks();
    if (at_ == end_ || *at_ != expected) return false;
    ++at_;
    return true;
  }
  bool AtEnd() {
    SkipBlanks();
    return at_ == end_;
  }
  // Without escapes: neither the keys nor the words that are looked for have any.
  bool String(std::string* out) {
    if (!Take('"')) return false;
    const char* start = at_;
    while (at_ != end_ && *at_ != '"' && *at_ != '\\') ++at_;
    out->assign(start, at_);
    return Take('"');
  }
  bool Number(double* out) {
    SkipBlanks();
    const char* start = at_;
    while (at_ != end_ && (std::isdigit(static_cast<unsigned char>(*at_)) || *at_ == '-' ||
                           *at_ == '+' || *at_ == '.' || *at_ == 'e' || *at_ == 'E'))
      ++at_;
    // Correctly rounded, whatever the locale of the application.
    std::istringstream text(std::string(start, at_));
    text.imbue(std::locale::classic());
    text >> *out;
    return start != at_ && !text.fail() && text.peek() == std::istringstream::traits_type::eof() &&
           std::isfinite(*out);
  }
  bool Numbers(std::vector<double>* out) {
    out->clear();
    if (!Take('[')) return false;
    if (Take(']')) return true;
    do {
      double value;
      // As many as an image can have channels, and a few more.
      if (out->size() >= 8 || !Number(&value)) return false;
      out->push_back(value);
    } while (Take(','));
    return Take(']');
  }

 private:
  void SkipBlanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }

  const char* at_;
  const char* const end_;
};

// False where it is no object of that kind.
bool Read(const std::string& json, std::string* color, Preprocess* preprocess) {
  JsonReader reader(json);
  bool has_mean = false, has_scale = false;
  if (!reader.Take('{')) return false;
  do {
    std::string key, word;
    double number;
    if (!reader.String(&key) || !reader.Take(':')) return false;
    if (key == "mean") {
      has_mean = reader.Numbers(&preprocess->mean);
      if (!has_mean) return false;
    } else if (key == "scale") {
      has_scale = reader.Numbers(&preprocess->scale);
      if (!has_scale) return false;
    } else if (key == "color") {
      if (!reader.String(color)) return false;
    } else if (!reader.String(&word) && !reader.Number(&number)) {
      return false;
    }
  } while (reader.Take(','));
  return reader.Take('}') && reader.AtEnd() && has_mean && has_scale;
}

}  // namespace

std::string PreprocessArgument(const std::string& input) { return "preprocess:" + input; }

Status ReadPreprocess(const std::string& input, const std::string& json, Preprocess* preprocess) {
  std::string color;
  Preprocess read;
  if (!Read(json, &color, &read))
    return diagnostics::BadPreprocess(input, "it is not of the form that the tools write");
  if (color != "RGB" && color != "BGR" && color != "GRAY")
    return diagnostics::BadPreprocess(input, "its color is not RGB, BGR or GRAY");
  const size_t channels = color == "GRAY" ? 1 : 3;
  if (read.mean.size() != channels || read.scale.size() != channels)
    return diagnostics::BadPreprocess(input, "mean and scale are not of its color's channels");
  read.bgr = color == "BGR";
  *preprocess = read;
  return Status();
}

bool TakesPixels(const Shape& shape, ElementType type) {
  return type == ElementType::kFloat32 && shape.size() == 4 && shape[0] == 1 &&
         (shape[3] == 1 || shape[3] == 3);
}

Status PixelsToInput(const std::string& input, const Shape& shape, const Preprocess& preprocess,
                     const uint8_t* pixels, float* values) {
  const size_t channels = static_cast<size_t>(shape[3]);
  if (preprocess.mean.size() != channels)
    return diagnostics::BadPreprocess(input, "it is for images of other channels than the input's");
  const size_t area = static_cast<size_t>(shape[1]) * static_cast<size_t>(shape[2]);
  for (size_t c = 0; c < channels; ++c) {
    const size_t from = preprocess.bgr ? channels - 1 - c : c;
    const double mean = preprocess.mean[c], scale = preprocess.scale[c];
    // A pixel has 256 values: each is computed once, in binary64 as the tools do.
    float table[256];
    for (int v = 0; v < 256; ++v) table[v] = static_cast<float>((v - mean) * scale);
    for (size_t p = 0; p < area; ++p) values[p * channels + c] = table[pixels[p * channels + from]];
  }
  return Status();
}

}  // namespace runtime
}  // namespace mace
