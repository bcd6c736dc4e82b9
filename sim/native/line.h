// A serial line beside the AXI ports, where the top has one: when rx changes, and when tx did.
#pragma once

#include "support.h"

namespace {

// `toggles` are the cycles, in order, in which rx changes, `answer` gets those in which tx did; both count from the
// first call of `drive`.
class Line {
public:
    Line(const uint64_t* toggles, uint64_t count, uint64_t* answer, uint64_t room)
        : toggles(toggles), count(count), answer(answer), room(room) {}

    // Before the clock edge of a cycle, and after it.
    template <class Top> void drive(Top& top, uint64_t cycle) {
        if constexpr (requires { top.rx; top.tx; }) {
            for (; count && *toggles <= cycle; toggles++, count--) top.rx = !top.rx;
            before = top.tx;
        } else {
            throw Error{"this model has no serial line"};
        }
    }
    template <class Top> void sample(const Top& top, uint64_t cycle) {
        if constexpr (requires { top.rx; top.tx; }) {
            if (top.tx == before) return;
            if (found == room) throw Error{"more came over the serial line than there is room for"};
            answer[found++] = cycle;
        }
    }

    uint64_t found = 0;

private:
    const uint64_t* toggles;
    uint64_t count;
    uint64_t* const answer;
    const uint64_t room;
    bool before = false;
};

}  // namespace
