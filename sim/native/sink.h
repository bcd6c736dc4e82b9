// An output port: the frames that come out of it, held to the rules of AXI4-Stream.
#pragma once

#include <cstring>

#include "support.h"

namespace {

// What is seen of a port in one cycle, after its inputs have settled.
struct Beat {
    const uint8_t* data;
    uint32_t count;  // bytes
    bool first, last, bad, drop;
};

// ``Data`` and ``Keep`` are the model's types of tdata and tkeep; ``take`` is called with every beat handed over.
template <class Data, class Keep, uint32_t BEAT> struct Sink {
    const char* const name;
    const Data& data;
    const Keep& keep;
    const CData &valid, &last, &user;
    CData& ready;
    const CData* drop;
    const bool only_copies;
    bool in_frame = false;  // a frame has been taken in part
    bool waiting = false;   // a beat is offered and not taken
    uint32_t rest = 0;      // cycles in which the receiver is still busy with the frame it took
    bool in_copy = false;   // the frame taken in part, or last, is a copy
    Data held_data{};       // the beat that waits
    Keep held_keep{};
    CData held_last = 0, held_user = 0;
    bool held_drop = false;

    // The frame being taken, or offered, is a copy: tuser bit 1 says so where production leaves too.
    bool is_copy() const { return only_copies || user & 2; }

    // The receiver would take a beat in this cycle, if it is not busy.
    void receive(bool willing) {
        ready = willing && !rest;
        if (rest) rest--;
    }

    // ``gap``: cycles that the receiver is busy behind each frame.
    template <class Take> void observe(uint64_t cycle, uint32_t gap, Take take) {
        const auto now = static_cast<unsigned long long>(cycle);
        if (waiting) {
            if (!valid) fail("cycle %llu: %s_tvalid fell before tready", now, name);
            if (std::memcmp(&held_data, &data, sizeof held_data) || std::memcmp(&held_keep, &keep, sizeof held_keep) ||
                held_last != last || held_user != user || held_drop != (drop && *drop))
                fail("cycle %llu: %s changed while it waited for tready", now, name);
        }
        waiting = valid && !ready;
        if (waiting) {
            held_data = data;
            held_keep = keep;
            held_last = last;
            held_user = user;
            held_drop = drop && *drop;
        }
        // A MAC cannot wait in the middle of a frame; production pauses where its source did, a copy has no reason to.
        if (in_frame && in_copy && !valid) fail("cycle %llu: a copy pauses on %s", now, name);
        if (!valid || !ready) return;
        const uint32_t count = kept_bytes(now);
        if (!last && count != BEAT) fail("cycle %llu: %s_tkeep is not full before tlast", now, name);
        if (in_frame && in_copy != is_copy()) fail("cycle %llu: %s_tuser bit 1 changes within a frame", now, name);
        if (!last && user & 1) fail("cycle %llu: %s_tuser bit 0 is up before tlast", now, name);
        const bool first = !in_frame;
        in_copy = is_copy();
        in_frame = !last;
        if (last) rest = gap;
        take(Beat{reinterpret_cast<const uint8_t*>(&data), count, first, last != 0, (user & 1) != 0, drop && *drop});
    }

    void reset() {
        in_frame = waiting = false;
        rest = 0;
    }

private:
    uint32_t kept_bytes(unsigned long long now) const {
        const auto* mask = reinterpret_cast<const uint8_t*>(&keep);
        uint32_t count = 0;
        while (count < BEAT && mask[count / 8] >> count % 8 & 1) count++;
        for (uint32_t i = count; i < BEAT; i++)
            if (mask[i / 8] >> i % 8 & 1) fail("cycle %llu: %s_tkeep is not contiguous", now, name);
        if (!count) fail("cycle %llu: %s_tkeep is empty", now, name);
        return count;
    }
};

}  // namespace
