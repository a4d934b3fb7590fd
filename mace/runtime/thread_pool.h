// A fixed set of threads that share the indices of a loop. The caller is one of them; a loop
// allocates nothing.
#ifndef MACE_RUNTIME_THREAD_POOL_H_
#define MACE_RUNTIME_THREAD_POOL_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace mace {
namespace runtime {

class ThreadPool {
 public:
  // `threads` in all, at least 1 and at most 256. When the system refuses to start one, there are
  // fewer.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(index, thread) for every index in [0, count), thread in [0, size()); returns when
  // all are done.
  template <typename Body>
  void For(int64_t count, const Body& body) {
    if (count <= 1 || workers_.empty()) {
      for (int64_t i = 0; i < count; ++i) body(i, 0);
      return;
    }
    Share(
        count,
        [](const void* context, int64_t i, int thread) {
          (*static_cast<const Body*>(context))(i, thread);
        },
        &body);
  }

  // Calls body(begin, end, thread) for ranges that cover [0, count), none shorter than `grain` but
  // the last.
  template <typename Body>
  void ForRange(int64_t count, int64_t grain, const Body& body) {
    if (grain < 1) grain = 1;
    const int64_t most = 4 * static_cast<int64_t>(size());
    int64_t parts = (count + grain - 1) / grain;
    if (parts > most) parts = most;
    if (workers_.empty()) parts = 1;
    if (parts <= 1) {
      if (count > 0) body(int64_t{0}, count, 0);
      return;
    }
    For(parts, [&](int64_t i, int thread) {
      const int64_t begin = count / parts * i + (count % parts) * i / parts;
      const int64_t end = count / parts * (i + 1) + (count % parts) * (i + 1) / parts;
      body(begin, end, thread);
    });
  }

 private:
  using Function = void (*)(const void* context, int64_t index, int thread);

  void Share(int64_t count, Function function, const void* context);
  void Work(int thread);
  void Drain(int thread);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_;
  // The current loop. Written while every worker is idle.
  Function function_ = nullptr;
  const void* context_ = nullptr;
  int64_t count_ = 0;
  std::atomic<int64_t> next_{0};
  std::atomic<int> busy_{0};
  std::atomic<uint32_t> loop_{0};
  bool stop_ = false;
};

}  // namespace runtime
}  // namespace mace

#endif  // MACE_RUNTIME_THREAD_POOL_H_
