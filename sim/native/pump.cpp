// The native half of the fast simulation: a library of one Verilated model and the functions that sim/pump.py calls.
//
// Python loads it through PyVerilator; the pump_* functions are called on the same handle. 0 is success, else
// pump_error() tells.

#define EXPORT __attribute__((visibility("default")))

#include "batch.h"
#include "model.h"
#include "pyverilator.h"
#include "registers.h"

// A serial line beside the AXI ports, where the top has one: `toggles` are the cycles, from now on and in order, in which
// rx changes, `answer` those in which tx did. Returns how many those are.
template <class Top>
uint64_t run_line(Model& model, Top& top, const uint64_t* toggles, uint64_t count, uint64_t cycles, uint64_t* answer,
                  uint64_t room) {
    uint64_t found = 0;
    if constexpr (requires { top.rx; top.tx; }) {
        for (uint64_t cycle = 0; cycle < cycles; cycle++) {
            while (count && *toggles <= cycle) {
                top.rx = !top.rx;
                toggles++;
                count--;
            }
            const bool before = top.tx;
            model.settle();
            model.edge();
            if (top.tx != before) {
                if (found == room) throw Error{"more came over the serial line than there is room for"};
                answer[found++] = cycle;
            }
        }
    } else {
        throw Error{"this model has no serial line"};
    }
    return found;
}

extern "C" {

EXPORT const char* pump_layout = LAYOUT;

EXPORT void pump_reset(Model* model) { model->reset(); }

EXPORT int pump_registers(Model* model, Access* accesses, uint64_t count) try {
    Registers(*model).access(accesses, count);
    return 0;
} catch (const Error& error) {
    model->error = error.text;
    return 1;
}

EXPORT int pump_run(Model* model, const uint8_t* bytes, const Frame* frames, uint64_t count,
                    const Options* options, const Event* events, uint64_t event_count, Progress progress,
                    Result* result) try {
    model->clear();
    result->cycles = Batch(*model, bytes, frames, count, *options, {events, events + event_count}).run(progress);
    result->bytes = model->bytes.data();
    result->copies = model->copies.data();
    result->verdicts = model->verdicts.data();
    result->passed = model->passed.data();
    result->copy_count = model->copies.size();
    result->verdict_count = model->verdicts.size();
    result->passed_count = model->passed.size();
    return 0;
} catch (const Error& error) {
    for (auto& source : model->sources) {
        source->idle();
        source->frame = nullptr;
    }
    for (auto& each : model->production) each.reset();
    model->error = error.text;
    return 1;
}

EXPORT int pump_serial(Model* model, const uint64_t* toggles, uint64_t count, uint64_t cycles, uint64_t* answer,
                       uint64_t room, uint64_t* found) try {
    *found = run_line(*model, *model->top, toggles, count, cycles, answer, room);
    return 0;
} catch (const Error& error) {
    model->error = error.text;
    return 1;
}

EXPORT void pump_release(Model* model) {
    model->clear();
    model->bytes.shrink_to_fit();
}

#if VM_COVERAGE
EXPORT void pump_coverage(Model* model, const char* path) { model->context.coveragep()->write(path); }
#endif

EXPORT const char* pump_error(Model* model) { return model->error.c_str(); }
}
