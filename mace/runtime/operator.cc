#include "mace/runtime/operator.h"

#include <cmath>
#include <limits>

namespace mace {
namespace runtime {

bool PrepareContext::RequireInputs(size_t required, size_t most) {
  const size_t got = node_.inputs.size();
  std::string wanted = std::to_string(required);
  if (most > 1000) {
    wanted += " or more";
  } else if (most != required) {
    wanted += " to " + std::to_string(most);
  }
  if (got < required || got > most) {
    Fail(diagnostics::BadInputCount(got, wanted));
    return false;
  }
  for (size_t i = 0; i < required; ++i) {
    if (node_.inputs[i] < 0) {
      Fail(diagnostics::BadInputCount(i, wanted + " (one is absent)"));
      return false;
    }
  }
  return ok();
}

bool PrepareContext::RequireOutputs(size_t count) {
  if (node_.outputs.size() != count)
    Fail(diagnostics::BadOutputCount(node_.outputs.size(), std::to_string(count)));
  return ok();
}

bool PrepareContext::RequireType(const Tensor& tensor, ElementType type) {
  if (tensor.type != type)
    Fail(diagnostics::BadOperandType(tensor.name, NameOf(tensor.type), NameOf(type)));
  return ok();
}

bool PrepareContext::RequireComputeType(const Tensor& tensor) {
  if (tensor.type == ElementType::kInt32) {
    Fail(diagnostics::BadOperandType(tensor.name, NameOf(tensor.type), "float32, uint8 or int8"));
  } else if (IsQuantized(tensor.type) && !tensor.has_scale) {
    Fail(diagnostics::BadQuantization(tensor.name, "has no scale"));
  } else if (IsQuantized(tensor.type) &&
             (tensor.zero_point < QMin(tensor.type) || tensor.zero_point > QMax(tensor.type))) {
    Fail(diagnostics::BadQuantization(tensor.name, "has a zero point outside its codes"));
  }
  return ok();
}

bool PrepareContext::RequireAnyType(const Tensor& tensor) {
  return tensor.type == ElementType::kInt32 ? ok() : RequireComputeType(tensor);
}

bool PrepareContext::RequireShape(const Tensor& tensor, const Shape& shape) {
  if (tensor.shape != shape)
    Fail(diagnostics::BadOperandShape(tensor.name, ToString(tensor.shape), ToString(shape)));
  return ok();
}

bool PrepareContext::RequireRank(const Tensor& tensor, size_t least, size_t most) {
  const size_t rank = tensor.shape.size();
  if (rank < least || rank > most) {
    const std::string range = least == most ? std::to_string(least)
                                            : std::to_string(least) + " to " + std::to_string(most);
    Fail(diagnostics::BadOperandShape(tensor.name, ToString(tensor.shape), "one of rank " + range));
  }
  return ok();
}

bool PrepareContext::RequireSameCodes(const Tensor& a, const Tensor& b) {
  if (!RequireType(b, a.type)) return false;
  if (IsQuantized(a.type) && (a.scale != b.scale || a.zero_point != b.zero_point)) {
    Fail(diagnostics::BadQuantization(b.name,
                                      "must have the scale and zero point of '" + a.name + "'"));
  }
  return ok();
}

bool PrepareContext::RequireConstant(const Tensor& tensor) {
  if (!tensor.constant()) Fail(diagnostics::NotConstant(tensor.name));
  return ok();
}

namespace {

// An argument without any value: a writer that leaves zeros out wrote one.
bool IsEmpty(const Attribute& a) {
  return !a.has_f && !a.has_i && !a.has_s && a.floats.empty() && a.ints.empty();
}

}  // namespace

const Attribute* PrepareContext::Find(const std::string& name) const {
  for (const Attribute& a : node_.attributes) {
    if (a.name == name) return &a;
  }
  return nullptr;
}

int64_t PrepareContext::Int(const std::string& name, int64_t fallback, int64_t least,
                            int64_t greatest) {
  const Attribute* a = Find(name);
  if (a == nullptr) return fallback;
  if (!a->has_i && !IsEmpty(*a)) {
    Fail(diagnostics::BadAttribute(name, "is not an integer"));
    return fallback;
  }
  if (a->i < least || a->i > greatest) {
    Fail(diagnostics::BadAttribute(name, "is " + std::to_string(a->i) + ", not in " +
                                             std::to_string(least) + " to " +
                                             std::to_string(greatest)));
    return fallback;
  }
  return a->i;
}

int64_t PrepareContext::RequiredInt(const std::string& name, int64_t least, int64_t greatest) {
  if (Find(name) == nullptr) Fail(diagnostics::BadAttribute(name, "is missing"));
  return Int(name, least, least, greatest);
}

float PrepareContext::Float(const std::string& name, float fallback) {
  const Attribute* a = Find(name);
  if (a == nullptr) return fallback;
  if (!a->has_f && !IsEmpty(*a)) {
    Fail(diagnostics::BadAttribute(name, "is not a float"));
    return fallback;
  }
  return a->f;
}

float PrepareContext::RequiredFloat(const std::string& name) {
  if (Find(name) == nullptr) Fail(diagnostics::BadAttribute(name, "is missing"));
  return Float(name, 0.0f);
}

std::string PrepareContext::String(const std::string& name, const std::string& fallback) {
  const Attribute* a = Find(name);
  if (a == nullptr) return fallback;
  if (!a->has_s && !IsEmpty(*a)) {
    Fail(diagnostics::BadAttribute(name, "is not a string"));
    return fallback;
  }
  return a->s;
}

std::string PrepareContext::RequiredString(const std::string& name) {
  if (Find(name) == nullptr) Fail(diagnostics::BadAttribute(name, "is missing"));
  return String(name, "");
}

bool PrepareContext::CheckInts(const std::string& name, const std::vector<int64_t>& values,
                               size_t length, int64_t least, int64_t greatest) {
  if (values.size() != length) {
    Fail(diagnostics::BadAttribute(
        name, "has " + std::to_string(values.size()) + " numbers, not " + std::to_string(length)));
    return false;
  }
  for (int64_t v : values) {
    if (v < least || v > greatest) {
      Fail(diagnostics::BadAttribute(name, "holds " + std::to_string(v) + ", not in " +
                                               std::to_string(least) + " to " +
                                               std::to_string(greatest)));
      return false;
    }
  }
  return true;
}

std::vector<int64_t> PrepareContext::Ints(const std::string& name,
                                          const std::vector<int64_t>& fallback, size_t length,
                                          int64_t least, int64_t greatest) {
  const Attribute* a = Find(name);
  if (a == nullptr || !CheckInts(name, a->ints, length, least, greatest)) return fallback;
  return a->ints;
}

std::vector<int64_t> PrepareContext::RequiredInts(const std::string& name, size_t length,
                                                  int64_t least, int64_t greatest) {
  if (Find(name) == nullptr) Fail(diagnostics::BadAttribute(name, "is missing"));
  return Ints(name, std::vector<int64_t>(length, least), length, least, greatest);
}

size_t PrepareContext::RequiredAxis(size_t rank) {
  return static_cast<size_t>(RequiredInt("axis", 0, static_cast<int64_t>(rank) - 1));
}

std::vector<bool> PrepareContext::RequiredAxes(size_t rank) {
  std::vector<bool> chosen(rank, false);
  if (!HasAttribute("axis")) Fail(diagnostics::BadAttribute("axis", "is missing"));
  const size_t count = CountInts("axis");
  if (count > rank)
    Fail(diagnostics::BadAttribute("axis", "has more numbers than the input has axes"));
  if (!ok()) return chosen;
  const std::vector<int64_t> axes = Ints("axis", {}, count, 0, static_cast<int64_t>(rank) - 1);
  for (size_t i = 0; i < axes.size(); ++i) {
    if (i > 0 && axes[i] <= axes[i - 1]) {
      Fail(diagnostics::BadAttribute("axis", "is not ascending"));
      return chosen;
    }
    chosen[static_cast<size_t>(axes[i])] = true;
  }
  return chosen;
}

std::vector<float> PrepareContext::Floats(const std::string& name, size_t length) {
  const Attribute* a = Find(name);
  if (a == nullptr || a->floats.empty()) {
    if (a != nullptr && !IsEmpty(*a))
      Fail(diagnostics::BadAttribute(name, "is not a list of floats"));
    return {};
  }
  if (a->floats.size() != length) {
    Fail(diagnostics::BadAttribute(name, "has " + std::to_string(a->floats.size()) +
                                             " numbers, not " + std::to_string(length)));
    return {};
  }
  for (float v : a->floats) {
    if (std::isnan(v)) Fail(diagnostics::BadAttribute(name, "holds something that is no number"));
  }
  return a->floats;
}

void PrepareContext::FusedLimits(float* lo, float* hi) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::string activation = String("activation", "NOOP");
  const float limit = Float("max_limit", 0.0f);
  *lo = activation == "NOOP" ? -inf : 0.0f;
  *hi = activation == "RELUX" ? limit : inf;
  if (activation != "NOOP" && activation != "RELU" && activation != "RELUX") {
    Fail(diagnostics::BadAttribute("activation",
                                   "is '" + activation + "', not NOOP, RELU or RELUX"));
  }
  if (std::isnan(limit)) Fail(diagnostics::BadAttribute("max_limit", "is not a number"));
}

bool PrepareContext::FixedPoint() {
  const std::string value = String("requantize", "float");
  if (value != "float" && value != "fixed_point")
    Fail(diagnostics::BadAttribute("requantize", "is '" + value + "', not float or fixed_point"));
  return value == "fixed_point";
}

quant::CodeRange PrepareContext::FusedCodes(const Tensor& output) {
  float lo, hi;
  FusedLimits(&lo, &hi);
  const int32_t qmin = QMin(output.type), qmax = QMax(output.type);
  const quant::Affine affine{output.scale, output.zero_point};
  quant::CodeRange range{qmin, qmax};
  if (lo == 0.0f) range.lo = quant::Clamp(output.zero_point, qmin, qmax);
  if (std::isfinite(hi)) range.hi = quant::Quantize(hi, affine, qmin, qmax);
  return range;
}

}  // namespace runtime
}  // namespace mace
