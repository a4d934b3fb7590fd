#include "mace/runtime/thread_pool.h"

#include <algorithm>
#include <system_error>

namespace mace {
namespace runtime {
namespace {

// Turns a waiting thread makes before it sleeps (or yields): the gaps between the loops of one
// inference are shorter.
constexpr int kSpins = 2000;

constexpr int kMostThreads = 256;

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < std::min(threads, kMostThreads); ++i) {
    try {
      workers_.emplace_back([this, i] { Work(i); });
    } catch (const std::system_error&) {
      return;
    }
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    loop_.fetch_add(1);
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Share(int64_t count, Function function, const void* context) {
  function_ = function;
  context_ = context;
  count_ = count;
  next_.store(0, std::memory_order_relaxed);
  busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    loop_.fetch_add(1, std::memory_order_release);
  }
  start_.notify_all();
  Drain(0);
  for (int spins = 0; busy_.load(std::memory_order_acquire) != 0; ++spins) {
    if (spins < kSpins) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::Drain(int thread) {
  while (true) {
    const int64_t i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i >= count_) return;
    function_(context_, i, thread);
  }
}

void ThreadPool::Work(int thread) {
  uint32_t seen = 0;
  while (true) {
    for (int spins = 0; spins < kSpins && loop_.load(std::memory_order_acquire) == seen; ++spins)
      Pause();
    if (loop_.load(std::memory_order_acquire) == seen) {
      std::unique_lock<std::mutex> lock(mutex_);
      start_.wait(lock, [&] { return loop_.load(std::memory_order_acquire) != seen; });
    }
    seen = loop_.load(std::memory_order_acquire);
    if (stop_) return;
    Drain(thread);
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace runtime
}  // namespace mace
