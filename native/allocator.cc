// Memory of large tensors, kept and reused. glibc's malloc returns such blocks to the system or cuts them up, and
// fetching them again, page by page, costs a training step 10 to 20 %. Here they come from regions of huge pages that
// the process keeps: the best fitting free block is split, and neighbours that are free become one block again.
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <sys/mman.h>

#include <iterator>
#include <map>
#include <mutex>
#include <set>

#include "exports.h"

namespace tessera {
namespace {

constexpr size_t kLarge = size_t{1} << 16;  // smaller tensors stay with malloc
constexpr size_t kGrain = size_t{1} << 12;  // sizes are rounded up to this
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kRegion = size_t{1} << 30;  // address space, not memory: pages are fetched when they are first written

constexpr size_t round_up(size_t size, size_t grain) { return (size + grain - 1) / grain * grain; }

class BlockCache final : public at::Allocator {
 public:
  at::DataPtr allocate(size_t size) override {
    if (size < kLarge) return c10::GetDefaultCPUAllocator()->allocate(size);
    void* data = take(round_up(size, kGrain));
    return {data, data, &give_back, at::Device(at::kCPU)};
  }
  at::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* to, const void* from, size_t count) const override { default_copy_data(to, from, count); }

  static BlockCache& instance() {
    static auto* cache = new BlockCache;  // never destroyed: tensors may outlive static destructors
    return *cache;
  }

 private:
  struct Block {
    size_t size;
    bool free;
    bool first;  // of its region: never joined to what lies before it
  };
  using Blocks = std::map<char*, Block>;

  void* take(size_t size) {
    std::lock_guard lock(mutex_);
    auto fit = free_.lower_bound({size, nullptr});
    if (fit == free_.end()) {
      add_region(size);
      fit = free_.lower_bound({size, nullptr});
    }
    auto block = blocks_.find(fit->second);
    free_.erase(fit);
    if (size_t rest = block->second.size - size; rest > 0) {
      auto behind = blocks_.emplace_hint(std::next(block), block->first + size, Block{rest, true, false});
      free_.emplace(rest, behind->first);
      block->second.size = size;
    }
    block->second.free = false;
    return block->first;
  }

  static void give_back(void* data) {
    auto& cache = instance();
    std::lock_guard lock(cache.mutex_);
    auto block = cache.blocks_.find(static_cast<char*>(data));
    if (block == cache.blocks_.end()) return c10::GetDefaultCPUAllocator()->raw_deallocate(data);
    if (auto next = std::next(block); next != cache.blocks_.end() && next->second.free && !next->second.first)
      cache.join(block, next);
    if (auto before = block; !block->second.first && (--before)->second.free) {
      cache.free_.erase({before->second.size, before->first});
      before->second.size += block->second.size;
      cache.blocks_.erase(block);
      block = before;
    }
    block->second.free = true;
    cache.free_.emplace(block->second.size, block->first);
  }

  void join(Blocks::iterator block, Blocks::iterator next) {
    free_.erase({next->second.size, next->first});
    block->second.size += next->second.size;
    blocks_.erase(next);
  }

  void add_region(size_t least) {
    for (size_t size : {std::max(kRegion, round_up(least, kHugePage)), round_up(least, kHugePage)}) {
      void* found =
          mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (found == MAP_FAILED) continue;
      auto* start = reinterpret_cast<char*>(round_up(reinterpret_cast<size_t>(found), kHugePage));
#ifdef MADV_HUGEPAGE
      madvise(start, size, MADV_HUGEPAGE);
#endif
      blocks_.emplace(start, Block{size, true, true});
      free_.emplace(size, start);
      return;
    }
    TORCH_CHECK(false, "not enough memory: ", least, " bytes were asked for in one piece");
  }

  std::mutex mutex_;
  Blocks blocks_;                            // by address
  std::set<std::pair<size_t, char*>> free_;  // by size, then address
};

}  // namespace

void use_block_cache() { c10::SetCPUAllocator(&BlockCache::instance(), 1); }

}  // namespace tessera
