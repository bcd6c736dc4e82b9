// A Verilated model with its clock and packet ports; what comes out is taken in and judged by the protocol, and
// production by what went in.
//
// One cycle: inputs are set, settle() evaluates with the clock low, handshakes are looked at, edge() raises the clock.
// Ports are those of hdl/export.py's AxiNic, of any data width. Each model has its own VerilatedContext, so several
// may live in one process.
#pragma once

#include <bit>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "Vmodel.h"
#include "leaving.h"
#include "ports.h"
#include "production.h"
#include "sink.h"
#include "structures.h"
#include "support.h"
#include "verilated.h"
#if VM_COVERAGE
#include "verilated_cov.h"
#endif
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

static_assert(std::endian::native == std::endian::little, "ports are copied as little-endian bytes");

enum Port { NET = INGRESS, HOST = EGRESS, PORTS };  // numbered as the directions of what they take in

constexpr uint32_t RESET_CYCLES = 1;  // one must do
constexpr uint32_t BEAT = DATA_BITS / 8;
const char* const PORT_NAMES[] = {"ingress", "egress"};

namespace {

template <class T> using Plain = std::remove_cvref_t<T>;
using Data = Plain<decltype(Vmodel::m_axis_net_tdata)>;
using Keep = Plain<decltype(Vmodel::m_axis_net_tkeep)>;

// Which bytes of the verdict port are there: all of them, where it has room for one record and no tkeep.
template <class Top> uint32_t kept_of_verdicts(const Top& top) {
    if constexpr (requires { top.m_axis_verdict_tkeep; }) return top.m_axis_verdict_tkeep;
    return ~0u;
}

}  // namespace

// An input port and where it stands in its frame.
struct Source {
    Data& data;
    Keep& keep;
    CData &valid, &last, &user;
    CData& ready;
    CData* drop;
    const Frame* frame = nullptr;
    uint32_t sent = 0;     // bytes accepted
    bool offering = false;  // valid is up
    Random rubbish{1};      // what counts for nothing

    void idle() {
        valid = 0;
        offering = false;
        scribble();
    }
    // Anything at all, as AXI4-Stream allows while nothing is offered.
    void scribble() {
        rubbish.fill(&data, sizeof data);
        rubbish.fill(&keep, sizeof keep);
        if (BEAT < 8) *reinterpret_cast<uint8_t*>(&keep) &= (1u << BEAT % 8) - 1;  // no bits beyond the port's
        const uint64_t marks = rubbish.number() >> 32;
        last = marks & 1;
        user = marks >> 1 & 1;
        if (drop) *drop = marks >> 2 & 1;
    }
    bool taken() const { return offering && ready; }
    void offer(const uint8_t* bytes) {
        const uint32_t left = frame->length - sent;
        const uint32_t count = left < BEAT ? left : BEAT;
        scribble();  // bytes behind the last one, and all but data before the last beat, count for nothing
        std::memcpy(&data, bytes + frame->offset + sent, count);
        last = left <= BEAT;
        if (last) {
            std::memset(&keep, 0, sizeof keep);
            auto* mask = reinterpret_cast<uint8_t*>(&keep);
            std::memset(mask, 0xff, count / 8);
            if (count % 8) mask[count / 8] = static_cast<uint8_t>((1u << count % 8) - 1);
            user = frame->bad;
            if (drop) *drop = frame->drop;
        }
        valid = 1;
        offering = true;
    }
};

using Output = Sink<Data, Keep, BEAT>;

struct Model {
    VerilatedContext context;
    std::unique_ptr<Vmodel> top;
    std::unique_ptr<Source> sources[PORTS];
    uint64_t cycles = 0;
    std::string error;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> trace;
#endif

    // What came out since the batch began.
    std::vector<uint8_t> bytes;
    std::vector<Copy> copies;
    std::vector<VerdictAt> verdicts;
    uint64_t mirrored = 0;

    std::vector<Passed> passed;
    uint64_t copy_start = 0;
    uint32_t gap = 0;    // cycles that a receiver is busy behind each frame
    bool moved = false;  // something was handed over in this cycle

    // What is on its way through, by the direction it came in, and where it comes out.
    Production production[PORTS] = {Production(PORT_NAMES[NET]), Production(PORT_NAMES[HOST])};
    Leaving* leaving = nullptr;  // takes all that comes out, where nothing is compared
    std::unique_ptr<Output> to_host, to_net, to_mirror;  // the last only where copies have a stream of their own

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
        to_host.reset(new Output{"m_axis_host", top->m_axis_host_tdata, top->m_axis_host_tkeep, top->m_axis_host_tvalid,
            top->m_axis_host_tlast, top->m_axis_host_tuser, top->m_axis_host_tready, &top->m_axis_host_drop, false});
        to_net.reset(new Output{"m_axis_net", top->m_axis_net_tdata, top->m_axis_net_tkeep, top->m_axis_net_tvalid,
            top->m_axis_net_tlast, top->m_axis_net_tuser, top->m_axis_net_tready, nullptr, false});
#if OWN_STREAM
        to_mirror.reset(new Output{"m_axis_mirror", top->m_axis_mirror_tdata, top->m_axis_mirror_tkeep,
            top->m_axis_mirror_tvalid, top->m_axis_mirror_tlast, top->m_axis_mirror_tuser, top->m_axis_mirror_tready,
            nullptr, true});
#endif
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

    // Look at the outputs after settle(); remembers what came out, throws on a protocol violation.
    void observe() {
        moved = false;
        if (top->m_axis_verdict_tvalid) {
            const auto* records = reinterpret_cast<const uint8_t*>(&top->m_axis_verdict_tdata);
            for (uint32_t at = 0; at < sizeof top->m_axis_verdict_tdata; at += RECORD_SIZE) {
                if (!(kept_of_verdicts(*top) >> at & 1)) continue;
                VerdictAt verdict;
                std::memcpy(verdict.record, records + at, RECORD_SIZE);
                verdict.cycle = cycles;
                verdicts.push_back(verdict);
            }
            moved = true;
        }
        to_host->observe(cycles, gap, [this](const Beat& beat) { pass(NET, beat); });
        to_net->observe(cycles, gap, [this](const Beat& beat) {
            if (to_net->is_copy()) accept_copy(*to_net, beat);
            else pass(HOST, beat);
        });
        if (to_mirror) to_mirror->observe(cycles, gap, [this](const Beat& beat) { accept_copy(*to_mirror, beat); });
    }

    void pass(Port from, const Beat& beat) {
        if (leaving) leaving->take(from == NET ? HOST : NET, beat, false, cycles);
        else production[from].leave(beat, cycles, passed);
        moved = true;
    }

    void accept_copy(const Output& output, const Beat& beat) {
        if (leaving) {
            leaving->take(NET, beat, true, cycles);
            moved = true;
            return;
        }
        if (beat.first) copy_start = bytes.size();
        bytes.insert(bytes.end(), beat.data, beat.data + beat.count);
        if (beat.bad) fail("cycle %llu: a copy on %s is marked bad", now(), output.name);
        if (beat.last) copies.push_back({copy_start, cycles, static_cast<uint32_t>(bytes.size() - copy_start)});
        moved = true;
    }

    // A copy has come out in part, or is offered.
    bool in_copy() const {
        const Output& output = to_mirror ? *to_mirror : *to_net;
        return (output.in_frame || output.waiting) && output.is_copy();
    }

    // The receivers are ready, or not; of those held, the one of ingress (NET) and the one of copies (HOST), never.
    template <class Choose> void receive(Choose choose, uint32_t held = 0) {
        to_host->receive(choose() && !(held >> NET & 1));
        to_net->receive(choose() && (to_mirror || !(held >> HOST & 1)));
        if (to_mirror) to_mirror->receive(choose() && !(held >> HOST & 1));
    }
    void receive() {
        receive([] { return true; });
    }

    // As anybody would who has just switched it on, or in the middle of anything: what is under way is gone.
    void reset() {
        for (auto& source : sources) {
            source->idle();
            source->frame = nullptr;
        }
        if (in_copy()) bytes.resize(copy_start);
        to_host->reset();
        to_net->reset();
        if (to_mirror) to_mirror->reset();
        for (auto& each : production) each.reset();
        top->rst = 1;
        for (uint32_t i = 0; i < RESET_CYCLES; i++) {
            settle();
            edge();
        }
        top->rst = 0;
        cycles = 0;
    }

    void idle_cycle() {
        receive();
        settle();
        observe();
        edge();
    }

    void clear() {
        bytes.clear();
        copies.clear();
        verdicts.clear();
        passed.clear();
        mirrored = 0;
    }

    unsigned long long now() const { return cycles; }
};
