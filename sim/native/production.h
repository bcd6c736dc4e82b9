// Production: what went in must come out, unchanged and in order. One per direction.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

#include "sink.h"
#include "structures.h"

namespace {

class Production {
public:
    explicit Production(const char* name) : name(name) {}

    // The first beat of a frame has been taken.
    void enter(const uint8_t* bytes, const Frame* frame, uint64_t number, uint64_t cycle) {
        entered.push_back({bytes + frame->offset, frame, number, cycle});
    }

    // A frame has been judged that must not come out.
    void stop(uint64_t number, uint64_t cycle) {
        const auto frame = std::find_if(entered.begin(), entered.end(),
                                        [number](const Entered& each) { return each.number == number; });
        if (frame == entered.end() || (frame == entered.begin() && offset))
            fail("cycle %llu: production %s: frame %llu has come out before it is dropped",
                 static_cast<unsigned long long>(cycle), name, static_cast<unsigned long long>(number));
        entered.erase(frame);
    }

    // A beat has come out. Every byte is compared, and the marks at the end.
    void leave(const Beat& beat, uint64_t cycle, std::vector<Passed>& passed) {
        const auto now = static_cast<unsigned long long>(cycle);
        if (entered.empty()) fail("cycle %llu: production %s: a frame that nobody sent comes out", now, name);
        const Entered& due = entered.front();
        const auto number = static_cast<unsigned long long>(due.number);
        const uint32_t length = due.frame->length;
        if (offset + beat.count > length || (beat.last && offset + beat.count != length))
            fail("cycle %llu: production %s: frame %llu has %u bytes and comes out with %s%u", now, name, number, length,
                 beat.last ? "" : "more than ", beat.last ? offset + beat.count : length);
        if (std::memcmp(beat.data, due.bytes + offset, beat.count))
            fail("cycle %llu: production %s: frame %llu is changed between bytes %u and %u", now, name, number, offset,
                 offset + beat.count);
        if (!offset) begun = cycle;
        offset += beat.count;
        if (!beat.last) return;
        if (beat.bad != (due.frame->bad != 0) || beat.drop != (due.frame->drop && due.frame->direction == INGRESS))
            fail("cycle %llu: production %s: frame %llu comes out with other marks: bad %d, drop %d", now, name, number,
                 beat.bad, beat.drop);
        passed.push_back({due.number, due.cycle, begun, cycle});
        entered.pop_front();
        offset = 0;
    }

    bool empty() const { return entered.empty(); }
    uint64_t due() const { return entered.front().number; }
    void reset() {
        entered.clear();
        offset = 0;
    }

private:
    struct Entered {
        const uint8_t* bytes;
        const Frame* frame;
        uint64_t number, cycle;
    };
    const char* const name;
    std::deque<Entered> entered;
    uint32_t offset = 0;  // bytes of the first one that have come out
    uint64_t begun = 0;   // cycle of its first beat
};

}  // namespace
