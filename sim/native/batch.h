// A batch of frames on its way through the model: when each may start, and what has become of it.
#pragma once

#include <deque>

#include "model.h"
#include "schedule.h"

namespace {

constexpr uint32_t TRAILING_CYCLES = 64;         // watched after a batch for output nobody asked for
constexpr uint32_t PROGRESS_INTERVAL = 1 << 14;  // cycles between calls of the progress function

class Batch {
public:
    Batch(Model& model, const uint8_t* bytes, const Frame* frames, uint64_t count, const Options& options,
          std::vector<Event> events)
        : model(model), bytes(bytes), frames(frames), count(count), options(options), random(options.seed),
          schedule(model, std::move(events)) {
        for (uint64_t i = 0; i < count; i++) order[frames[i].direction].push_back(i);
    }

    // Returns the cycles from the first one to the last hand-over, or to a reset.
    uint64_t run(Progress progress) {
        const uint64_t start = begin = model.cycles;
        model.gap = options.gap;
        uint64_t last_move = start, next_report = start;
        while (!finished() || !schedule.done()) {
            const uint64_t cycle = model.cycles - start;
            if (schedule.resets(cycle)) {
                model.reset();
                return cycle;
            }
            for (int direction = 0; direction < PORTS; direction++) drive(direction);
            const uint32_t held = schedule.held(cycle);
            schedule.drive(cycle);
            model.receive([this] { return !random.chance(options.output_stall); }, held);
            model.settle();
            model.observe();
            account();
            const bool answered = schedule.sample();
            const bool taken[PORTS] = {model.sources[NET]->taken(), model.sources[HOST]->taken()};
            model.edge();
            for (int direction = 0; direction < PORTS; direction++)
                if (taken[direction]) advance(direction);
            const bool rests = (finished() || pauses()) && !schedule.is_due(cycle);  // until the next access or frame
            if (model.moved || taken[NET] || taken[HOST] || answered || rests) last_move = model.cycles;
            if (model.cycles - last_move > options.timeout) stuck();
            if (progress && model.cycles >= next_report) {
                next_report = model.cycles + PROGRESS_INTERVAL;
                if (progress(seen)) fail("stopped");
            }
        }
        for (auto& source : model.sources) source->idle();
        schedule.drive(0);
        for (uint32_t i = 0; i < TRAILING_CYCLES; i++) {
            model.idle_cycle();
            account();
        }
        if (model.in_copy() || model.copies.size() != model.mirrored) surplus();
        return last_move - start;
    }

private:
    Model& model;
    const uint8_t* bytes;
    const Frame* frames;
    const uint64_t count;
    const Options& options;
    Random random;
    Schedule schedule;
    std::vector<uint64_t> order[PORTS];  // frame numbers of each direction
    uint64_t started[PORTS] = {}, judged[PORTS] = {}, released[PORTS] = {};
    std::deque<bool> pending[PORTS];  // judged and not released: is it mirrored?
    uint64_t outstanding_bytes = 0;
    uint64_t begin = 0;                      // cycle of the model in which the batch began
    uint64_t next = 0;                       // paced: next frame to start
    uint64_t seen = 0, copies_released = 0;  // verdicts looked at; copies that released their frame
    uint64_t stopped = 0;                    // frames that go no further

    bool finished() const {
        return seen == count && model.passed.size() + stopped == count && !model.in_copy() &&
               model.copies.size() >= model.mirrored;
    }

    // All that has started is through, and what is left has its time yet to come.
    bool pauses() const {
        for (int direction = 0; direction < PORTS; direction++)
            if (model.sources[direction]->frame || judged[direction] != started[direction] || is_due(direction))
                return false;
        return started[NET] + started[HOST] < count;
    }

    bool is_due(int direction) const {
        return started[direction] < order[direction].size() &&
               model.cycles - begin >= frames[order[direction][started[direction]]].start;
    }

    bool may_start(int direction) const {
        if (!is_due(direction)) return false;
        if (options.full_rate) return true;
        const uint64_t number = order[direction][started[direction]];
        if (number != next || started[!direction] != released[!direction]) return false;
        const uint64_t own = started[direction] - released[direction];
        return !own || (own < options.limit_frames && outstanding_bytes + cost(number) <= options.limit_bytes);
    }

    uint64_t cost(uint64_t number) const {
        return (frames[number].length + BEAT - 1) / BEAT * BEAT;
    }

    void drive(int direction) {
        Source& source = *model.sources[direction];
        if (source.offering) return;  // a beat once offered stays
        if (!source.frame && may_start(direction)) {
            const uint64_t number = order[direction][started[direction]++];
            source.frame = &frames[number];
            source.sent = 0;
            outstanding_bytes += cost(number);
            next = number + 1;
        }
        if (source.frame && !random.chance(options.input_idle)) source.offer(bytes);
    }

    void advance(int direction) {
        Source& source = *model.sources[direction];
        const auto number = static_cast<uint64_t>(source.frame - frames);
        if (!source.sent) model.production[direction].enter(bytes, source.frame, number, model.cycles - 1);
        source.sent += BEAT;
        if (source.last) source.frame = nullptr;
        source.idle();
    }

    // Verdicts and copies seen in this cycle release the frames they belong to.
    void account() {
        for (; seen < model.verdicts.size(); seen++) {
            const uint8_t* record = model.verdicts[seen].record;
            const unsigned direction = record[RECORD_DIRECTION];
            if (direction >= PORTS || judged[direction] == started[direction])
                fail("cycle %llu: a verdict record for a frame that was not offered (direction %u)", model.now(),
                     direction);
            if (options.stops && direction == INGRESS && record[RECORD_VERDICT] == DROPPED) {
                model.production[NET].stop(order[direction][judged[direction]], model.cycles);
                stopped++;
            }
            judged[direction]++;
            const bool is_mirrored = record[RECORD_VERDICT] == MIRRORED;
            model.mirrored += is_mirrored;
            pending[direction].push_back(is_mirrored);
        }
        for (int direction = 0; direction < PORTS; direction++) {
            auto& queue = pending[direction];
            while (!queue.empty() && !(queue.front() && copies_released == model.copies.size())) {
                copies_released += queue.front();
                queue.pop_front();
                outstanding_bytes -= cost(order[direction][released[direction]++]);
            }
        }
    }

    [[noreturn]] void stuck() const {
        for (int direction = 0; direction < PORTS; direction++) {
            const Source& source = *model.sources[direction];
            if (source.frame && source.offering)
                fail("no progress for %u cycles: %s frame %llu stuck at byte %u of %u (tready stays low)",
                     options.timeout, PORT_NAMES[direction],
                     static_cast<unsigned long long>(source.frame - frames), source.sent, source.frame->length);
            if (const Production& passing = model.production[direction]; !passing.empty())
                fail("no progress for %u cycles: %s frame %llu does not come out", options.timeout,
                     PORT_NAMES[direction], static_cast<unsigned long long>(passing.due()));
            if (judged[direction] < started[direction])
                fail("no progress for %u cycles: %s frame %llu has no verdict", options.timeout,
                     PORT_NAMES[direction],
                     static_cast<unsigned long long>(order[direction][judged[direction]]));
        }
        if (schedule.is_due(UINT64_MAX)) fail("no progress for %u cycles: a scheduled register access waits", options.timeout);
        fail("no progress for %u cycles: %llu verdicts 'mirrored' but %zu copies", options.timeout,
             static_cast<unsigned long long>(model.mirrored), model.copies.size());
    }

    [[noreturn]] void surplus() const {
        fail("%zu copies%s came out for %llu verdicts 'mirrored'", model.copies.size(),
             model.in_copy() ? " and part of another" : "",
             static_cast<unsigned long long>(model.mirrored));
    }
};

}  // namespace
