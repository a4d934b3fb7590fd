// A library that looks like one of version 1 and lacks the rest of it.
#include "third_party/apu/include/ApuFrontend.h"

class ApuFrontend {
 public:
  bool InitGraph(int, const apu_tensor*, int, const apu_tensor*, int, const int*, void**, int,
                 const apu_operator*, bool);
};

bool ApuFrontend::InitGraph(int, const apu_tensor*, int, const apu_tensor*, int, const int*, void**,
                            int, const apu_operator*, bool) {
  return true;
}
