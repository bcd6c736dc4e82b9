// The native half of the fast simulation: one Verilated model with its clock, packet ports and register bus.
//
// Python loads the library through PyVerilator, whose expected symbols are at the end; the pump_* functions are
// called on the same handle. Ports are those of hdl/export.py's AxiNic, of any data width. Each model has its own
// VerilatedContext, so several may live in one process.
//
// One cycle: inputs are set, settle() evaluates with the clock low, handshakes are looked at, edge() raises the
// clock. "ports.h" is generated: the port list as macros, X(name, bits, NARROW | LONG | WIDE).

#include <bit>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "Vmodel.h"
#include "ports.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

static_assert(std::endian::native == std::endian::little, "ports are copied as little-endian bytes");

#define EXPORT __attribute__((visibility("default")))

namespace {

enum Direction { NET, HOST, DIRECTIONS };
const char* const DIRECTION_NAMES[] = {"ingress", "egress"};

constexpr uint32_t REGISTER_TIMEOUT = 1000;  // cycles
constexpr uint32_t RESET_CYCLES = 2;
constexpr uint32_t TRAILING_CYCLES = 64;     // watched after a batch for output nobody asked for
constexpr uint32_t PROGRESS_INTERVAL = 1 << 14;  // cycles between calls of the progress function

struct Error {
    std::string text;
};

[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));
void fail(const char* format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    throw Error{text};
}

// xorshift64*: small, fast, and the same on every machine.
struct Random {
    uint64_t state;
    explicit Random(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15u + 0xD1B54A32D192ED03u) { state |= 1; }
    bool chance(uint32_t of_65536) {
        if (!of_65536) return false;
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return ((state * 0x2545F4914F6CDD1Du) >> 48) < of_65536;
    }
};

template <class T> using Plain = std::remove_cvref_t<T>;
using Data = Plain<decltype(Vmodel::m_axis_net_tdata)>;
using Keep = Plain<decltype(Vmodel::m_axis_net_tkeep)>;

}  // namespace

// Structures shared with sim/pump.py; keep both in step.
extern "C" {
struct PumpFrame {
    uint64_t offset;  // in the byte buffer
    uint32_t length;
    uint8_t direction, bad, drop, padding;
};
struct PumpOptions {
    uint64_t seed;
    uint64_t limit_bytes;     // paced: bytes offered and not yet done
    uint32_t limit_frames;    // paced: frames offered and not yet done
    uint32_t input_idle;      // chance of an idle input cycle, of 65536
    uint32_t output_stall;    // chance of a cycle without tready, of 65536
    uint32_t timeout;         // cycles without progress
    uint32_t full_rate;       // 0: paced
    uint32_t padding;
};
struct PumpCopy {
    uint64_t offset, cycle;
    uint32_t length, padding;
};
struct PumpVerdict {
    uint8_t record[16];
    uint64_t cycle;
};
struct PumpResult {
    const uint8_t* bytes;
    const PumpCopy* copies;
    const PumpVerdict* verdicts;
    uint64_t copy_count, verdict_count, cycles;
};
enum PumpAccessKind : uint32_t { READ, WRITE };
struct PumpAccess {
    uint32_t address, value, kind;
};
typedef int (*PumpProgress)(uint64_t done);  // nonzero: stop
}

// An input port and where it stands in its frame.
struct Source {
    Data& data;
    Keep& keep;
    CData &valid, &last, &user;
    CData& ready;
    CData* drop;
    const PumpFrame* frame = nullptr;
    uint32_t sent = 0;     // bytes accepted
    bool offering = false;  // valid is up

    void idle() {
        valid = 0;
        offering = false;
    }
    bool taken() const { return offering && ready; }
    void offer(const uint8_t* bytes) {
        const uint32_t left = frame->length - sent;
        const uint32_t count = left < BEAT ? left : BEAT;
        std::memset(&data, 0, sizeof data);
        std::memcpy(&data, bytes + frame->offset + sent, count);
        std::memset(&keep, 0, sizeof keep);
        auto* mask = reinterpret_cast<uint8_t*>(&keep);
        std::memset(mask, 0xff, count / 8);
        if (count % 8) mask[count / 8] = static_cast<uint8_t>((1u << count % 8) - 1);
        last = left <= BEAT;
        user = last && frame->bad;
        if (drop) *drop = last && frame->drop;
        valid = 1;
        offering = true;
    }
    static constexpr uint32_t BEAT = DATA_BITS / 8;
};

struct Model {
    VerilatedContext context;
    std::unique_ptr<Vmodel> top;
    std::unique_ptr<Source> sources[DIRECTIONS];
    uint64_t cycles = 0;
    std::string error;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> trace;
#endif

    // What came out since the batch began.
    std::vector<uint8_t> bytes;
    std::vector<PumpCopy> copies;
    std::vector<PumpVerdict> verdicts;
    uint64_t mirrored = 0;

    // The copy being received, and the beat that waits for tready.
    uint64_t copy_start = 0;
    bool waiting = false, in_copy = false;
    Data held_data;
    Keep held_keep;
    CData held_last = 0, held_user = 0;
    bool moved = false;  // something was handed over in this cycle

    Model(int argc, const char** argv) {
        context.commandArgs(argc, argv);
#if VM_TRACE
        context.traceEverOn(true);
#endif
        top = std::make_unique<Vmodel>(&context, "TOP");
        sources[NET].reset(new Source{top->s_axis_net_tdata, top->s_axis_net_tkeep, top->s_axis_net_tvalid,
            top->s_axis_net_tlast, top->s_axis_net_tuser, top->s_axis_net_tready, &top->s_axis_net_drop});
        sources[HOST].reset(new Source{top->s_axis_host_tdata, top->s_axis_host_tkeep, top->s_axis_host_tvalid,
            top->s_axis_host_tlast, top->s_axis_host_tuser, top->s_axis_host_tready, nullptr});
    }
    ~Model() { top->final(); }

    void settle() {
        top->clk = 0;
        eval();
    }
    void edge() {
        top->clk = 1;
        eval();
        cycles++;
    }
    void eval() {
        top->eval();
#if VM_TRACE
        if (trace) trace->dump(context.time());
#endif
        context.timeInc(1);
    }

    // Look at the outputs after settle(); remembers copies and verdicts, throws on a protocol violation.
    void observe() {
        moved = false;
        if (top->m_axis_verdict_tvalid) {
            PumpVerdict verdict;
            std::memcpy(verdict.record, &top->m_axis_verdict_tdata, sizeof verdict.record);
            verdict.cycle = cycles;
            verdicts.push_back(verdict);
            moved = true;
        }
        const bool valid = top->m_axis_net_tvalid;
        if (waiting) {
            if (!valid) fail("cycle %llu: m_axis_net_tvalid fell before tready", now());
            if (std::memcmp(&held_data, &top->m_axis_net_tdata, sizeof held_data) ||
                std::memcmp(&held_keep, &top->m_axis_net_tkeep, sizeof held_keep) ||
                held_last != top->m_axis_net_tlast || held_user != top->m_axis_net_tuser)
                fail("cycle %llu: m_axis_net changed while it waited for tready", now());
        }
        waiting = valid && !top->m_axis_net_tready;
        if (waiting) {
            held_data = top->m_axis_net_tdata;
            held_keep = top->m_axis_net_tkeep;
            held_last = top->m_axis_net_tlast;
            held_user = top->m_axis_net_tuser;
        }
        if (valid && top->m_axis_net_tready) accept_beat();
    }

    void accept_beat() {
        const uint32_t count = kept_bytes();
        if (!top->m_axis_net_tlast && count != Source::BEAT)
            fail("cycle %llu: m_axis_net_tkeep is not full before tlast", now());
        if (!in_copy) copy_start = bytes.size();
        const auto* data = reinterpret_cast<const uint8_t*>(&top->m_axis_net_tdata);
        bytes.insert(bytes.end(), data, data + count);
        in_copy = !top->m_axis_net_tlast;
        if (!in_copy)
            copies.push_back({copy_start, cycles, static_cast<uint32_t>(bytes.size() - copy_start), 0});
        moved = true;
    }

    uint32_t kept_bytes() {
        const auto* mask = reinterpret_cast<const uint8_t*>(&top->m_axis_net_tkeep);
        uint32_t count = 0;
        while (count < Source::BEAT && mask[count / 8] >> count % 8 & 1) count++;
        for (uint32_t i = count; i < Source::BEAT; i++)
            if (mask[i / 8] >> i % 8 & 1) fail("cycle %llu: m_axis_net_tkeep is not contiguous", now());
        if (!count) fail("cycle %llu: m_axis_net_tkeep is empty", now());
        return count;
    }

    // As anybody would who has just switched it on.
    void reset() {
        top->rst = 1;
        for (uint32_t i = 0; i < RESET_CYCLES; i++) {
            settle();
            edge();
        }
        top->rst = 0;
        cycles = 0;
    }

    void idle_cycle() {
        top->m_axis_net_tready = 1;
        settle();
        observe();
        edge();
    }

    void clear() {
        bytes.clear();
        copies.clear();
        verdicts.clear();
        mirrored = 0;
    }

    unsigned long long now() const { return cycles; }

    void access(PumpAccess* accesses, uint64_t count);
    void write_registers(const PumpAccess* accesses, uint64_t count);
    void read_register(PumpAccess& access);
};

namespace {

// A batch of frames on its way through the model.
class Batch {
public:
    Batch(Model& model, const uint8_t* bytes, const PumpFrame* frames, uint64_t count, const PumpOptions& options)
        : model(model), bytes(bytes), frames(frames), count(count), options(options), random(options.seed) {
        for (uint64_t i = 0; i < count; i++) order[frames[i].direction].push_back(i);
    }

    // Returns the cycles from the first one to the last hand-over.
    uint64_t run(PumpProgress progress) {
        const uint64_t start = model.cycles;
        uint64_t last_move = start, next_report = start;
        while (!finished()) {
            for (int direction = 0; direction < DIRECTIONS; direction++) drive(direction);
            model.top->m_axis_net_tready = !random.chance(options.output_stall);
            model.settle();
            model.observe();
            account();
            const bool taken[DIRECTIONS] = {model.sources[NET]->taken(), model.sources[HOST]->taken()};
            model.edge();
            for (int direction = 0; direction < DIRECTIONS; direction++)
                if (taken[direction]) advance(*model.sources[direction]);
            if (model.moved || taken[NET] || taken[HOST]) last_move = model.cycles;
            if (model.cycles - last_move > options.timeout) stuck();
            if (progress && model.cycles >= next_report) {
                next_report = model.cycles + PROGRESS_INTERVAL;
                if (progress(seen)) fail("stopped");
            }
        }
        for (auto& source : model.sources) source->idle();
        for (uint32_t i = 0; i < TRAILING_CYCLES; i++) {
            model.idle_cycle();
            account();
        }
        if (model.in_copy || model.waiting || model.copies.size() != model.mirrored) surplus();
        return last_move - start;
    }

private:
    Model& model;
    const uint8_t* bytes;
    const PumpFrame* frames;
    const uint64_t count;
    const PumpOptions& options;
    Random random;
    std::vector<uint64_t> order[DIRECTIONS];  // frame numbers of each direction
    uint64_t started[DIRECTIONS] = {}, judged[DIRECTIONS] = {}, released[DIRECTIONS] = {};
    std::deque<bool> pending[DIRECTIONS];  // judged and not released: is it mirrored?
    uint64_t outstanding_bytes = 0;
    uint64_t next = 0;                       // paced: next frame to start
    uint64_t seen = 0, copies_released = 0;  // verdicts looked at; copies that released their frame

    bool finished() const {
        return seen == count && !model.in_copy && !model.waiting && model.copies.size() >= model.mirrored;
    }

    bool may_start(int direction) const {
        if (started[direction] == order[direction].size()) return false;
        if (options.full_rate) return true;
        const uint64_t number = order[direction][started[direction]];
        if (number != next || started[!direction] != released[!direction]) return false;
        const uint64_t own = started[direction] - released[direction];
        return !own || (own < options.limit_frames && outstanding_bytes + cost(number) <= options.limit_bytes);
    }

    uint64_t cost(uint64_t number) const {
        return (frames[number].length + Source::BEAT - 1) / Source::BEAT * Source::BEAT;
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

    void advance(Source& source) {
        source.sent += Source::BEAT;
        if (source.last) source.frame = nullptr;
        source.idle();
    }

    // Verdicts and copies seen in this cycle release the frames they belong to.
    void account() {
        for (; seen < model.verdicts.size(); seen++) {
            const uint8_t* record = model.verdicts[seen].record;
            const unsigned direction = record[10];
            if (direction >= DIRECTIONS || judged[direction] == started[direction])
                fail("cycle %llu: a verdict record for a frame that was not offered (direction %u)", model.now(),
                     direction);
            judged[direction]++;
            const bool is_mirrored = record[8] == 0;
            model.mirrored += is_mirrored;
            pending[direction].push_back(is_mirrored);
        }
        for (int direction = 0; direction < DIRECTIONS; direction++) {
            auto& queue = pending[direction];
            while (!queue.empty() && !(queue.front() && copies_released == model.copies.size())) {
                copies_released += queue.front();
                queue.pop_front();
                outstanding_bytes -= cost(order[direction][released[direction]++]);
            }
        }
    }

    [[noreturn]] void stuck() const {
        for (int direction = 0; direction < DIRECTIONS; direction++) {
            const Source& source = *model.sources[direction];
            if (source.frame && source.offering)
                fail("no progress for %u cycles: %s frame %llu stuck at byte %u of %u (tready stays low)",
                     options.timeout, DIRECTION_NAMES[direction],
                     static_cast<unsigned long long>(source.frame - frames), source.sent, source.frame->length);
            if (judged[direction] < started[direction])
                fail("no progress for %u cycles: %s frame %llu has no verdict", options.timeout,
                     DIRECTION_NAMES[direction],
                     static_cast<unsigned long long>(order[direction][judged[direction]]));
        }
        fail("no progress for %u cycles: %llu verdicts 'mirrored' but %zu copies", options.timeout,
             static_cast<unsigned long long>(model.mirrored), model.copies.size());
    }

    [[noreturn]] void surplus() const {
        fail("%zu copies%s came out for %llu verdicts 'mirrored'", model.copies.size(),
             model.in_copy || model.waiting ? " and part of another" : "",
             static_cast<unsigned long long>(model.mirrored));
    }
};

}  // namespace

// Consecutive writes follow one another without waiting for the responses, which are counted.
void Model::write_registers(const PumpAccess* accesses, uint64_t count) {
    uint64_t addressed = 0, given = 0, answered = 0;
    uint64_t last_move = cycles;
    while (answered < count) {
        top->s_axil_awvalid = addressed < count;
        if (addressed < count) top->s_axil_awaddr = accesses[addressed].address;
        top->s_axil_wvalid = given < count;
        if (given < count) top->s_axil_wdata = accesses[given].value;
        top->s_axil_wstrb = 0xf;
        top->s_axil_bready = 1;
        top->m_axis_net_tready = 1;
        settle();
        observe();
        const bool address_taken = top->s_axil_awvalid && top->s_axil_awready;
        const bool data_taken = top->s_axil_wvalid && top->s_axil_wready;
        const bool answer = top->s_axil_bvalid;
        const unsigned response = top->s_axil_bresp;
        edge();
        addressed += address_taken;
        given += data_taken;
        if (answer && (answered >= addressed || answered >= given)) fail("write response without a write");
        if (answer && response) {
            top->s_axil_awvalid = top->s_axil_wvalid = 0;
            fail("register write 0x%03x was refused with response %u", accesses[answered].address, response);
        }
        answered += answer;
        if (address_taken || data_taken || answer) last_move = cycles;
        if (cycles - last_move > REGISTER_TIMEOUT)
            fail("register write 0x%03x was not answered within %u cycles", accesses[answered].address,
                 REGISTER_TIMEOUT);
    }
    top->s_axil_awvalid = top->s_axil_wvalid = top->s_axil_bready = 0;
}

void Model::read_register(PumpAccess& access) {
    top->s_axil_araddr = access.address;
    top->s_axil_arvalid = top->s_axil_rready = 1;
    for (uint32_t i = 0; i < REGISTER_TIMEOUT; i++) {
        top->m_axis_net_tready = 1;
        settle();
        observe();
        const bool taken = top->s_axil_arvalid && top->s_axil_arready;
        const bool answered = top->s_axil_rvalid;
        const unsigned response = top->s_axil_rresp;
        access.value = top->s_axil_rdata;
        edge();
        if (taken) top->s_axil_arvalid = 0;
        if (!answered) continue;
        top->s_axil_rready = 0;
        if (response) fail("register read 0x%03x was refused with response %u", access.address, response);
        return;
    }
    fail("register read 0x%03x was not answered within %u cycles", access.address, REGISTER_TIMEOUT);
}

void Model::access(PumpAccess* accesses, uint64_t count) {
    for (uint64_t i = 0; i < count;) {
        uint64_t end = i;
        while (end < count && accesses[end].kind == WRITE) end++;
        write_registers(accesses + i, end - i);
        if (end < count) read_register(accesses[end]);
        i = end + 1;
    }
}

// ---- called from sim/pump.py; 0 is success, else pump_error() tells ----
extern "C" {

EXPORT void pump_reset(Model* model) { model->reset(); }

EXPORT int pump_registers(Model* model, PumpAccess* accesses, uint64_t count) try {
    model->access(accesses, count);
    return 0;
} catch (const Error& error) {
    model->error = error.text;
    return 1;
}

EXPORT int pump_run(Model* model, const uint8_t* bytes, const PumpFrame* frames, uint64_t count,
                    const PumpOptions* options, PumpProgress progress, PumpResult* result) try {
    model->clear();
    result->cycles = Batch(*model, bytes, frames, count, *options).run(progress);
    result->bytes = model->bytes.data();
    result->copies = model->copies.data();
    result->verdicts = model->verdicts.data();
    result->copy_count = model->copies.size();
    result->verdict_count = model->verdicts.size();
    return 0;
} catch (const Error& error) {
    for (auto& source : model->sources) {
        source->idle();
        source->frame = nullptr;
    }
    model->error = error.text;
    return 1;
}

EXPORT void pump_release(Model* model) {
    model->clear();
    model->bytes.shrink_to_fit();
}

EXPORT const char* pump_error(Model* model) { return model->error.c_str(); }

// ---- the symbols PyVerilator looks for ----

#define NAME(name, width, kind) #name,
#define WIDTH(name, width, kind) width,
#define ONE(name, width, kind) +1
EXPORT const char* _pyverilator_module_name = MODULE_NAME;
EXPORT const char* _pyverilator_json_data = "null";
EXPORT const char* _pyverilator_inputs[] = {INPUTS(NAME)};
EXPORT const char* _pyverilator_outputs[] = {OUTPUTS(NAME)};
EXPORT const char* _pyverilator_internal_signals[] = {nullptr};
EXPORT uint32_t _pyverilator_num_inputs = 0 INPUTS(ONE);
EXPORT uint32_t _pyverilator_num_outputs = 0 OUTPUTS(ONE);
EXPORT uint32_t _pyverilator_num_internal_signals = 0;
EXPORT uint32_t _pyverilator_input_widths[] = {INPUTS(WIDTH)};
EXPORT uint32_t _pyverilator_output_widths[] = {OUTPUTS(WIDTH)};
EXPORT uint32_t _pyverilator_internal_signal_widths[] = {0};

#define GET_NARROW(name) EXPORT uint32_t get_##name(Model* model) { return model->top->name; }
#define GET_LONG(name) EXPORT uint64_t get_##name(Model* model) { return model->top->name; }
#define GET_WIDE(name) EXPORT uint32_t get_##name(Model* model, uint32_t word) { return model->top->name[word]; }
#define SET_NARROW(name) EXPORT void set_##name(Model* model, uint32_t value) { model->top->name = value; }
#define SET_LONG(name) EXPORT void set_##name(Model* model, uint64_t value) { model->top->name = value; }
#define SET_WIDE(name) \
    EXPORT void set_##name(Model* model, uint64_t word, uint32_t value) { model->top->name[word] = value; }
#define GET(name, width, kind) GET_##kind(name)
#define SET(name, width, kind) SET_##kind(name)
INPUTS(GET) OUTPUTS(GET) INPUTS(SET)

static std::vector<std::string> command_arguments;  // of the next model; PyVerilator sets them before it constructs

EXPORT void set_command_args(int argc, const char** argv) { command_arguments.assign(argv, argv + argc); }

EXPORT Model* construct() {
    std::vector<const char*> argv;
    for (const std::string& argument : command_arguments) argv.push_back(argument.c_str());
    return new Model(static_cast<int>(argv.size()), argv.data());
}

EXPORT void destruct(Model* model) { delete model; }

EXPORT int eval(Model* model) {
    model->eval();
    return 0;
}

#if VM_TRACE
EXPORT Model* start_vcd_trace(Model* model, const char* path) {
    model->trace = std::make_unique<VerilatedVcdC>();
    model->top->trace(model->trace.get(), 99);
    model->trace->open(path);
    return model;
}
EXPORT void add_to_vcd_trace(Model* model, int) { model->eval(); }
EXPORT void flush_vcd_trace(Model* model) { model->trace->flush(); }
EXPORT void stop_vcd_trace(Model* model) {
    model->trace->close();
    model->trace.reset();
}
#endif
}
