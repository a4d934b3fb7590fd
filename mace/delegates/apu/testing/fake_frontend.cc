// A library of APUs of versions 2 and 3 that does nothing, fails where it is told to, and counts.
#include <cstdio>
#include <cstring>

#include "third_party/apu/include/ApuFrontend.h"

extern "C" {

// Tests set it, by name: what fails ("InitGraph", "RunGraph", "load", "store"), or null.
const char* fake_frontend_fails = nullptr;
// What there is of objects and of their graphs.
int fake_frontend_objects = 0, fake_frontend_graphs = 0;
}

static bool Fails(const char* what) {
  return fake_frontend_fails != nullptr && std::strcmp(what, fake_frontend_fails) == 0;
}

class ApuFrontend {
 public:
  ApuFrontend();
  ~ApuFrontend();
  bool InitGraph(int const_count, const apu_tensor* consts, int input_count,
                 const apu_tensor* inputs, int output_count, const apu_tensor* outputs,
                 int operator_count, const apu_operator* operators, bool print_model,
                 const char* file_name, bool load, bool store);
  bool RunGraph();
  bool UninitGraph();

 private:
  void* graph_;
};

ApuFrontend::ApuFrontend() : graph_(nullptr) { ++fake_frontend_objects; }
ApuFrontend::~ApuFrontend() { --fake_frontend_objects; }

bool ApuFrontend::InitGraph(int const_count, const apu_tensor*, int, const apu_tensor*, int,
                            const apu_tensor*, int operator_count, const apu_operator*, bool,
                            const char* file_name, bool load, bool store) {
  if (graph_ != nullptr || Fails("InitGraph") || (load && Fails("load"))) return false;
  if (load != (const_count == 0 && operator_count == 0)) return false;
  if (store && !Fails("store")) {
    FILE* file = std::fopen(file_name, "wb");
    if (file == nullptr) return false;
    std::fputs("net", file);
    std::fclose(file);
  }
  graph_ = this;
  ++fake_frontend_graphs;
  return true;
}

bool ApuFrontend::RunGraph() { return graph_ != nullptr && !Fails("RunGraph"); }

bool ApuFrontend::UninitGraph() {
  graph_ = nullptr;
  --fake_frontend_graphs;
  return true;
}
