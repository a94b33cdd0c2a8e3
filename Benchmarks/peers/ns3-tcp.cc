// One cell of docs/tcp-calibration.md on ns-3: bulk streams over 100 Mbit/s and 80 ms with a queue of
// one bandwidth-delay product, Linux-like TCP settings.
//
// Usage: ns3-tcp cubic|bbr LOSS% STREAMS SEED
// Prints goodput (Mbit/s), mean round trip (ms), queue drops (%), Jain's index, user seconds.
#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/traffic-control-module.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/resource.h>
#include <vector>

using namespace ns3;

namespace {

bool isMeasuring = false;
double roundTripSum = 0;
std::uint64_t roundTrips = 0;
std::uint64_t offered = 0;
std::uint64_t dropped = 0;

double UserSeconds() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1e6;
}

void NoteRoundTrip(Time, Time sample) {
    if (!isMeasuring) {
        return;
    }
    roundTripSum += sample.GetSeconds() * 1e3;
    roundTrips += 1;
}

void NoteEnqueue(Ptr<const Packet>) { offered += isMeasuring; }

void NoteDrop(Ptr<const Packet>) {
    offered += isMeasuring;
    dropped += isMeasuring;
}

void Follow(Ptr<BulkSendApplication> application) {
    application->GetSocket()->TraceConnectWithoutContext("RTT", MakeCallback(&NoteRoundTrip));
}

void Configure(const std::string& control) {
    const auto type = control == "bbr" ? TcpBbr::GetTypeId() : TcpCubic::GetTypeId();
    Config::SetDefault("ns3::TcpL4Protocol::SocketType", TypeIdValue(type));
    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
    Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(32 << 20));
    Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(32 << 20));
    Config::SetDefault("ns3::TcpSocket::InitialCwnd", UintegerValue(10));
    Config::SetDefault("ns3::TcpSocket::DelAckTimeout", TimeValue(MilliSeconds(40)));
    Config::SetDefault("ns3::TcpSocketBase::MinRto", TimeValue(MilliSeconds(200)));
    Config::SetDefault("ns3::TcpSocketBase::ClockGranularity", TimeValue(MilliSeconds(1)));
    Config::SetDefault("ns3::TcpSocketBase::Sack", BooleanValue(true));
}

// Counts bytes of the measured 20 s for each stream.
struct Meter {
    std::vector<Ptr<PacketSink>> sinks;
    std::vector<std::uint64_t> before;

    void Begin() {
        isMeasuring = true;
        for (const auto& sink : sinks) {
            before.push_back(sink->GetTotalRx());
        }
    }

    void Print(double seconds) const {
        double total = 0;
        double squares = 0;
        for (std::size_t index = 0; index < sinks.size(); ++index) {
            const double bytes = sinks[index]->GetTotalRx() - before[index];
            total += bytes;
            squares += bytes * bytes;
        }
        std::printf(
            "%.3f %.2f %.3f %.4f %.4f\n",
            total * 8 / 20 / 1e6,
            roundTrips > 0 ? roundTripSum / roundTrips : 0,
            offered > 0 ? 100.0 * dropped / offered : 0,
            squares > 0 ? total * total / (sinks.size() * squares) : 0,
            seconds
        );
    }
};

} // namespace

int main(int count, char** arguments) {
    if (count != 5) {
        std::fprintf(stderr, "usage: %s cubic|bbr LOSS%% STREAMS SEED\n", arguments[0]);
        return 64;
    }
    Configure(arguments[1]);
    const double loss = std::atof(arguments[2]) / 100;
    const int streams = std::atoi(arguments[3]);
    RngSeedManager::SetSeed(1);
    RngSeedManager::SetRun(std::strtoull(arguments[4], nullptr, 10));

    NodeContainer nodes;
    nodes.Create(2);
    PointToPointHelper link;
    // ns-3 frames with 2 bytes what the cell frames with 14: this rate sends full packets in the
    // same time.
    link.SetDeviceAttribute("DataRate", DataRateValue(DataRate(100'000'000ull * 1502 / 1514)));
    link.SetChannelAttribute("Delay", TimeValue(MilliSeconds(40)));
    link.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue("1000000B"));
    NetDeviceContainer devices = link.Install(nodes);
    InternetStackHelper().Install(nodes);
    Ipv4AddressHelper addresses("10.0.0.0", "255.255.255.0");
    const auto interfaces = addresses.Assign(devices);
    // The device's queue is the only one.
    TrafficControlHelper().Uninstall(devices);
    if (loss > 0) {
        auto errors = CreateObject<RateErrorModel>();
        errors->SetUnit(RateErrorModel::ERROR_UNIT_PACKET);
        errors->SetRate(loss);
        devices.Get(1)->SetAttribute("ReceiveErrorModel", PointerValue(errors));
    }
    const auto queue = DynamicCast<PointToPointNetDevice>(devices.Get(0))->GetQueue();
    queue->TraceConnectWithoutContext("Enqueue", MakeCallback(&NoteEnqueue));
    queue->TraceConnectWithoutContext("Drop", MakeCallback(&NoteDrop));

    Meter meter;
    Time last;
    for (int index = 0; index < streams; ++index) {
        const std::uint16_t port = 5000 + index;
        PacketSinkHelper receiver(
            "ns3::TcpSocketFactory",
            InetSocketAddress(Ipv4Address::GetAny(), port)
        );
        meter.sinks.push_back(DynamicCast<PacketSink>(receiver.Install(nodes.Get(1)).Get(0)));
        BulkSendHelper sender(
            "ns3::TcpSocketFactory",
            InetSocketAddress(interfaces.GetAddress(1), port)
        );
        sender.SetAttribute("SendSize", UintegerValue(65'536));
        const auto installed = sender.Install(nodes.Get(0)).Get(0);
        const auto application = DynamicCast<BulkSendApplication>(installed);
        // One after the other, a round trip apart.
        last = MilliSeconds(80 * index);
        application->SetStartTime(last);
        Simulator::Schedule(last + MicroSeconds(1), &Follow, application);
    }
    Simulator::Schedule(last + Seconds(5), &Meter::Begin, &meter);
    Simulator::Stop(last + Seconds(25));
    const double start = UserSeconds();
    Simulator::Run();
    meter.Print(UserSeconds() - start);
    Simulator::Destroy();
    return 0;
}
