// libapu-frontend.so of version 1.
#include "third_party/apu/sim/frontend.h"

class ApuFrontend {
 public:
  ApuFrontend();
  ~ApuFrontend();
  bool InitGraph(int const_count, const apu_tensor* consts, int input_count,
                 const apu_tensor* inputs, int output_count, const int* output_ids,
                 void** output_buffers, int operator_count, const apu_operator* operators,
                 bool print_model);
  bool RunGraph();
  bool UninitGraph();

 private:
  FrontendGraph* graph_;
};

ApuFrontend::ApuFrontend() : graph_(nullptr) {}
ApuFrontend::~ApuFrontend() { UninitFrontend(&graph_); }

bool ApuFrontend::InitGraph(int const_count, const apu_tensor* consts, int input_count,
                            const apu_tensor* inputs, int output_count, const int* output_ids,
                            void** output_buffers, int operator_count,
                            const apu_operator* operators, bool) {
  const Given<int> ids = {output_count, output_ids};
  if (!ids.Sane() || (output_count > 0 && output_buffers == nullptr)) return false;
  std::vector<WantedOutput> outputs;
  for (int i = 0; i < output_count; ++i) {
    outputs.push_back({output_ids[i], output_buffers[i], nullptr});
  }
  return InitFrontend(&graph_, 1, {const_count, consts}, {input_count, inputs}, outputs,
                      {operator_count, operators}, nullptr, false, false);
}

bool ApuFrontend::RunGraph() { return RunFrontend(graph_); }
bool ApuFrontend::UninitGraph() { return UninitFrontend(&graph_); }
