// libapu-frontend.so of the versions 2 and 3.
#include "third_party/apu/sim/frontend.h"

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
  FrontendGraph* graph_;
};

ApuFrontend::ApuFrontend() : graph_(nullptr) {}
ApuFrontend::~ApuFrontend() { UninitFrontend(&graph_); }

bool ApuFrontend::InitGraph(int const_count, const apu_tensor* consts, int input_count,
                            const apu_tensor* inputs, int output_count, const apu_tensor* outputs,
                            int operator_count, const apu_operator* operators, bool,
                            const char* file_name, bool load, bool store) {
  const Given<apu_tensor> given = {output_count, outputs};
  if (!given.Sane()) return false;
  std::vector<WantedOutput> wanted;
  for (const apu_tensor& output : given) {
    wanted.push_back({output.tensor_id, output.data_buf, &output});
  }
  return InitFrontend(&graph_, 2, {const_count, consts}, {input_count, inputs}, wanted,
                      {operator_count, operators}, file_name, load, store);
}

bool ApuFrontend::RunGraph() { return RunFrontend(graph_); }
bool ApuFrontend::UninitGraph() { return UninitFrontend(&graph_); }
