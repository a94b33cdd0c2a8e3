// The hold model and PHOLD on ns-3's simulator, with the parameters of Benchmarks/Sources.
//
// Usage: ns3-kernel SCHEDULER hold PENDING EVENTS
//        ns3-kernel SCHEDULER phold NODES EVENTS
// Prints millions of events per second of user time.
#include "ns3/core-module.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/resource.h>
#include <vector>

using namespace ns3;

namespace {

std::uint64_t remaining;

double UserSeconds() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1e6;
}

// Increments drawn beforehand, so that only queues are timed.
std::vector<std::int64_t> increments(1 << 16);
std::uint64_t step = 0;

void Hold() {
    if (--remaining == 0) {
        Simulator::Stop();
        return;
    }
    Simulator::Schedule(NanoSeconds(increments[step++ & 0xffff]), &Hold);
}

// xoshiro256**, so that both sides draw random numbers at the same cost.
class Random {
  public:
    explicit Random(std::uint64_t seed) {
        for (auto& word : state) {
            seed += 0x9E3779B97F4A7C15u;
            std::uint64_t mixed = seed;
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
            word = mixed ^ (mixed >> 31);
        }
    }

    std::uint64_t Next() {
        std::uint64_t result = Rotate(state[1] * 5, 7) * 9;
        std::uint64_t shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = Rotate(state[3], 45);
        return result;
    }

    double Exponential(double mean) {
        return -mean * std::log(1 - (Next() >> 11) * 0x1p-53);
    }

    std::uint64_t Below(std::uint64_t bound) {
        return static_cast<std::uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
    }

  private:
    static std::uint64_t Rotate(std::uint64_t value, int count) {
        return (value << count) | (value >> (64 - count));
    }

    std::uint64_t state[4];
};

struct Node {
    Random destinations;
    std::uint64_t received = 0;
};

std::vector<Node> nodes;

void Receive(std::uint32_t self, std::uint32_t from, std::uint64_t hops);

void Send(std::uint32_t self, std::uint64_t hops) {
    Node& node = nodes[self];
    auto peer = static_cast<std::uint32_t>(node.destinations.Below(nodes.size()));
    auto delay = NanoSeconds(increments[step++ & 0xffff]);
    Simulator::Schedule(delay, &Receive, peer, self, hops);
}

void Receive(std::uint32_t self, std::uint32_t, std::uint64_t hops) {
    if (--remaining == 0) {
        Simulator::Stop();
        return;
    }
    nodes[self].received += 1;
    Send(self, hops + 1);
}

} // namespace

int main(int count, char** arguments) {
    if (count != 5) {
        std::fprintf(stderr, "usage: %s SCHEDULER hold|phold SIZE EVENTS\n", arguments[0]);
        return 64;
    }
    ObjectFactory scheduler;
    scheduler.SetTypeId(std::string("ns3::") + arguments[1]);
    Simulator::SetScheduler(scheduler);
    const std::string kind = arguments[2];
    const auto size = std::strtoull(arguments[3], nullptr, 10);
    const auto events = std::strtoull(arguments[4], nullptr, 10);
    remaining = events;
    Random random(1);
    if (kind == "hold") {
        for (auto& increment : increments) {
            increment = static_cast<std::int64_t>(random.Exponential(1e8));
        }
        for (std::uint64_t index = 0; index < size; ++index) {
            Simulator::Schedule(NanoSeconds(increments[step++ & 0xffff]), &Hold);
        }
    } else {
        for (auto& increment : increments) {
            increment = static_cast<std::int64_t>(random.Exponential(1e6)) + 1000;
        }
        for (std::uint64_t index = 0; index < size; ++index) {
            nodes.push_back(Node{Random(random.Next())});
        }
        for (std::uint64_t index = 0; index < size; ++index) {
            Send(static_cast<std::uint32_t>(index), 0);
        }
    }
    const double start = UserSeconds();
    Simulator::Run();
    const double seconds = UserSeconds() - start;
    Simulator::Destroy();
    std::printf("%.3f\n", events / seconds / 1e6);
    return 0;
}
