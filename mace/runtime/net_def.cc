#include "mace/runtime/net_def.h"

#include "mace/base/diagnostics.h"
#include "mace/runtime/sha256.h"
#include "mace/runtime/wire.h"

namespace mace {
namespace runtime {
namespace {

using std::string;
using std::vector;

// Before Append, whose lookup does not see later ones.
bool Parse(WireReader r, NodeInput* input);
bool Parse(WireReader r, OperatorDef* op);
bool Parse(WireReader r, PortDef* p);
bool Parse(WireReader r, NetDef* net);

bool Parse(WireReader r, ConstDef* t) {
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        r.Ints(&t->dims);
        break;
      case 2:
        t->type = r.Int();
        break;
      case 3:
        r.Floats(&t->float_data);
        break;
      case 4:
        r.Ints(&t->int32_data);
        break;
      case 5:
        t->name = r.Bytes();
        break;
      case 6:
        t->offset = r.Int();
        break;  // absent: 0, as writers leave defaults out
      case 7:
        t->size = r.Int();
        t->has_size = true;
        break;
      case 8:
        t->scale = r.Float();
        t->has_scale = true;
        break;
      case 9:
        t->zero_point = r.Int();
        break;
      case 10:
        t->minval = r.Float();
        break;
      case 11:
        t->maxval = r.Float();
        break;
      case 100:
        t->node_id = r.Int();
        break;
      case 1000:
        r.Floats(&t->channel_scale);
        break;
      case 1001:
        t->channel_axis = r.Int();
        break;
      case 1004:
        t->dequantize = r.Int() != 0;
        break;
      default:
        break;
    }
  }
  return r.ok();
}

bool Parse(WireReader r, Attribute* a) {
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        a->name = r.Bytes();
        break;
      case 2:
        a->f = r.Float();
        a->has_f = true;
        break;
      case 3:
        a->i = r.Int();
        a->has_i = true;
        break;
      case 4:
        a->s = r.Bytes();
        a->has_s = true;
        break;
      case 5:
        r.Floats(&a->floats);
        break;
      case 6:
        r.Ints(&a->ints);
        break;
      default:
        break;
    }
  }
  return r.ok();
}

bool Parse(WireReader r, QuantizeInfo* q) {
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        q->scale = r.Float();
        break;
      case 2:
        q->zero_point = r.Int();
        break;
      case 3:
        q->minval = r.Float();
        break;
      case 4:
        q->maxval = r.Float();
        break;
      default:
        break;
    }
  }
  return r.ok();
}

bool ParseDims(WireReader r, vector<int64_t>* dims) {
  while (r.Next()) {
    if (r.field() == 1) r.Ints(dims);
  }
  return r.ok();
}

// Appends a parsed sub-message; false when it is malformed.
template <typename T>
bool Append(WireReader* r, vector<T>* list) {
  list->emplace_back();
  return Parse(r->Message(), &list->back()) || r->Fail();
}

bool Parse(WireReader r, NodeInput* input) {
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        input->node_id = r.Int();
        break;
      case 2:
        input->output_port = r.Int();
        break;
      default:
        break;
    }
  }
  return r.ok();
}

bool Parse(WireReader r, OperatorDef* op) {
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        op->inputs.push_back(r.Bytes());
        break;
      case 2:
        op->outputs.push_back(r.Bytes());
        break;
      case 3:
        op->name = r.Bytes();
        break;
      case 4:
        op->type = r.Bytes();
        break;
      case 6:
        Append(&r, &op->arguments);
        break;
      case 7:
        op->shapes.emplace_back();
        if (!ParseDims(r.Message(), &op->shapes.back())) r.Fail();
        break;
      case 8:
        r.Ints(&op->types);
        break;
      case 9:
        Append(&r, &op->quantize_info);
        break;
      case 100:
        op->node_id = r.Int();
        break;
      case 102:
        op->padding = r.Int();
        break;
      case 103:
        Append(&r, &op->node_inputs);
        break;
      case 104:
        r.Ints(&op->out_max_byte_sizes);
        break;
      default:
        break;
    }
  }
  return r.ok();
}

bool Parse(WireReader r, PortDef* p) {
  int64_t tensor_type = 0;
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        p->name = r.Bytes();
        break;
      case 2:
        p->node_id = r.Int();
        break;
      case 3:
        r.Ints(&p->dims);
        break;
      case 4:
        p->max_byte_size = r.Int();
        break;
      case 5:
        p->type = r.Int();
        break;
      case 6:
        p->format = r.Int();
        break;
      case 7:
        p->scale = r.Float();
        break;
      case 8:
        p->zero_point = r.Int();
        break;
      case 100:
        p->alias = r.Bytes();
        break;
      case 1003:
        tensor_type = r.Int();
        break;
      default:
        break;
    }
  }
  if (tensor_type != 0) {
    p->buffer_type = p->type;
    p->type = tensor_type;
  }
  return r.ok();
}

bool Parse(WireReader r, NetDef* net) {
  while (r.Next()) {
    switch (r.field()) {
      case 1:
        Append(&r, &net->ops);
        break;
      case 2:
        Append(&r, &net->arguments);
        break;
      case 3:
        Append(&r, &net->tensors);
        break;
      case 5:
        net->name = r.Bytes();
        break;
      case 6:
        net->data_offset = r.Int();
        break;
      case 7:
        net->data_size = r.Int();
        break;
      case 8:
        net->infer_order = r.Int();
        break;
      case 100:
        Append(&r, &net->inputs);
        break;
      case 101:
        Append(&r, &net->outputs);
        break;
      case 1000:
        net->version = static_cast<uint64_t>(r.Int());
        net->has_version = true;
        break;
      case 1001:
        net->sha256 = r.Bytes();
        break;
      case 1002:
        net->graph_digest = r.Bytes();
        break;
      default:
        break;
    }
  }
  return r.ok();
}

bool Parse(WireReader r, MultiNetDef* multi) {
  while (r.Next()) {
    switch (r.field()) {
      case 2:
        multi->name = r.Bytes();
        break;
      case 3:
        Append(&r, &multi->nets);
        break;
      case 100:
        multi->inputs.push_back(r.Bytes());
        break;
      case 101:
        multi->outputs.push_back(r.Bytes());
        break;
      default:
        break;
    }
  }
  return r.ok();
}

const Attribute* Find(const vector<Attribute>& arguments, const char* name) {
  for (const Attribute& argument : arguments) {
    if (argument.name == name) return &argument;
  }
  return nullptr;
}

}  // namespace

const Attribute* OperatorDef::Argument(const char* name) const { return Find(arguments, name); }

int64_t NetDef::runtime_type() const {
  const Attribute* type = Find(arguments, "runtime_type");
  return type == nullptr ? 0 : type->i;
}

Status ReadMultiNetDef(const void* pb, size_t pb_size, MultiNetDef* multi) {
  *multi = MultiNetDef();
  if (!Parse(WireReader(static_cast<const uint8_t*>(pb), pb_size), multi))
    return diagnostics::MalformedModel("a length or a field is wrong");
  return Status();
}

Status CheckNet(const NetDef& net, const void* data, size_t data_size) {
  if (!net.has_version) return diagnostics::ForeignModel();
  if (net.version > kFormatVersion) {
    return diagnostics::NewerModel(static_cast<uint32_t>(net.version & 0xffffffffu),
                                   kFormatVersion);
  }
  if (net.data_offset < 0 || static_cast<uint64_t>(net.data_offset) > data_size) {
    return diagnostics::ConstantBounds("data_offset", "is outside the data file");
  }
  if (net.data_size < 0 ||
      static_cast<uint64_t>(net.data_size) > data_size - static_cast<size_t>(net.data_offset)) {
    return diagnostics::ConstantBounds("data_size", "is " + std::to_string(net.data_size) +
                                                        ", the data file has " +
                                                        std::to_string(data_size) + " bytes");
  }
  if (!net.sha256.empty() && Sha256(data, data_size) != net.sha256)
    return diagnostics::DataDigest();
  return Status();
}

Status CheckElementType(const string& name, int64_t type, ElementType* out) {
  switch (type) {
    case 1:
    case 2:
    case 4:
    case 8:
      *out = static_cast<ElementType>(type);
      return Status();
    default:
      return diagnostics::BadElementType(name, type);
  }
}

Status CheckShape(const string& name, const vector<int64_t>& dims, int64_t* elements) {
  if (dims.size() > static_cast<size_t>(kMaxRank)) {
    return diagnostics::BadShape(
        name, "rank " + std::to_string(dims.size()) + " is above " + std::to_string(kMaxRank));
  }
  int64_t count = 1;
  for (int64_t d : dims) {
    if (d < 1)
      return diagnostics::BadShape(name, "dimension " + std::to_string(d) + " is not positive");
    if (d > kMaxElements || count * d > kMaxElements)
      return diagnostics::BadShape(name, "too many elements");
    count *= d;
  }
  *elements = count;
  return Status();
}

Status LocateConstant(const NetDef& net, const ConstDef& constant, size_t bytes, const void* data,
                      size_t data_size, const uint8_t** at) {
  const size_t available = data_size - static_cast<size_t>(net.data_offset);
  if (constant.offset < 0 || static_cast<uint64_t>(constant.offset) > available ||
      bytes > available - static_cast<size_t>(constant.offset)) {
    return diagnostics::ConstantBounds(constant.name, "lies outside the data file");
  }
  *at = static_cast<const uint8_t*>(data) + net.data_offset + constant.offset;
  return Status();
}

}  // namespace runtime
}  // namespace mace
