// Frames without an end: what is given goes in as soon as its port takes it, and what comes out is handed on, whatever
// it is. Nothing is compared with what went in; only the protocol of the ports is judged.
#pragma once

#include <deque>

#include "line.h"
#include "model.h"

namespace {

constexpr uint32_t PATIENCE = 20'000;  // cycles without a move after which nothing more is expected of what is inside

class Stream {
public:
    // ``gap``: cycles between two frames of a port, either way.
    Stream(Model& model, uint32_t gap) : model(model), gap(gap) { model.leaving = &leaving; }
    ~Stream() {
        model.leaving = nullptr;
        for (auto& source : model.sources) {
            source->idle();
            source->frame = nullptr;
        }
    }

    // Frames behind those that wait already; their bytes are kept here.
    void give(const uint8_t* bytes, const Frame* frames, uint64_t count) {
        for (uint64_t i = 0; i < count; i++) {
            Frame frame = frames[i];
            const uint8_t* start = bytes + frame.offset;
            frame.offset = 0;
            waiting[frame.direction].push_back({frame, {start, start + frame.length}});
        }
    }

    // Runs so many cycles. What came out is in `leaving` until the next call.
    void run(Line& line, uint64_t cycles) {
        leaving.clear();
        model.clear();
        model.gap = gap;
        for (uint64_t cycle = 0; cycle < cycles; cycle++) {
            for (int direction = 0; direction < PORTS; direction++) drive(direction);
            line.drive(*model.top, cycle);
            model.receive();
            model.settle();
            model.observe();
            const bool taken[PORTS] = {model.sources[NET]->taken(), model.sources[HOST]->taken()};
            model.edge();
            line.sample(*model.top, cycle);
            for (int direction = 0; direction < PORTS; direction++)
                if (taken[direction]) advance(direction);
            if (model.moved || taken[NET] || taken[HOST]) last_move = model.cycles;
        }
        account();
    }

    // Something waits, or is inside and has yet to come out.
    bool busy() const {
        return (due() || !waiting[NET].empty() || !waiting[HOST].empty()) && model.cycles - last_move <= PATIENCE;
    }
    uint64_t queued() const { return waiting[NET].size() + waiting[HOST].size(); }

    Leaving leaving;

private:
    struct Given {
        Frame frame;
        std::vector<uint8_t> bytes;
    };
    Model& model;
    const uint32_t gap;
    std::deque<Given> waiting[PORTS];  // the first one may be on its way in
    uint64_t free_at[PORTS] = {};      // cycle from which the next one may start
    uint64_t last_move = 0;
    int64_t unjudged = 0, inside = 0, copies = 0;  // frames without verdict, not come out; copies that have yet to come

    void drive(int direction) {
        Source& source = *model.sources[direction];
        if (source.offering || waiting[direction].empty() || model.cycles < free_at[direction]) return;
        const Given& first = waiting[direction].front();
        if (!source.frame) {
            source.frame = &first.frame;
            source.sent = 0;
            unjudged++;
            inside++;
        }
        source.offer(first.bytes.data());
    }

    void advance(int direction) {
        Source& source = *model.sources[direction];
        source.sent += BEAT;
        if (source.last) {
            source.frame = nullptr;
            waiting[direction].pop_front();
            free_at[direction] = model.cycles + gap;
        }
        source.idle();
    }

    void account() {
        for (const auto& verdict : model.verdicts) {
            unjudged--;
            copies += verdict.record[RECORD_VERDICT] == MIRRORED;
            inside -= verdict.record[RECORD_VERDICT] == DROPPED;  // by the card's lists, as no frame comes in dropped
        }
        for (const auto& frame : leaving.frames) frame.copy ? copies-- : inside--;
        if (model.cycles - last_move > PATIENCE) unjudged = inside = copies = 0;  // lost: so it does not wait for ever
    }

    bool due() const { return unjudged || inside || copies || leaving.in_frame(); }
};

}  // namespace
