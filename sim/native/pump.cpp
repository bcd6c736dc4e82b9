// The native half of the fast simulation: a library of one Verilated model and the functions that sim/pump.py calls.
//
// Python loads it through PyVerilator; the pump_* functions are called on the same handle. 0 is success, else
// pump_error() tells.

#define EXPORT __attribute__((visibility("default")))

#include "batch.h"
#include "line.h"
#include "model.h"
#include "pyverilator.h"
#include "registers.h"
#include "stream.h"

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
    Line line(toggles, count, answer, room);
    for (uint64_t cycle = 0; cycle < cycles; cycle++) {
        line.drive(*model->top, cycle);
        model->settle();
        model->edge();
        line.sample(*model->top, cycle);
    }
    *found = line.found;
    return 0;
} catch (const Error& error) {
    model->error = error.text;
    return 1;
}

EXPORT Stream* pump_stream_open(Model* model, uint32_t gap) { return new Stream(*model, gap); }
EXPORT void pump_stream_close(Stream* stream) { delete stream; }
EXPORT void pump_stream_give(Stream* stream, const uint8_t* bytes, const Frame* frames, uint64_t count) {
    stream->give(bytes, frames, count);
}

EXPORT int pump_stream_run(Model* model, Stream* stream, const uint64_t* toggles, uint64_t count, uint64_t cycles,
                           uint64_t* answer, uint64_t room, Streamed* result) try {
    Line line(toggles, count, answer, room);
    stream->run(line, cycles);
    result->bytes = stream->leaving.bytes.data();
    result->frames = stream->leaving.frames.data();
    result->count = stream->leaving.frames.size();
    result->found = line.found;
    result->queued = stream->queued();
    result->busy = stream->busy();
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
