// Frames as they come out of the ports, production and copies, each port in its order.
#pragma once

#include <vector>

#include "sink.h"
#include "structures.h"

namespace {

class Leaving {
public:
    // A beat of port ``port`` (0: the network's, 1: the host's).
    void take(int port, const Beat& beat, bool copy, uint64_t cycle) {
        auto& part = parts[port];
        part.insert(part.end(), beat.data, beat.data + beat.count);
        if (!beat.last) return;
        Left frame{};
        frame.offset = bytes.size();
        frame.cycle = cycle;
        frame.length = static_cast<uint32_t>(part.size());
        frame.port = static_cast<uint8_t>(port);
        frame.copy = copy;
        frame.bad = beat.bad;
        bytes.insert(bytes.end(), part.begin(), part.end());
        frames.push_back(frame);
        part.clear();
    }
    // A frame has come out in part.
    bool in_frame() const { return !parts[0].empty() || !parts[1].empty(); }
    // Forget the whole ones.
    void clear() {
        bytes.clear();
        frames.clear();
    }

    std::vector<uint8_t> bytes;
    std::vector<Left> frames;

private:
    std::vector<uint8_t> parts[2];
};

}  // namespace
